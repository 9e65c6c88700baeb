//! What runs at once, and in which order.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use narad::prelude::*;

use crate::{Run, Seen, application, sightings};

#[derive(Event)]
#[event(topic = "it.hot", key = key)]
struct Hot {
    key: u32,
    number: u32,
}

static HOT: LazyLock<Mutex<HashMap<u32, Vec<u32>>>> = LazyLock::new(Mutex::default);
static AT_ONCE: AtomicU32 = AtomicU32::new(0);
static MOST_AT_ONCE: AtomicU32 = AtomicU32::new(0);

#[kafka_handler(topic = "it.hot", group = "it-hot", concurrency = 8)]
async fn hot(event: Hot, seen: State<Seen>) {
    MOST_AT_ONCE.fetch_max(AT_ONCE.fetch_add(1, SeqCst) + 1, SeqCst);
    tokio::time::sleep(Duration::from_millis(u64::from(event.number % 3))).await;
    HOT.lock().unwrap().entry(event.key).or_default().push(event.number);
    AT_ONCE.fetch_sub(1, SeqCst);
    let _ = seen.send(("hot", String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_run_at_once_and_each_keeps_its_order() {
    let (narad, mut seen) = application(&["it-hot"]).await;
    let events: Vec<_> = (0..1_000).map(|n| Hot { key: n % 20, number: n }).collect();
    narad.publish_all(&events).await.expect("acknowledgements");
    let run = Run::of(&narad);
    sightings(&mut seen, 1_000).await;
    for (key, numbers) in HOT.lock().unwrap().iter() {
        assert!(numbers.is_sorted(), "key {key}: {numbers:?}");
        assert_eq!(numbers.len(), 50);
    }
    assert!(MOST_AT_ONCE.load(SeqCst) > 4, "records of different keys run at once");
    run.stop().await.expect("a clean drain");
    assert!(seen.try_recv().is_err(), "no record twice");
}

/// How many are inside at once, and how many were at most.
struct Inside {
    now: AtomicU32,
    most: AtomicU32,
}

impl Inside {
    const fn new() -> Self {
        Self { now: AtomicU32::new(0), most: AtomicU32::new(0) }
    }

    fn enter(&self) {
        self.most.fetch_max(self.now.fetch_add(1, SeqCst) + 1, SeqCst);
    }

    fn leave(&self) {
        self.now.fetch_sub(1, SeqCst);
    }
}

static UNORDERED: Inside = Inside::new();

/// Waits until as many as there are run at once: with an order they would wait for ever.
#[kafka_handler(topic = "it.unordered", group = "it-unordered", ordering = "none", concurrency = 8)]
async fn unordered(_: Hot, seen: State<Seen>) {
    UNORDERED.enter();
    while UNORDERED.most.load(SeqCst) < 8 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    UNORDERED.leave();
    let _ = seen.send(("unordered", String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_order_records_of_one_key_run_at_once() {
    let (narad, mut seen) = application(&["it-unordered"]).await;
    for number in 0..8 {
        narad.publish_to("it.unordered", &Hot { key: 1, number }).await.expect("an acknowledgement");
    }
    let run = Run::of(&narad);
    sightings(&mut seen, 8).await;
    run.stop().await.expect("a clean drain");
}

static PARTITION: Inside = Inside::new();

#[kafka_handler(topic = "it.one-by-one", group = "it-one-by-one", ordering = "partition")]
async fn one_by_one(event: Hot, seen: State<Seen>) {
    PARTITION.enter();
    tokio::time::sleep(Duration::from_millis(2)).await;
    PARTITION.leave();
    let _ = seen.send(("one by one", event.number.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_order_of_the_partition_one_record_follows_the_other_whatever_their_keys() {
    let (narad, mut seen) = application(&["it-one-by-one"]).await;
    for number in 0..20 {
        let event = Hot { key: number, number };
        narad.event(&event).topic("it.one-by-one").partition(1).send().await.expect("an acknowledgement");
    }
    let run = Run::of(&narad);
    let all = sightings(&mut seen, 20).await;
    assert_eq!(all, (0..20).map(|number: u32| ("one by one", number.to_string())).collect::<Vec<_>>());
    assert_eq!(PARTITION.most.load(SeqCst), 1);
    run.stop().await.expect("a clean drain");
}

static THREADS: Inside = Inside::new();

/// Blocks its thread until others are inside, too.
#[kafka_handler(topic = "it.threads", group = "it-threads", concurrency = 4)]
fn on_a_thread(event: Hot, seen: State<Seen>) {
    THREADS.enter();
    while THREADS.most.load(SeqCst) < 4 {
        std::thread::sleep(Duration::from_millis(1));
    }
    THREADS.leave();
    let _ = seen.send(("thread", format!("{} {}", event.key, event.number)));
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_functions_run_on_as_many_threads_as_they_ask_for_in_the_order_of_keys() {
    let (narad, mut seen) = application(&["it-threads"]).await;
    for number in 0..40 {
        let event = Hot { key: number % 4, number };
        narad.event(&event).topic("it.threads").partition(0).send().await.expect("an acknowledgement");
    }
    let run = Run::of(&narad);
    let all = sightings(&mut seen, 40).await;
    for key in 0..4 {
        let of_key: Vec<_> = all
            .iter()
            .map(|(_, text)| text.as_str())
            .filter(|text| text.starts_with(&format!("{key} ")))
            .collect();
        let wanted: Vec<_> = (0..10).map(|round| format!("{key} {}", round * 4 + key)).collect();
        assert_eq!(of_key, wanted);
    }
    assert_eq!(THREADS.most.load(SeqCst), 4);
    run.stop().await.expect("a clean drain");
}
