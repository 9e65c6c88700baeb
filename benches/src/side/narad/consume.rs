//! Two typed handlers, which read the envelope's id as well.

use narad::prelude::*;

use super::events::{BorrowedAction, BorrowedLogin, UserAction, UserLogin};
use super::{METER, consume_with};
use crate::side::{Measured, Task};

#[kafka_handler(topic = "${BENCH_TOPIC:-bench}", group = "${BENCH_GROUP:-bench}-owned")]
async fn login(event: Envelope<UserLogin>) {
    METER.count(event.data.seq, event.id.map_or(0, |id| id.len()));
}

#[kafka_handler(topic = "${BENCH_TOPIC:-bench}", group = "${BENCH_GROUP:-bench}-owned")]
async fn action(event: Envelope<UserAction>) {
    METER.count(event.data.seq, event.id.map_or(0, |id| id.len()));
}

pub(crate) fn owned(task: &Task) -> Measured {
    consume_with(task, "owned")
}

#[kafka_handler(topic = "${BENCH_TOPIC:-bench}", group = "${BENCH_GROUP:-bench}-borrowed")]
async fn borrowed_login(event: BorrowedLogin<'_>, meta: Meta<'_>) {
    METER.count(event.seq, meta.id.map_or(0, |id| id.len()));
}

#[kafka_handler(topic = "${BENCH_TOPIC:-bench}", group = "${BENCH_GROUP:-bench}-borrowed")]
async fn borrowed_action(event: BorrowedAction<'_>, meta: Meta<'_>) {
    METER.count(event.seq, meta.id.map_or(0, |id| id.len()));
}

pub(crate) fn borrowed(task: &Task) -> Measured {
    consume_with(task, "borrowed")
}
