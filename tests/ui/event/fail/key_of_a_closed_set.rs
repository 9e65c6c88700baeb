use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: u64,
}

#[derive(Event)]
#[event(key = id)]
enum UserEvents {
    Login(UserLogin),
}

fn main() {}
