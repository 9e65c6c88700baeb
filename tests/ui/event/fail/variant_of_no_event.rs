use narad::prelude::*;

struct UserLogin {
    id: String,
}

#[derive(Event)]
enum UserEvents {
    Login(UserLogin),
}

fn main() {}
