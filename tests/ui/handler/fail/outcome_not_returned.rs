#![deny(warnings)]

use narad::prelude::*;

#[kafka_handler(topic = "user.events")]
async fn count(record: Record) {
    if record.payload().is_none() {
        Outcome::dead_letter("no value");
    }
}

fn main() {}
