use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events", batch(max = 100))]
async fn count(event: UserLogin) {}

fn main() {}
