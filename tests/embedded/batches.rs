//! Batches: an outcome for each record.

use std::sync::{LazyLock, Mutex};

use narad::BatchOutcome;
use narad::prelude::*;

use crate::{Run, Seen, application, sightings};

#[derive(Event, Debug)]
#[event(topic = "it.batches", type = "PIECE", key = key)]
struct Piece {
    key: String,
    number: u32,
}

type Pieces = Vec<(String, u32)>;

/// What each batch held, and of which attempt its first record was.
static BATCHES: LazyLock<Mutex<Vec<(u32, Pieces)>>> = LazyLock::new(Mutex::default);

#[kafka_handler(
    topic = "it.batches",
    group = "it-batches",
    batch(max = 100, wait = "1s"),
    retry(attempts = 3, backoff = "1ms..5ms")
)]
async fn pieces(batch: Batch<Piece>, ctx: Context, seen: State<Seen>) -> Result<BatchOutcome, String> {
    BATCHES
        .lock()
        .unwrap()
        .push((ctx.attempt(), batch.iter().map(|piece| (piece.key.clone(), piece.number)).collect()));
    let outcome = |piece: Piece| {
        match (piece.key.as_str(), piece.number) {
            // Mended by its second attempt; what is behind it would be done at once.
            ("mends", 0) if ctx.attempt() == 1 => return Outcome::retry("not yet"),
            ("bad", 0) => return Outcome::retry("never"),
            ("dropped", _) => return Outcome::skip("nobody needs it"),
            _ => {}
        }
        let _ = seen.send(("piece", format!("{} {}", piece.key, piece.number)));
        Outcome::done()
    };
    Ok(batch.into_iter().map(outcome).collect())
}

#[kafka_handler(topic = "it.batches.it-batches.dlq", group = "it-batches-dead")]
async fn dead_piece(record: Record, seen: State<Seen>) {
    let header = |name: &str| String::from_utf8_lossy(record.header(name).unwrap_or_default()).into_owned();
    let _ = seen.send(("dead", format!("{} {}", header("narad-dlq-attempts"), header("narad-dlq-error"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_fails_in_a_batch_costs_no_other_and_its_key_keeps_its_order() {
    let (narad, mut seen) = application(&["it-batches", "it-batches-dead"]).await;
    for (key, number) in [
        ("good", 0),
        ("mends", 0),
        ("mends", 1),
        ("bad", 0),
        ("good", 1),
        ("bad", 1),
        ("dropped", 0),
        ("mends", 2),
    ] {
        // Of one partition, so that they make a batch.
        narad
            .event(&Piece { key: key.into(), number })
            .partition(0)
            .send()
            .await
            .expect("an acknowledgement");
    }
    // It does not fit: the handler gets the others without it.
    let unfit = narad::serde_json::json!({"type": "PIECE", "key": 1});
    narad.message("it.batches", unfit).key("good").partition(0).send().await.expect("an acknowledgement");
    let run = Run::of(&narad);
    // Two dead letters; of the pieces, those that are held back are seen twice.
    let mut all = sightings(&mut seen, 11).await;
    let dead: Vec<_> = all.extract_if(.., |(what, _)| *what == "dead").map(|(_, text)| text).collect();
    assert!(dead.iter().any(|text| text == "3 never"), "{dead:?}");
    assert_eq!(dead.len(), 2, "{dead:?}");
    let batches = BATCHES.lock().unwrap().clone();
    let tries = |key: &str, number: u32| {
        let holds = |pieces: &[(String, u32)]| pieces.iter().any(|(k, n)| k == key && *n == number);
        batches
            .iter()
            .enumerate()
            .filter(|(_, (_, pieces))| holds(pieces))
            .map(|(place, (attempt, _))| (place, *attempt))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (tries("good", 0).len(), tries("good", 1).len(), tries("dropped", 0).len()),
        (1, 1, 1),
        "{batches:?}"
    );
    assert_eq!(
        tries("bad", 0).iter().map(|(_, attempt)| *attempt).collect::<Vec<_>>(),
        [1, 2, 3],
        "{batches:?}"
    );
    assert_eq!(
        tries("mends", 0).iter().map(|(_, attempt)| *attempt).collect::<Vec<_>>(),
        [1, 2],
        "{batches:?}"
    );
    // What is behind a record that is tried again comes after it.
    for (before, behind) in
        [(("mends", 0), ("mends", 1)), (("mends", 0), ("mends", 2)), (("bad", 0), ("bad", 1))]
    {
        let (before, behind) = (tries(before.0, before.1), tries(behind.0, behind.1));
        assert_eq!((behind.len(), behind[1].1), (2, 1), "{batches:?}");
        assert!(behind[1].0 > before.last().unwrap().0, "{batches:?}");
    }
    run.stop().await.expect("a clean drain");
    assert!(seen.try_recv().is_err(), "nothing twice");
}

#[derive(Event, Debug)]
#[event(topic = "it.miscounted", type = "MISCOUNTED", key = key)]
struct Miscounted {
    key: String,
}

#[kafka_handler(
    topic = "it.miscounted",
    group = "it-miscounted",
    batch(max = 2, wait = "10s"),
    retry(attempts = 2, backoff = "1ms..5ms")
)]
async fn miscounted(_batch: Batch<Miscounted>) -> BatchOutcome {
    [Outcome::done()].into_iter().collect()
}

#[kafka_handler(topic = "it.miscounted.it-miscounted.dlq", group = "it-miscounted-dead")]
async fn dead_miscounted(record: Record, seen: State<Seen>) {
    let _ = seen.send((
        "dead",
        String::from_utf8_lossy(record.header("narad-dlq-error").unwrap_or_default()).into_owned(),
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_that_do_not_fit_the_batch_lose_nothing() {
    let (narad, mut seen) = application(&["it-miscounted", "it-miscounted-dead"]).await;
    for key in ["one", "two"] {
        narad.event(&Miscounted { key: key.into() }).partition(0).send().await.expect("an acknowledgement");
    }
    let run = Run::of(&narad);
    let dead = sightings(&mut seen, 2).await;
    let text = "the handler returned 1 outcomes for a batch of 2: return one for each record, in order";
    assert_eq!(dead, [("dead", text.to_owned()), ("dead", text.to_owned())]);
    run.stop().await.expect("a clean drain");
}
