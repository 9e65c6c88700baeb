//! Events beside what becomes of each record of a batch.

use narad::prelude::*;
use narad::{BatchOutcome, Publish};

use crate::{Run, Seen, application, sorted};

#[derive(Event, Debug)]
#[event(topic = "it.batch-asked", type = "ASKED", key = key)]
struct Asked {
    key: String,
    how: String,
}

#[derive(Event, Debug)]
#[event(topic = "it.batch-told", type = "TOLD", key = key)]
struct Told {
    key: String,
}

#[kafka_handler(
    topic = "it.batch-asked",
    group = "it-batch-asked",
    batch(max = 5, wait = "60s"),
    retry(attempts = 2, backoff = "1ms..5ms")
)]
async fn asked(batch: Batch<Asked>, ctx: Context) -> Result<(BatchOutcome, Vec<Publish<Told>>), String> {
    let (mut outcome, mut told) = (BatchOutcome::done(), Vec::new());
    for (place, Asked { key, how }) in batch.into_iter().enumerate() {
        let event = Told { key };
        match how.as_str() {
            "fails" => outcome.set(place, Outcome::retry("as it asks")),
            "fails once" if ctx.attempt() == 1 => outcome.set(place, "not yet"),
            "skipped" => outcome.set(place, Outcome::skip("as it asks")),
            "illegal" => told.push(Publish::to("no topic's name", event)),
            "nowhere" => told.push(Publish::of(event).partition(99)),
            _ => told.push(Publish::of(event)),
        }
    }
    Ok((outcome, told))
}

#[kafka_handler(topic = "it.batch-told", group = "it-batch-told", concurrency = 1)]
async fn told(told: Told, seen: State<Seen>) {
    let _ = seen.send(("told", told.key));
}

#[kafka_handler(topic = "it.batch-asked.it-batch-asked.dlq", group = "it-batch-told")]
async fn dead_asked(asked: Asked, record: Record, seen: State<Seen>) {
    let attempts = String::from_utf8_lossy(record.header("narad-dlq-attempts").unwrap_or_default());
    let _ = seen.send(("dead", format!("{} after {attempts}", asked.key)));
}

/// Sends them to one partition, so that they make a batch.
async fn ask(narad: &narad::Narad, asked: [(&str, &str); 5]) {
    for (key, how) in asked {
        let asked = Asked { key: key.into(), how: how.into() };
        narad.event(&asked).partition(0).send().await.expect("an acknowledgement");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_batch_are_published_and_each_record_has_its_own_fate() {
    let (narad, mut seen) = application(&["it-batch-asked", "it-batch-told"]).await;
    let run = Run::of(&narad);
    ask(&narad, [("a", ""), ("b", "fails once"), ("c", "skipped"), ("d", "fails"), ("e", "")]).await;
    let whole = ["dead d after 2", "told a", "told b", "told e"];
    let shown = |all: Vec<(&str, String)>| {
        all.iter().map(|(what, text)| format!("{what} {text}")).collect::<Vec<_>>()
    };
    assert_eq!(shown(sorted(&mut seen, 4).await), whole);
    // What can never be published costs those records that are done, and no other.
    for how in ["illegal", "nowhere"] {
        ask(&narad, [("f", how), ("g", "fails once"), ("h", "skipped"), ("i", "fails"), ("j", "skipped")])
            .await;
        let whole = ["dead f after 1", "dead i after 2", "told g"];
        assert_eq!(shown(sorted(&mut seen, 3).await), whole, "{how}");
    }
    run.stop().await.expect("a clean drain");
    assert!(seen.try_recv().is_err(), "nothing twice");
}

#[derive(Event, Debug)]
#[event(topic = "it.addends", type = "ADDEND", key = key)]
struct Addend {
    key: String,
}

#[derive(Event, Debug)]
#[event(topic = "it.summed", type = "SUMMED", key = key)]
struct Summed {
    key: String,
}

/// All are done, of which it says nothing more than that.
#[kafka_handler(topic = "it.addends", group = "it-addends", batch(max = 2, wait = "60s"))]
async fn added(batch: Batch<Addend>) -> (BatchOutcome, Summed) {
    let keys: Vec<String> = batch.iter().map(|addend| addend.key.clone()).collect();
    (batch.iter().map(|_| Outcome::done()).collect(), Summed { key: keys.join(" and ") })
}

/// One record has one place.
#[kafka_handler(topic = "it.addends", group = "it-addends-alone", retry(attempts = 2, backoff = "1ms..5ms"))]
async fn added_alone(addend: Addend, ctx: Context) -> (BatchOutcome, Option<Summed>) {
    let mut outcome = BatchOutcome::done();
    if ctx.attempt() == 1 {
        outcome.set(0, "not yet");
    }
    (outcome, (ctx.attempt() == 2).then(|| Summed { key: format!("{} alone", addend.key) }))
}

#[kafka_handler(topic = "it.summed", group = "it-summed")]
async fn summed(summed: Summed, seen: State<Seen>) {
    let _ = seen.send(("summed", summed.key));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_batch_in_which_all_is_done_and_of_a_single_record_are_published_too() {
    let (narad, mut seen) = application(&["it-addends", "it-addends-alone", "it-summed"]).await;
    for key in ["x", "y"] {
        narad.event(&Addend { key: key.into() }).partition(0).send().await.expect("an acknowledgement");
    }
    let run = Run::of(&narad);
    let summed: Vec<_> = sorted(&mut seen, 3).await.into_iter().map(|(_, key)| key).collect();
    assert_eq!(summed, ["x alone", "x and y", "y alone"]);
    run.stop().await.expect("a clean drain");
}
