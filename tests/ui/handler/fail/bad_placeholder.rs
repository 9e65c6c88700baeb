use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events", group = "analytics-${1}")]
async fn count(event: UserLogin) {}

fn main() {}
