use narad::prelude::*;

#[derive(EventData)]
#[event(topic = "user.events")]
struct Address {
    street: String,
}

fn main() {}
