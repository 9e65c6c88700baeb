use narad::prelude::*;

#[derive(Event)]
#[event(topic = "user events")]
struct UserLogin {
    id: String,
}

fn main() {}
