//! Two handlers of one record.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use narad::prelude::*;

use crate::{Run, Seen, application, sightings, sorted};

#[derive(Event)]
#[event(topic = "it.pair", key = key)]
struct Pair {
    key: String,
}

static MENDED: AtomicBool = AtomicBool::new(false);

#[kafka_handler(topic = "it.pair", group = "it-pair")]
async fn first_of_the_pair(event: Pair, seen: State<Seen>) {
    let _ = seen.send(("first", event.key));
}

#[kafka_handler(topic = "it.pair", group = "it-pair", retry(attempts = 1000, backoff = "1h..1h"))]
async fn second_of_the_pair(event: Pair, seen: State<Seen>) -> Result<(), &'static str> {
    if event.key == "fails" && !MENDED.load(SeqCst) {
        let _ = seen.send(("failed", event.key));
        return Err("not yet");
    }
    let _ = seen.send(("second", event.key));
    Ok(())
}

/// As `docs/delivery.md` has it: a stop does not wait for a backoff, and a record is finished when all of its
/// handlers are through.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_one_of_two_handlers_waits_repeats_both_for_that_record_and_no_other() {
    let (narad, mut seen) = application(&["it-pair"]).await;
    for key in ["fails", "good"] {
        narad.event(&Pair { key: key.into() }).partition(0).send().await.expect("an acknowledgement");
    }
    let run = Run::of(&narad);
    let place = |what: &'static str, key: &str| (what, key.to_owned());
    let both =
        [place("failed", "fails"), place("first", "fails"), place("first", "good"), place("second", "good")];
    assert_eq!(sorted(&mut seen, 4).await, both);
    run.ended_after_stop().await.expect("nothing is in flight, and nothing that is finished is owed");
    drop(narad);

    MENDED.store(true, SeqCst);
    let (narad, mut seen) = application(&["it-pair"]).await;
    let run = Run::of(&narad);
    assert_eq!(sorted(&mut seen, 2).await, [place("first", "fails"), place("second", "fails")]);
    narad.event(&Pair { key: "last".into() }).partition(0).send().await.expect("an acknowledgement");
    assert!(sightings(&mut seen, 2).await.iter().all(|(_, key)| key == "last"), "nothing else is repeated");
    run.stop().await.expect("a clean drain");
}
