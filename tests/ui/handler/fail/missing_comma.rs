use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events" group = "a")]
async fn count(event: UserLogin) {}

fn main() {}
