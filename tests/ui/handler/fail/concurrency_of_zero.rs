use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events", concurrency = 0)]
async fn count(event: UserLogin) {}

fn main() {}
