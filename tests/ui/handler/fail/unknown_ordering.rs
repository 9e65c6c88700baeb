use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events", ordering = "keys")]
async fn count(event: UserLogin) {}

fn main() {}
