use narad::prelude::*;

#[derive(Event)]
#[event(type = 7)]
struct UserLogin {
    id: String,
}

fn main() {}
