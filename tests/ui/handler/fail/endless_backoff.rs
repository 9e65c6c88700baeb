use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events", dead_letter = off, retry(backoff = "0s..1s"))]
async fn count(event: UserLogin) {}

fn main() {}
