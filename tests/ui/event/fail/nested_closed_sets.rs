use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[derive(Event)]
enum Inner {
    Login(UserLogin),
}

#[derive(Event)]
enum Outer {
    Inner(Inner),
}

fn main() {}
