use narad::prelude::*;

#[kafka_handler(topic = "user.events")]
async fn count(event: Envelope<u8>) {
    drop(event);
}

fn main() {}
