//! Handlers that wait, a thousand at once and in the order of each key.

use std::time::Duration;

use narad::prelude::*;

use super::events::{UserAction, UserLogin};
use super::{METER, consume_with};
use crate::data::ID;
use crate::side::{Measured, Task};

async fn wait(key: &str, seq: i64) {
    METER.see(key, seq);
    tokio::time::sleep(Duration::from_millis(5)).await;
    METER.count(seq, ID);
}

#[kafka_handler(topic = "${BENCH_TOPIC:-bench}", group = "${BENCH_GROUP:-bench}-io", concurrency = 1024)]
async fn wait_login(event: UserLogin) {
    wait(&event.user_id, event.seq).await;
}

#[kafka_handler(topic = "${BENCH_TOPIC:-bench}", group = "${BENCH_GROUP:-bench}-io", concurrency = 1024)]
async fn wait_action(event: UserAction) {
    wait(&event.user_id, event.seq).await;
}

pub(crate) fn consume(task: &Task) -> Measured {
    consume_with(task, "io")
}
