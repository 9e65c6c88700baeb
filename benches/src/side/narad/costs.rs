//! The plain typed handler, and what is asked of it beside that, one at a time.

use narad::prelude::*;
use narad::{Layer, Narad, Next};

use super::events::{BorrowedAction, BorrowedLogin, UserAction, UserEvent, UserLogin};
use super::{METER, consume_with, run};
use crate::data::ID;
use crate::side::{Measured, Task};

fn count(seq: i64) {
    METER.count(seq, ID);
}

/// A handler for each of the two types, in a group of their own.
macro_rules! pair {
    ($set:ident, $group:literal, $login:ident $action:ident
        ($event:ident: $Login:ty | $Action:ty $(, $beside:ident: $Beside:ty)?) => $seq:expr $(, $option:ident = $value:literal)?) => {
        #[kafka_handler(topic = "${BENCH_TOPIC:-bench}", group = $group $(, $option = $value)?)]
        async fn $login($event: $Login $(, $beside: $Beside)?) {
            count($seq);
        }

        #[kafka_handler(topic = "${BENCH_TOPIC:-bench}", group = $group $(, $option = $value)?)]
        async fn $action($event: $Action $(, $beside: $Beside)?) {
            count($seq);
        }

        pub(crate) fn $set(task: &Task) -> Measured {
            consume_with(task, stringify!($set))
        }
    };
}

pair!(plain, "${BENCH_GROUP:-bench}-plain", plain_login plain_action (event: UserLogin | UserAction) => event.seq);
pair!(partition, "${BENCH_GROUP:-bench}-partition", partition_login partition_action
    (event: UserLogin | UserAction) => event.seq, ordering = "partition");
pair!(none, "${BENCH_GROUP:-bench}-none", none_login none_action
    (event: UserLogin | UserAction) => event.seq, ordering = "none");
pair!(borrowed, "${BENCH_GROUP:-bench}-borrowing", borrowed_login borrowed_action
    (event: BorrowedLogin<'_> | BorrowedAction<'_>) => event.seq);
pair!(envelope, "${BENCH_GROUP:-bench}-envelope", envelope_login envelope_action
    (event: Envelope<UserLogin> | Envelope<UserAction>) => event.data.seq);
pair!(meta, "${BENCH_GROUP:-bench}-meta", meta_login meta_action
    (event: UserLogin | UserAction, meta: Meta<'_>) => { std::hint::black_box(&meta); event.seq });
pair!(context, "${BENCH_GROUP:-bench}-context", context_login context_action
    (event: UserLogin | UserAction, ctx: Context) => { std::hint::black_box(&ctx); event.seq });

#[kafka_handler(topic = "${BENCH_TOPIC:-bench}", group = "${BENCH_GROUP:-bench}-closed-set")]
async fn either(event: UserEvent) {
    count(event.seq());
}

pub(crate) fn closed_set(task: &Task) -> Measured {
    consume_with(task, "closed-set")
}

#[kafka_handler(topic = "${BENCH_TOPIC:-bench}", group = "${BENCH_GROUP:-bench}-batch")]
async fn many(events: Batch<UserEvent>) {
    events.iter().for_each(|event| count(event.seq()));
}

pub(crate) fn batch(task: &Task) -> Measured {
    consume_with(task, "batch")
}

#[kafka_handler(topic = "${BENCH_TOPIC:-bench}", group = "${BENCH_GROUP:-bench}-threads")]
fn on_a_thread_login(event: UserLogin) {
    count(event.seq);
}

#[kafka_handler(topic = "${BENCH_TOPIC:-bench}", group = "${BENCH_GROUP:-bench}-threads")]
fn on_a_thread_action(event: UserAction) {
    count(event.seq);
}

pub(crate) fn threads(task: &Task) -> Measured {
    consume_with(task, "threads")
}

/// Does nothing but be there.
struct Through;

impl Layer for Through {
    async fn call<'a>(&'a self, _ctx: &'a Context, next: Next<'a>) -> Outcome {
        next.run().await
    }
}

pub(crate) fn one_layer(task: &Task) -> Measured {
    run(task, "plain", Narad::builder().layer(Through))
}

pub(crate) fn three_layers(task: &Task) -> Measured {
    run(task, "plain", Narad::builder().layer(Through).layer(Through).layer(Through))
}
