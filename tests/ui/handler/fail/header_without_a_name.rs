use narad::prelude::*;

#[derive(Event)]
struct UserLogin {
    id: String,
}

#[kafka_handler(topic = "user.events")]
async fn none(#[header] tenant: String) {}

#[kafka_handler(topic = "user.events")]
async fn empty(#[header("")] tenant: String) {}

#[kafka_handler(topic = "user.events")]
async fn no_text(#[header(tenant)] tenant: String, #[header = "tenant"] other: String) {}

#[kafka_handler(topic = "user.events")]
async fn two_lines(#[header("ten\nant")] tenant: String) {}

fn main() {}
