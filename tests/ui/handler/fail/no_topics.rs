use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topics = [])]
async fn count(event: UserLogin) {}

fn main() {}
