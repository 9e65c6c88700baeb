use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events", timeout = "0s")]
async fn count(event: UserLogin) {}

fn main() {}
