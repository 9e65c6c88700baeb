use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events", retry(backoff = "30s..100ms"))]
async fn count(event: UserLogin) {}

fn main() {}
