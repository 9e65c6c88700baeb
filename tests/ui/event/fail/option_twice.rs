use narad::prelude::*;

#[derive(Event)]
#[event(topic = "user.events")]
#[event(topic = "user.logins")]
struct UserLogin {
    id: String,
}

fn main() {}
