use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[derive(Event)]
enum UserEvents {
    Login(UserLogin),
    Both(UserLogin, UserLogin),
    Rest,
}

fn main() {}
