use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events")]
async fn count(event: Option<Envelope<UserLogin>>) {}

fn main() {}
