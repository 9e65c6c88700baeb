use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events", retry(attempt = 5))]
async fn count(event: UserLogin) {}

fn main() {}
