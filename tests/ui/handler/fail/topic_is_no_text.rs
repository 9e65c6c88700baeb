use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = format!("user.events"))]
async fn count(event: UserLogin) {}

fn main() {}
