//! Batches that fail as a whole, and whose records are tried one by one.

use std::collections::BTreeMap;
use std::sync::Mutex;

use narad::prelude::*;

use crate::{Run, Seen, application, sightings, until};

#[derive(Event, Debug)]
#[event(topic = "it.poisoned", type = "NUMBERED", key = key)]
struct Numbered {
    key: u32,
    number: u32,
}

const RECORDS: u32 = 500;
const KEYS: u32 = 50;
const POISON: u32 = 250;

/// Of each call the attempt, and the numbers in the batch.
static CALLS: Mutex<Vec<(u32, Vec<u32>)>> = Mutex::new(Vec::new());

#[kafka_handler(
    topic = "it.poisoned",
    group = "it-poisoned",
    batch(max = 500, wait = "60s", isolate = 2),
    retry(attempts = 4, backoff = "1ms..5ms")
)]
async fn poisoned(batch: Batch<Numbered>) -> Result<(), String> {
    let attempt = batch.contexts()[0].attempt();
    assert!(batch.contexts().iter().all(|ctx| ctx.attempt() == attempt));
    let numbers: Vec<u32> = batch.iter().map(|numbered| numbered.number).collect();
    if numbers[0].is_multiple_of(2) {
        tokio::task::yield_now().await;
    }
    let fails = numbers.contains(&POISON);
    CALLS.lock().unwrap().push((attempt, numbers));
    if fails { Err("poison".to_owned()) } else { Ok(()) }
}

#[kafka_handler(topic = "it.poisoned.it-poisoned.dlq", group = "it-poisoned-dead")]
async fn dead_poisoned(dead: Numbered, record: Record, seen: State<Seen>) {
    let attempts = String::from_utf8_lossy(record.header("narad-dlq-attempts").unwrap_or_default());
    let _ = seen.send(("dead", format!("{} after {attempts}", dead.number)));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_poison_record_among_500_is_found_and_the_others_are_handled_once_more_at_most() {
    let (narad, mut seen) = application(&["it-poisoned", "it-poisoned-dead"]).await;
    let sent: Vec<_> = (0..RECORDS)
        .map(|number| narad.event(&Numbered { key: number % KEYS, number }).partition(0).send())
        .collect();
    for sent in sent {
        sent.await.expect("an acknowledgement");
    }
    let run = Run::of(&narad);
    assert_eq!(sightings(&mut seen, 1).await, [("dead", format!("{POISON} after 4"))]);
    let view = || narad.handlers().into_iter().find(|view| view.name == "poisoned").expect("a handler");
    until("all others are handled", || view().settled().done == u64::from(RECORDS) - 1).await;
    run.stop().await.expect("a clean drain");
    assert!(seen.try_recv().is_err(), "no other is dead");
    let calls = CALLS.lock().unwrap();
    let whole: Vec<u32> = (0..RECORDS).collect();
    assert_eq!(calls[..2], [(1, whole.clone()), (2, whole)]);
    let mut of_each: BTreeMap<u32, Vec<(usize, u32)>> = BTreeMap::new();
    for (place, (attempt, numbers)) in calls.iter().enumerate().skip(2) {
        let [number] = numbers[..] else { panic!("{numbers:?} are not alone") };
        of_each.entry(number).or_default().push((place, *attempt));
    }
    let attempts = |of: &[(usize, u32)]| of.iter().map(|(_, attempt)| *attempt).collect::<Vec<_>>();
    let given_up = of_each[&POISON].last().expect("an attempt").0;
    for number in 0..RECORDS {
        let expected = if number == POISON { vec![3, 4] } else { vec![3] };
        assert_eq!(attempts(&of_each[&number]), expected, "{number}");
        let is_behind = number > POISON && number % KEYS == POISON % KEYS;
        assert!(!is_behind || of_each[&number][0].0 > given_up, "{number} overtakes one of its key");
    }
    let in_order = of_each.iter().filter(|(number, _)| **number % KEYS != POISON % KEYS);
    assert!(in_order.map(|(_, of)| of[0].0).is_sorted(), "{calls:?}");
}

#[derive(Event, Debug)]
#[event(topic = "it.breaking", type = "BREAKING", key = how)]
struct Breaking {
    how: String,
}

/// Without an outcome of its own: it panics, or takes too long.
#[kafka_handler(
    topic = "it.breaking",
    group = "it-breaking",
    batch(max = 4, wait = "60s", isolate = 1),
    retry(attempts = 2, backoff = "1ms..5ms"),
    timeout = "500ms",
    ordering = "partition"
)]
async fn breaking(batch: Batch<Option<Breaking>>, ctx: Context, seen: State<Seen>) {
    for how in batch.iter().flatten().map(|breaking| breaking.how.as_str()) {
        match how {
            "panics" => panic!("as it asks"),
            "hangs" => std::future::pending::<()>().await,
            _ => {}
        }
    }
    let what = batch.iter().map(|breaking| breaking.as_ref().map_or("nothing", |breaking| &breaking.how));
    let _ = seen.send(("handled", format!("{} {}", ctx.attempt(), what.collect::<Vec<_>>().join(", "))));
}

#[kafka_handler(topic = "it.breaking.it-breaking.dlq", group = "it-breaking-dead")]
async fn dead_breaking(record: Record, seen: State<Seen>) {
    let error = String::from_utf8_lossy(record.header("narad-dlq-error").unwrap_or_default());
    let _ = seen.send(("dead", error.into_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_a_batch_that_panics_or_takes_too_long_are_tried_one_by_one_tombstones_too() {
    let (narad, mut seen) = application(&["it-breaking", "it-breaking-dead"]).await;
    let run = Run::of(&narad);
    for (how, error) in
        [("panics", "panicked: as it asks"), ("hangs", "no result within its timeout of 500ms")]
    {
        let first = narad.event(&Breaking { how: "a".into() }).send().await.expect("an acknowledgement");
        let partition = first.partition().expect("a partition");
        for how in [how, "b"] {
            let breaking = Breaking { how: how.into() };
            narad.event(&breaking).partition(partition).send().await.expect("an acknowledgement");
        }
        narad.tombstone("it.breaking", "a").await.expect("an acknowledgement");
        let mut all = sightings(&mut seen, 4).await;
        let dead: Vec<_> = all.extract_if(.., |(what, _)| *what == "dead").map(|(_, error)| error).collect();
        assert_eq!(dead, [error]);
        let handled: Vec<_> = all.iter().map(|(_, what)| what.as_str()).collect();
        assert_eq!(handled, ["2 a", "2 b", "2 nothing"]);
    }
    run.stop().await.expect("a clean drain");
    assert!(seen.try_recv().is_err(), "nothing twice");
}
