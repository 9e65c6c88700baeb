use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events", default = true)]
async fn count(record: Record) {}

fn main() {}
