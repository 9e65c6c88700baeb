//! Where a group begins, what goes around its handlers, and what does not start.

use narad::prelude::*;
use narad::{Error, Layer, Narad, Next, OutcomeKind};
use tokio::sync::mpsc::unbounded_channel;

use crate::{Run, Seen, application, config, sightings};

#[derive(Event, Debug)]
#[event(topic = "it.news", key = number)]
struct News {
    number: u32,
}

#[kafka_handler(topic = "it.news", group = "it-latest", start = "latest")]
async fn news(news: News, seen: State<Seen>) {
    let _ = seen.send(("news", news.number.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_group_that_starts_at_the_latest_leaves_out_what_was_there_and_nothing_later() {
    let (narad, mut seen) = application(&["it-latest"]).await;
    for number in 0..20 {
        narad.publish(&News { number }).await.expect("an acknowledgement");
    }
    let run = Run::of(&narad);
    // Nobody is told when the group has begun: one of these comes after that.
    let mut number = 100;
    while seen.is_empty() {
        narad.publish(&News { number }).await.expect("an acknowledgement");
        number += 1;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    run.stop().await.expect("a clean drain");
    while let Ok((_, text)) = seen.try_recv() {
        assert!(text.parse::<u32>().expect("a number") >= 100, "{text} was there before");
    }
    // What comes while nobody runs is the group's own.
    let (narad, mut seen) = application(&["it-latest"]).await;
    narad.publish(&News { number: 1_000 }).await.expect("an acknowledgement");
    let run = Run::of(&narad);
    while sightings(&mut seen, 1).await != [("news", "1000".to_owned())] {}
    run.stop().await.expect("a clean drain");
}

#[derive(Failure, Debug)]
enum Hurried {
    #[retry(backoff = "10ms..1s")]
    Calm,
    #[retry(backoff = "0s..1s")]
    Busy,
}

impl std::fmt::Display for Hurried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

#[kafka_handler(topic = "it.hurried", group = "it-hurried", dead_letter = off)]
async fn hurried(_: News) -> Result<(), Hurried> {
    Err(Hurried::Busy)
}

#[derive(Failure, Debug)]
enum Wrapping {
    #[fate(inner)]
    Itself(Box<Self>),
    #[fate(inner)]
    Hurried(Hurried),
}

impl std::fmt::Display for Wrapping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

#[kafka_handler(topic = "it.hurried", group = "it-hurried-inside", dead_letter = off)]
async fn hurried_inside(_: News) -> Result<(), Wrapping> {
    Err(Wrapping::Itself(Box::new(Wrapping::Hurried(Hurried::Busy))))
}

#[kafka_handler(topic = "it.hurried", group = "it-hurried-with-an-end")]
async fn hurried_with_an_end(_: News) -> Result<(), Hurried> {
    Err(Hurried::Calm)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_is_tried_again_without_a_pause_for_ever_does_not_start() {
    let error = start_error("it-hurried").await;
    let place = "handler hurried, `#[retry(backoff = …)]` of Hurried::Busy: with `dead_letter = off`";
    assert!(error.contains(place), "{error}");
    let error = start_error("it-hurried-inside").await;
    let place = place.replace("hurried,", "hurried_inside,");
    assert!(error.contains(&place), "{error}");
    // With an end of its attempts it may be in a hurry.
    let (narad, _seen) = application(&["it-hurried-with-an-end"]).await;
    Run::of(&narad).stop().await.expect("a clean drain");
}

#[kafka_handler(topic = "it.layers", group = "it-layers", retry(attempts = 2, backoff = "1ms..5ms"))]
async fn layered(_: Json<u32>, ctx: Context, seen: State<Seen>) -> Result<(), String> {
    let _ = seen.send(("handler", ctx.attempt().to_string()));
    if ctx.attempt() == 1 { Err("once".into()) } else { Ok(()) }
}

/// Says when it begins and ends.
struct Around(&'static str, Seen);

impl Layer for Around {
    async fn call<'a>(&'a self, ctx: &'a Context, next: Next<'a>) -> Outcome {
        let _ = self.1.send((self.0, format!("begins {} {}", ctx.handler(), ctx.attempt())));
        let outcome = next.run().await;
        let kind = if outcome.kind() == OutcomeKind::Done { "done" } else { "failed" };
        let _ = self.1.send((self.0, kind.to_owned()));
        outcome
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_go_around_every_attempt_the_first_outermost() {
    let (seen, mut sighted) = unbounded_channel();
    let builder = Narad::builder().config(config()).groups(["it-layers"]).state::<Seen>(seen.clone());
    let builder = builder.layer(Around("outer", seen.clone())).layer(Around("inner", seen));
    let narad = builder.build().await.expect("an application");
    narad.send("it.layers", 1).await.expect("an acknowledgement");
    let run = Run::of(&narad);
    let around = |attempt: u32, kind: &str| {
        let begins = format!("begins layered {attempt}");
        [
            ("outer", begins.clone()),
            ("inner", begins),
            ("handler", attempt.to_string()),
            ("inner", kind.to_owned()),
            ("outer", kind.to_owned()),
        ]
    };
    let wanted: Vec<_> = around(1, "failed").into_iter().chain(around(2, "done")).collect();
    assert_eq!(sightings(&mut sighted, 10).await, wanted);
    run.stop().await.expect("a clean drain");
}

#[kafka_handler(topic = "it.missing", group = "it-missing")]
async fn takes_what_is_missing(_: Json<u32>, _: State<std::time::Instant>) {}

mod one {
    use narad::prelude::*;

    #[kafka_handler(topic = "it.twice", group = "it-twice")]
    async fn twice(_: Json<u32>) {}
}

mod another {
    use narad::prelude::*;

    #[kafka_handler(topic = "it.twice", group = "it-twice")]
    async fn twice(_: Json<u32>) {}
}

#[kafka_handler(topic = "it.conflict", group = "it-conflict", concurrency = 4)]
async fn four_at_once(_: Json<u32>) {}

#[kafka_handler(topic = "it.conflict", group = "it-conflict", concurrency = 8)]
async fn eight_at_once(_: Json<u32>) {}

async fn start_error(group: &str) -> String {
    let (narad, _seen) = application(&[group]).await;
    match Run::of(&narad).ended().await {
        Err(Error::Start(text)) => text,
        other => panic!("{group} started: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_state_is_a_start_error_that_names_handler_and_type() {
    let error = start_error("it-missing").await;
    assert!(error.contains("takes_what_is_missing") && error.contains("Instant"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_twice_in_a_group_is_a_start_error_that_names_both_modules() {
    let error = start_error("it-twice").await;
    assert!(error.contains("starting::one") && error.contains("starting::another"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn options_that_differ_are_a_start_error_that_names_both_handlers() {
    let error = start_error("it-conflict").await;
    assert!(
        error.contains("four_at_once") && error.contains("eight_at_once") && error.contains("concurrency"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_no_handler_has_is_a_start_error_that_lists_those_that_there_are() {
    let error = start_error("it-nobody").await;
    assert!(error.contains("it-nobody") && error.contains("it-layers"), "{error}");
}
