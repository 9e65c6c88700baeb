use narad::prelude::*;

#[derive(Event)]
#[event(topic)]
struct UserLogin {
    id: String,
}

fn main() {}
