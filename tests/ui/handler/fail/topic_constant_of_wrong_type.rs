use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

const TOPIC: u8 = 1;

#[kafka_handler(topic = TOPIC)]
async fn count(event: UserLogin) {}

fn main() {}
