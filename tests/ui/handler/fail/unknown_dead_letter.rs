use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events", dead_letter = skipp)]
async fn count(event: UserLogin) {}

fn main() {}
