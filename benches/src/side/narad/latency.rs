//! From before an event is encoded to the start of its handler, at 2,000 events a second.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Instant;

use narad::Narad;
use narad::prelude::*;
use tokio::sync::Notify;

use super::block_on;
use super::events::{UserAction, UserLogin, pool};
use crate::side::{GAP, Measured, Task, WARM_UP, percentiles};

struct Timed {
    epoch: Instant,
    /// When each was sent, in nanoseconds.
    sent: Vec<AtomicU64>,
    waits: Mutex<Vec<f64>>,
    handled: AtomicUsize,
    ready: Notify,
    finished: Notify,
}

static TIMED: LazyLock<Timed> = LazyLock::new(|| {
    let records = std::env::var("BENCH_RECORDS").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    Timed {
        epoch: Instant::now(),
        sent: (0..records).map(|_| AtomicU64::new(0)).collect(),
        waits: Mutex::new(Vec::with_capacity(records)),
        handled: AtomicUsize::new(0),
        ready: Notify::new(),
        finished: Notify::new(),
    }
});

fn arrived(seq: i64) {
    let now = TIMED.epoch.elapsed().as_nanos() as u64;
    // The first one, negative, shows that the partitions are assigned.
    let Ok(seq) = usize::try_from(seq) else { return TIMED.ready.notify_one() };
    if seq >= WARM_UP {
        let wait = (now - TIMED.sent[seq].load(Relaxed)) as f64 / 1e3;
        TIMED.waits.lock().unwrap_or_else(PoisonError::into_inner).push(wait);
    }
    if TIMED.handled.fetch_add(1, Relaxed) + 1 == TIMED.sent.len() {
        TIMED.finished.notify_one();
    }
}

#[kafka_handler(topic = "${BENCH_TOPIC:-bench}", group = "${BENCH_GROUP:-bench}-latency")]
async fn timed_login(event: Envelope<UserLogin>) {
    arrived(event.data.seq);
}

#[kafka_handler(topic = "${BENCH_TOPIC:-bench}", group = "${BENCH_GROUP:-bench}-latency")]
async fn timed_action(event: Envelope<UserAction>) {
    arrived(event.data.seq);
}

pub(crate) fn run(task: &Task) -> Measured {
    let start = block_on(async {
        let narad = Narad::builder().groups([format!("{}-latency", task.group)]).build().await?;
        let sending = tokio::spawn(send(narad.clone()));
        narad.run_until(TIMED.finished.notified()).await?;
        Ok(sending.await.expect("the sender"))
    });
    let start = start.unwrap_or_else(|error: narad::Error| panic!("{error}"));
    percentiles(std::mem::take(&mut *TIMED.waits.lock().unwrap_or_else(PoisonError::into_inner)), start)
}

/// Paced on a thread of its own, which sleeps more exactly than a runtime's timer.
async fn send(narad: Narad) -> Instant {
    narad.connect().await.unwrap_or_else(|error| panic!("{error}"));
    let mut pool = pool();
    let mut publish = move |index: usize, seq: i64| {
        let events = pool.len();
        let event = &mut pool[index % events];
        event.set_seq(seq);
        narad.publish(event)
    };
    let first = publish(0, -1);
    TIMED.ready.notified().await;
    let paced = tokio::task::spawn_blocking(move || {
        let (start, mut sending) = (Instant::now(), vec![first]);
        for (index, sent) in TIMED.sent.iter().enumerate() {
            if let Some(wait) = (start + GAP * index as u32).checked_duration_since(Instant::now()) {
                std::thread::sleep(wait);
            }
            sent.store(TIMED.epoch.elapsed().as_nanos() as u64, Relaxed);
            sending.push(publish(index, index as i64));
        }
        (start, sending)
    });
    let (start, sending) = paced.await.expect("the pace");
    // By hand they are counted, and nobody is woken for each either.
    for sending in sending {
        sending.await.expect("an acknowledgement");
    }
    start
}
