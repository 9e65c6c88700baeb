use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events")]
async fn count(events: Batch<UserLogin>, #[header("tenant")] tenant: String) {}

fn main() {}
