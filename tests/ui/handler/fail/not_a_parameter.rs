use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

struct Store;

#[kafka_handler(topic = "user.events")]
async fn count(event: UserLogin, store: Store) {}

fn main() {}
