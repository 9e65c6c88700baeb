use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events")]
async unsafe fn count(event: UserLogin) {}

fn main() {}
