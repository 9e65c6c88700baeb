use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[derive(Event)]
enum UserEvents {
    #[event(topic = "user.logins")]
    Login(UserLogin),
    #[event(othr)]
    Rest,
}

fn main() {}
