use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[derive(Event)]
enum UserEvents {
    Login(UserLogin),
    #[event(other)]
    Rest(String),
}

fn main() {}
