use narad::prelude::*;

#[derive(Event)]
#[event(topc = "user.events")]
struct UserLogin {
    id: String,
}

fn main() {}
