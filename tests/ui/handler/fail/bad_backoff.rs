use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events", retry(backoff = "100ms-30s"))]
async fn count(event: UserLogin) {}

fn main() {}
