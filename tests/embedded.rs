//! The application on the embedded broker: no Kafka, no Java.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use narad::prelude::*;
use narad::{BatchOutcome, Config, Error, Narad};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

#[derive(Event, Debug, Clone)]
#[event(topic = "it.orders", type = "ORDER_CREATED", key = customer)]
struct OrderCreated {
    customer: String,
    number: u64,
}

#[derive(Event, Debug, Clone)]
#[event(topic = "it.orders", type = "ORDER_PAID", key = customer)]
struct OrderPaid {
    customer: String,
}

/// What a handler saw, for the test that waits for it.
type Seen = UnboundedSender<(&'static str, String)>;

#[kafka_handler(topic = "it.orders", group = "it-dispatch")]
async fn created(order: OrderCreated, seen: State<Seen>) {
    let _ = seen.send(("created", format!("{} {}", order.customer, order.number)));
}

#[kafka_handler(topic = "it.orders", group = "it-dispatch")]
fn created_on_a_thread(order: OrderCreated, seen: State<Seen>) {
    let _ = seen.send(("thread", order.customer));
}

#[kafka_handler(topic = "it.orders", group = "it-dispatch")]
async fn paid(order: Envelope<OrderPaid>, seen: State<Seen>) {
    let _ = seen.send(("paid", format!("{} {}", order.data.customer, order.r#type.unwrap_or_default())));
}

#[kafka_handler(topic = "it.orders", group = "it-dispatch", default)]
async fn rest(record: Record, seen: State<Seen>) {
    let _ = seen.send(("rest", String::from_utf8_lossy(record.payload().unwrap_or_default()).into_owned()));
}

#[derive(Event, Debug)]
#[event(topic = "it.failing", key = key)]
struct Work {
    key: String,
    number: u32,
}

static ATTEMPTS: LazyLock<Mutex<HashMap<(String, u32), u32>>> = LazyLock::new(Mutex::default);

#[kafka_handler(topic = "it.failing", group = "it-failing", retry(attempts = 3, backoff = "1ms..5ms"))]
async fn work(work: Work, ctx: Context, seen: State<Seen>) -> Result<(), String> {
    *ATTEMPTS.lock().unwrap().entry((work.key.clone(), work.number)).or_default() += 1;
    tokio::time::sleep(Duration::from_millis(1)).await;
    if work.key == "bad" {
        return Err(format!("attempt {} failed", ctx.attempt()));
    }
    assert!(work.key != "panics", "the handler panics");
    let _ = seen.send(("worked", format!("{} {}", work.key, work.number)));
    Ok(())
}

#[kafka_handler(topic = "it.failing.it-failing.dlq", group = "it-dead-letters")]
async fn dead_letter(record: Record, seen: State<Seen>) {
    let header = |name: &str| String::from_utf8_lossy(record.header(name).unwrap_or_default()).into_owned();
    let text = format!(
        "{} {} {} {}",
        String::from_utf8_lossy(record.key().unwrap_or_default()),
        header("narad-dlq-attempts"),
        header("narad-dlq-handler"),
        header("narad-dlq-topic")
    );
    let _ = seen.send(("dead", text));
}

fn config() -> Config {
    let mut config = Config::default().or_embedded();
    config.commit_interval = Duration::from_millis(50);
    config
}

/// Waits for so many sightings; what a test waits for comes, or the test fails after a generous time.
async fn sightings(seen: &mut UnboundedReceiver<(&'static str, String)>, count: usize) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    while all.len() < count {
        match tokio::time::timeout(Duration::from_secs(60), seen.recv()).await {
            Ok(Some(sighting)) => all.push(sighting),
            _ => panic!("only {all:?}"),
        }
    }
    all
}

async fn application(groups: &[&str]) -> (Narad, UnboundedReceiver<(&'static str, String)>) {
    let (seen, sighted) = unbounded_channel();
    let narad = Narad::builder().config(config()).groups(groups).state::<Seen>(seen).build().await.expect("an application");
    (narad, sighted)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_record_goes_to_every_handler_of_its_type_and_the_rest_to_the_default() {
    let (narad, mut seen) = application(&["it-dispatch"]).await;
    narad.publish(&OrderCreated { customer: "ada".into(), number: 7 }).await.expect("an acknowledgement");
    narad.publish(&OrderPaid { customer: "grace".into() }).await.expect("an acknowledgement");
    narad.send("it.orders", narad::serde_json::json!({"type": "OTHER", "x": 1})).await.expect("an acknowledgement");
    let running = narad.clone();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let run = tokio::spawn(async move { running.run_until(async { drop(stopped.await) }).await });
    let mut all = sightings(&mut seen, 4).await;
    all.sort();
    assert_eq!(
        all,
        [
            ("created", "ada 7".to_owned()),
            ("paid", "grace ORDER_PAID".to_owned()),
            ("rest", r#"{"type":"OTHER","x":1}"#.to_owned()),
            ("thread", "ada".to_owned()),
        ]
    );
    stop.send(()).expect("a running application");
    run.await.expect("no panic").expect("a clean drain");
    assert!(matches!(narad.publish(&OrderPaid { customer: "late".into() }).await, Err(Error::NotConnected)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_key_is_dead_lettered_after_its_attempts_and_the_others_keep_their_order() {
    let (narad, mut seen) = application(&["it-failing", "it-dead-letters"]).await;
    for number in 0..20 {
        narad.publish(&Work { key: "good".into(), number }).await.expect("an acknowledgement");
        if number % 10 == 0 {
            narad.publish(&Work { key: "bad".into(), number }).await.expect("an acknowledgement");
            narad.publish(&Work { key: "panics".into(), number }).await.expect("an acknowledgement");
        }
    }
    narad.message("it.failing", 5).key("garbage").send().await.expect("an acknowledgement");
    let running = narad.clone();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let run = tokio::spawn(async move { running.run_until(async { drop(stopped.await) }).await });
    let all = sightings(&mut seen, 25).await;
    let good: Vec<_> = all.iter().filter(|(what, _)| *what == "worked").map(|(_, text)| text.clone()).collect();
    assert_eq!(good, (0..20).map(|number| format!("good {number}")).collect::<Vec<_>>());
    let mut dead: Vec<_> = all.iter().filter(|(what, _)| *what == "dead").map(|(_, text)| text.as_str()).collect();
    dead.sort_unstable();
    assert_eq!(
        dead,
        ["bad 3 work it.failing", "bad 3 work it.failing", "garbage 1  it.failing", "panics 3 work it.failing", "panics 3 work it.failing"]
    );
    {
        let attempts = ATTEMPTS.lock().unwrap();
        assert_eq!(attempts[&("bad".to_owned(), 0)], 3);
        assert_eq!(attempts[&("good".to_owned(), 0)], 1);
    }
    stop.send(()).expect("a running application");
    run.await.expect("no panic").expect("a clean drain");
}

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
    let running = narad.clone();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let run = tokio::spawn(async move { running.run_until(async { drop(stopped.await) }).await });
    sightings(&mut seen, 1_000).await;
    for (key, numbers) in HOT.lock().unwrap().iter() {
        assert!(numbers.is_sorted(), "key {key}: {numbers:?}");
        assert_eq!(numbers.len(), 50);
    }
    assert!(MOST_AT_ONCE.load(SeqCst) > 4, "records of different keys run at once");
    stop.send(()).expect("a running application");
    run.await.expect("no panic").expect("a clean drain");
    assert!(seen.try_recv().is_err(), "no record twice");
}

#[derive(Event, Debug)]
#[event(topic = "it.batches", type = "PIECE", key = key)]
struct Piece {
    key: String,
    number: u32,
}

type Pieces = Vec<(String, u32)>;

/// What each batch held, and of which attempt its first record was.
static BATCHES: LazyLock<Mutex<Vec<(u32, Pieces)>>> = LazyLock::new(Mutex::default);

#[kafka_handler(topic = "it.batches", group = "it-batches", batch(max = 100, wait = "1s"), retry(attempts = 3, backoff = "1ms..5ms"))]
async fn pieces(batch: Batch<Piece>, ctx: Context, seen: State<Seen>) -> Result<BatchOutcome, String> {
    BATCHES.lock().unwrap().push((ctx.attempt(), batch.iter().map(|piece| (piece.key.clone(), piece.number)).collect()));
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
    for (key, number) in [("good", 0), ("mends", 0), ("mends", 1), ("bad", 0), ("good", 1), ("bad", 1), ("dropped", 0), ("mends", 2)] {
        // Of one partition, so that they make a batch.
        narad.event(&Piece { key: key.into(), number }).partition(0).send().await.expect("an acknowledgement");
    }
    // It does not fit: the handler gets the others without it.
    let unfit = narad::serde_json::json!({"type": "PIECE", "key": 1});
    narad.message("it.batches", unfit).key("good").partition(0).send().await.expect("an acknowledgement");
    let running = narad.clone();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let run = tokio::spawn(async move { running.run_until(async { drop(stopped.await) }).await });
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
    assert_eq!((tries("good", 0).len(), tries("good", 1).len(), tries("dropped", 0).len()), (1, 1, 1), "{batches:?}");
    assert_eq!(tries("bad", 0).iter().map(|(_, attempt)| *attempt).collect::<Vec<_>>(), [1, 2, 3], "{batches:?}");
    assert_eq!(tries("mends", 0).iter().map(|(_, attempt)| *attempt).collect::<Vec<_>>(), [1, 2], "{batches:?}");
    // What is behind a record that is tried again comes after it.
    for (before, behind) in [(("mends", 0), ("mends", 1)), (("mends", 0), ("mends", 2)), (("bad", 0), ("bad", 1))] {
        let (before, behind) = (tries(before.0, before.1), tries(behind.0, behind.1));
        assert_eq!((behind.len(), behind[1].1), (2, 1), "{batches:?}");
        assert!(behind[1].0 > before.last().unwrap().0, "{batches:?}");
    }
    stop.send(()).expect("a running application");
    run.await.expect("no panic").expect("a clean drain");
    assert!(seen.try_recv().is_err(), "nothing twice");
}

#[derive(Event, Debug)]
#[event(topic = "it.miscounted", type = "MISCOUNTED", key = key)]
struct Miscounted {
    key: String,
}

#[kafka_handler(topic = "it.miscounted", group = "it-miscounted", batch(max = 2, wait = "10s"), retry(attempts = 2, backoff = "1ms..5ms"))]
async fn miscounted(_batch: Batch<Miscounted>) -> BatchOutcome {
    [Outcome::done()].into_iter().collect()
}

#[kafka_handler(topic = "it.miscounted.it-miscounted.dlq", group = "it-miscounted-dead")]
async fn dead_miscounted(record: Record, seen: State<Seen>) {
    let _ = seen.send(("dead", String::from_utf8_lossy(record.header("narad-dlq-error").unwrap_or_default()).into_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_that_do_not_fit_the_batch_lose_nothing() {
    let (narad, mut seen) = application(&["it-miscounted", "it-miscounted-dead"]).await;
    for key in ["one", "two"] {
        narad.event(&Miscounted { key: key.into() }).partition(0).send().await.expect("an acknowledgement");
    }
    let running = narad.clone();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let run = tokio::spawn(async move { running.run_until(async { drop(stopped.await) }).await });
    let dead = sightings(&mut seen, 2).await;
    let text = "the handler returned 1 outcomes for a batch of 2: return one for each record, in order";
    assert_eq!(dead, [("dead", text.to_owned()), ("dead", text.to_owned())]);
    stop.send(()).expect("a running application");
    run.await.expect("no panic").expect("a clean drain");
}

#[derive(Event)]
#[event(topic = "it.shared", type = "SHARED")]
struct Shared {}

static SECOND_ATTEMPT: LazyLock<tokio::sync::Notify> = LazyLock::new(Default::default);

#[kafka_handler(topic = "it.shared", group = "it-shared", ordering = "partition", retry(attempts = 2, backoff = "1ms..5ms"))]
async fn fails_once(_event: Shared, ctx: Context) -> Result<(), &'static str> {
    if ctx.attempt() == 1 {
        return Err("the first attempt fails");
    }
    SECOND_ATTEMPT.notify_one();
    Ok(())
}

#[kafka_handler(topic = "it.shared", group = "it-shared")]
async fn waits_for_the_other(_event: Shared, seen: State<Seen>) {
    SECOND_ATTEMPT.notified().await;
    let _ = seen.send(("shared", String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_is_tried_again_while_another_one_is_still_at_the_record() {
    let (narad, mut seen) = application(&["it-shared"]).await;
    narad.publish(&Shared {}).await.expect("an acknowledgement");
    let running = narad.clone();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let run = tokio::spawn(async move { running.run_until(async { drop(stopped.await) }).await });
    sightings(&mut seen, 1).await;
    stop.send(()).expect("a running application");
    run.await.expect("no panic").expect("a clean drain");
}

#[derive(Event)]
#[event(topic = "it.off", type = "OFF", key = key)]
struct Off {
    key: String,
    number: u32,
}

#[kafka_handler(topic = "it.off", group = "it-off", concurrency = 1, dead_letter = off)]
async fn keeps_what_does_not_fit(event: Off, seen: State<Seen>) {
    let _ = seen.send(("off", format!("{} {}", event.key, event.number)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_waits_without_a_dead_letter_takes_no_place_of_others() {
    let (narad, mut seen) = application(&["it-off"]).await;
    let unfit = narad::serde_json::json!({"type": "OFF", "key": "bad"});
    narad.message("it.off", unfit).key("bad").partition(0).send().await.expect("an acknowledgement");
    for number in 0..2 {
        narad.event(&Off { key: "good".into(), number }).partition(0).send().await.expect("an acknowledgement");
    }
    let running = narad.clone();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let run = tokio::spawn(async move { running.run_until(async { drop(stopped.await) }).await });
    assert_eq!(sightings(&mut seen, 2).await, [("off", "good 0".to_owned()), ("off", "good 1".to_owned())]);
    assert!(narad.health().to_string().contains(r#""blocked":1"#), "{}", narad.health());
    stop.send(()).expect("a running application");
    run.await.expect("no panic").expect("a clean drain");
}
