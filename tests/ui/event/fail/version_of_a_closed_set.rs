use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[derive(Event)]
#[event(version = "2.0")]
enum UserEvents {
    Login(UserLogin),
}

fn main() {}
