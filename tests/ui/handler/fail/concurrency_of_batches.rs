use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events", concurrency = 16)]
async fn count(events: Batch<UserLogin>) {
    drop(events);
}

fn main() {}
