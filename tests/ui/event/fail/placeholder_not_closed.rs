use narad::prelude::*;

#[derive(Event)]
#[event(topic = "user.${STAGE.events")]
struct UserLogin {
    id: String,
}

fn main() {}
