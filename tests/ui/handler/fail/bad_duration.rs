use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events", timeout = "5 seconds")]
async fn count(event: UserLogin) {}

fn main() {}
