//! What becomes of a record whose handler fails.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use narad::Error;
use narad::prelude::*;

use crate::{Run, Seen, application, sightings, sorted};

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
    let run = Run::of(&narad);
    let all = sightings(&mut seen, 25).await;
    let good: Vec<_> =
        all.iter().filter(|(what, _)| *what == "worked").map(|(_, text)| text.clone()).collect();
    assert_eq!(good, (0..20).map(|number| format!("good {number}")).collect::<Vec<_>>());
    let mut dead: Vec<_> =
        all.iter().filter(|(what, _)| *what == "dead").map(|(_, text)| text.as_str()).collect();
    dead.sort_unstable();
    assert_eq!(
        dead,
        [
            "bad 3 work it.failing",
            "bad 3 work it.failing",
            "garbage 1  it.failing",
            "panics 3 work it.failing",
            "panics 3 work it.failing"
        ]
    );
    {
        let attempts = ATTEMPTS.lock().unwrap();
        assert_eq!(attempts[&("bad".to_owned(), 0)], 3);
        assert_eq!(attempts[&("good".to_owned(), 0)], 1);
    }
    run.stop().await.expect("a clean drain");
}

/// A key with what is asked of its handler.
#[derive(Event, Debug)]
#[event(topic = "it.asks", key = key)]
struct Ask {
    key: String,
    asks: String,
}

fn ask(key: &str, asks: &str) -> Ask {
    Ask { key: key.into(), asks: asks.into() }
}

#[kafka_handler(topic = "it.asks", group = "it-outcomes", retry(attempts = 3, backoff = "1ms..5ms"))]
async fn answer(ask: Ask, ctx: Context, seen: State<Seen>) -> Outcome {
    let _ = seen.send(("answer", format!("{} {}", ask.asks, ctx.attempt())));
    match ask.asks.as_str() {
        "retry after" if ctx.attempt() == 1 => Outcome::retry_after("not yet", Duration::from_millis(300)),
        "retry" if ctx.attempt() < 3 => Outcome::retry("not yet"),
        "dead letter" => Outcome::dead_letter("never"),
        "skip" => Outcome::skip("no need"),
        _ => Outcome::done(),
    }
}

#[kafka_handler(topic = "it.asks.it-outcomes.dlq", group = "it-outcomes-dead")]
async fn dead_answer(ask: Ask, record: Record, seen: State<Seen>) {
    let header = |name: &str| String::from_utf8_lossy(record.header(name).unwrap_or_default()).into_owned();
    let _ = seen.send((
        "dead",
        format!("{} {} {}", ask.asks, header("narad-dlq-attempts"), header("narad-dlq-error")),
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_outcome_does_what_it_says() {
    let (narad, mut seen) = application(&["it-outcomes", "it-outcomes-dead"]).await;
    for asks in ["retry after", "retry", "dead letter", "skip", "nothing"] {
        narad.publish(&ask(asks, asks)).await.expect("an acknowledgement");
    }
    let begun = Instant::now();
    let run = Run::of(&narad);
    let of = |text: &str| ("answer", text.to_owned());
    assert_eq!(
        sorted(&mut seen, 9).await,
        [
            of("dead letter 1"),
            of("nothing 1"),
            of("retry 1"),
            of("retry 2"),
            of("retry 3"),
            of("retry after 1"),
            of("retry after 2"),
            of("skip 1"),
            ("dead", "dead letter 1 never".to_owned()),
        ]
    );
    assert!(begun.elapsed() >= Duration::from_millis(300), "the wait that was asked for");
    run.stop().await.expect("a clean drain");
    assert!(seen.try_recv().is_err(), "nothing is done twice");
}

#[derive(Event, Debug)]
#[event(topic = "it.halts", key = key)]
struct Halting {
    key: u32,
}

static LICENCE: Mutex<bool> = Mutex::new(false);

#[kafka_handler(topic = "it.halts", group = "it-halts")]
async fn halting(event: Halting, seen: State<Seen>) -> Result<(), Outcome> {
    if event.key == 2 && !*LICENCE.lock().unwrap() {
        return Err(Outcome::halt("no licence"));
    }
    let _ = seen.send(("handled", event.key.to_string()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halt_ends_the_application_and_nothing_is_committed_past_its_record() {
    let (narad, mut seen) = application(&["it-halts"]).await;
    let one_partition = |key| narad.event(&Halting { key }).partition(0).send();
    for key in 1..=3 {
        one_partition(key).await.expect("an acknowledgement");
    }
    let ended = Run::of(&narad).ended().await;
    assert!(matches!(ended, Err(Error::Halted)), "{ended:?}");
    assert_eq!(seen.try_recv().ok(), Some(("handled", "1".to_owned())));
    while seen.try_recv().is_ok() {}
    *LICENCE.lock().unwrap() = true;
    let (narad, mut seen) = application(&["it-halts"]).await;
    let run = Run::of(&narad);
    let first = sightings(&mut seen, 1).await;
    assert_eq!(first, [("handled", "2".to_owned())], "the record that halted comes again");
    run.stop().await.expect("a clean drain");
}

#[kafka_handler(topic = "it.stays", group = "it-stays", dead_letter = off, retry(attempts = 2, backoff = "1ms..10ms"))]
async fn never_given_up(work: Work, ctx: Context, seen: State<Seen>) -> Result<(), String> {
    if work.key == "bad" && ctx.attempt() < 8 {
        return Err("not yet".into());
    }
    let _ = seen.send(("worked", format!("{} {} {}", work.key, work.number, ctx.attempt())));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_dead_letter_a_record_is_tried_until_it_works_and_only_its_key_waits() {
    let (narad, mut seen) = application(&["it-stays"]).await;
    for (key, number) in [("bad", 0), ("bad", 1), ("good", 0)] {
        narad.publish_to("it.stays", &Work { key: key.into(), number }).await.expect("an acknowledgement");
    }
    let run = Run::of(&narad);
    let mut all = sightings(&mut seen, 3).await;
    let good = all.iter().position(|(_, text)| text == "good 0 1").expect("the other key works");
    all.remove(good);
    assert_eq!(all, [("worked", "bad 0 8".to_owned()), ("worked", "bad 1 8".to_owned())]);
    run.stop().await.expect("a clean drain");
}

#[kafka_handler(topic = "it.skips", group = "it-skips", dead_letter = skip, retry(attempts = 2, backoff = "1ms..5ms"))]
async fn skipping(work: Work, seen: State<Seen>) -> Result<(), String> {
    let _ = seen.send(("attempt", format!("{} {}", work.key, work.number)));
    if work.key == "bad" { Err("never".into()) } else { Ok(()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_may_be_skipped_is_dropped_after_its_attempts() {
    let (narad, mut seen) = application(&["it-skips"]).await;
    for (key, number) in [("bad", 0), ("bad", 1)] {
        narad.publish_to("it.skips", &Work { key: key.into(), number }).await.expect("an acknowledgement");
    }
    let run = Run::of(&narad);
    let attempt = |text: &str| ("attempt", text.to_owned());
    assert_eq!(
        sightings(&mut seen, 4).await,
        [attempt("bad 0"), attempt("bad 0"), attempt("bad 1"), attempt("bad 1")]
    );
    run.stop().await.expect("a clean drain");
}

#[kafka_handler(topic = "it.named", group = "it-named", dead_letter = "it.graveyard", retry(attempts = 1))]
async fn named(_: Work) -> Result<(), String> {
    Err("never".into())
}

#[kafka_handler(
    topic = "it.graveyard",
    group = "it-named",
    dead_letter = "it.graveyard",
    retry(attempts = 1)
)]
async fn replay(record: Record, seen: State<Seen>) -> Result<(), String> {
    let header = |name: &str| String::from_utf8_lossy(record.header(name).unwrap_or_default()).into_owned();
    let hops = header("narad-dlq-hops");
    let _ = seen.send(("replay", format!("{} of {}", hops, header("narad-dlq-topic"))));
    if hops == "3" { Ok(()) } else { Err("again".into()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_fails_again_goes_back_with_one_hop_more_and_its_origin() {
    let (narad, mut seen) = application(&["it-named"]).await;
    narad.publish_to("it.named", &Work { key: "bad".into(), number: 0 }).await.expect("an acknowledgement");
    let run = Run::of(&narad);
    let replay = |hops: u32| ("replay", format!("{hops} of it.named"));
    assert_eq!(sightings(&mut seen, 3).await, [replay(1), replay(2), replay(3)]);
    run.stop().await.expect("a clean drain");
}

#[kafka_handler(
    topic = "it.slow",
    group = "it-slow",
    timeout = "50ms",
    retry(attempts = 2, backoff = "1ms..5ms")
)]
async fn slow(work: Work, ctx: Context, seen: State<Seen>) {
    let _ = seen.send(("attempt", ctx.attempt().to_string()));
    if work.key == "slow" {
        std::future::pending::<()>().await;
    }
}

#[kafka_handler(topic = "it.slow.it-slow.dlq", group = "it-slow")]
async fn slow_dead(record: Record, seen: State<Seen>) {
    let _ = seen.send((
        "dead",
        String::from_utf8_lossy(record.header("narad-dlq-attempts").unwrap_or_default()).into_owned(),
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_past_its_timeout_is_a_failed_one() {
    let (narad, mut seen) = application(&["it-slow"]).await;
    narad.publish_to("it.slow", &Work { key: "slow".into(), number: 0 }).await.expect("an acknowledgement");
    let run = Run::of(&narad);
    let all = sightings(&mut seen, 3).await;
    assert_eq!(all, [("attempt", "1".to_owned()), ("attempt", "2".to_owned()), ("dead", "2".to_owned())]);
    run.stop().await.expect("a clean drain");
}

#[derive(Event)]
#[event(topic = "it.shared", type = "SHARED")]
struct Shared {}

static SECOND_ATTEMPT: LazyLock<tokio::sync::Notify> = LazyLock::new(Default::default);

#[kafka_handler(
    topic = "it.shared",
    group = "it-shared",
    ordering = "partition",
    retry(attempts = 2, backoff = "1ms..5ms")
)]
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
    let run = Run::of(&narad);
    sightings(&mut seen, 1).await;
    run.stop().await.expect("a clean drain");
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
        narad
            .event(&Off { key: "good".into(), number })
            .partition(0)
            .send()
            .await
            .expect("an acknowledgement");
    }
    let run = Run::of(&narad);
    assert_eq!(sightings(&mut seen, 2).await, [("off", "good 0".to_owned()), ("off", "good 1".to_owned())]);
    assert!(narad.health().to_string().contains(r#""blocked":1"#), "{}", narad.health());
    run.stop().await.expect("a clean drain");
}

/// It prints itself only.
#[derive(Failure, Debug)]
enum Saving {
    #[retry]
    Cold,
    #[dead_letter]
    Refused(std::num::ParseIntError),
}

impl std::fmt::Display for Saving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cannot save")
    }
}

impl std::error::Error for Saving {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Cold => None,
            Self::Refused(source) => Some(source),
        }
    }
}

#[derive(Debug)]
struct Reading(Saving);

impl std::fmt::Display for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cannot read")
    }
}

impl std::error::Error for Reading {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

fn refused(text: &str) -> Result<u8, Saving> {
    if text.is_empty() { Err(Saving::Cold) } else { text.parse().map_err(Saving::Refused) }
}

#[kafka_handler(
    topic = "it.chained",
    group = "it-chained",
    retry(attempts = 1),
    dead_letter = "it.chained.dead"
)]
async fn returns_a_chain(_: Json<u32>) -> Result<(), Reading> {
    refused("x").map(drop).map_err(Reading)
}

#[kafka_handler(topic = "it.chained", group = "it-chained", dead_letter = "it.chained.dead")]
async fn returns_an_outcome(_: Json<u32>) -> Result<(), Outcome> {
    refused("x")?;
    Ok(())
}

#[kafka_handler(topic = "it.chained.dead", group = "it-chained-dead")]
async fn chained_dead(record: Record, seen: State<Seen>) {
    let header = |name: &str| String::from_utf8_lossy(record.header(name).unwrap_or_default()).into_owned();
    let _ = seen.send(("dead", format!("{}: {}", header("narad-dlq-handler"), header("narad-dlq-error"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_tells_the_errors_below_the_error_of_its_handler() {
    let (narad, mut seen) = application(&["it-chained", "it-chained-dead"]).await;
    narad.message("it.chained", 5).key("a").send().await.expect("an acknowledgement");
    let run = Run::of(&narad);
    let told = sorted(&mut seen, 2).await;
    let below = "cannot save: invalid digit found in string";
    let outcome = format!("returns_an_outcome: {below}");
    assert_eq!(told, [("dead", format!("returns_a_chain: cannot read: {below}")), ("dead", outcome)]);
    run.stop().await.expect("a clean drain");
}
