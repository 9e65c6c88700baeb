use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events")]
async fn count(events: Batch<UserLogin>, ctx: Context, store: State<u8>, record: Record) {}

fn main() {}
