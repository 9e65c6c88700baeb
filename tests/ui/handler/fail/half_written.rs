use narad::prelude::*;

#[kafka_handler(topic = "user.events")]
async fn count(record: Record, ctx) {
    drop(record);
}

fn main() {}
