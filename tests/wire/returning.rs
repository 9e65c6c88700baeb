//! What handlers give back.

use std::time::Duration;

use narad::prelude::*;
use narad::{Config, Narad, Publish};

use crate::{Application, Seen, say, text};

#[derive(Event)]
#[event(topic = "wire.returned", format = "flat", key = n)]
struct Out {
    n: u8,
}

#[derive(Event)]
#[event(topic = "wire.returned")]
enum OutSet {
    #[event(type = "SET")]
    Out(Out),
    #[event(other)]
    Other,
}

#[derive(Event)]
#[event(topic = "wire.returned", format = "flat")]
struct Borrowing<'a> {
    text: std::borrow::Cow<'a, str>,
}

#[derive(Event)]
struct In {
    text: String,
}

/// One without a topic or a key.
#[derive(Event)]
struct Other {
    n: u8,
}

fn out(n: u8) -> Out {
    Out { n }
}

macro_rules! returning {
    ($($topic:literal $name:ident -> $returned:ty { $value:expr })*) => {$(
        #[kafka_handler(topic = $topic, group = "wire-returning", retry(attempts = 1))]
        async fn $name(event: In) -> $returned {
            drop(event.text);
            $value
        }
    )*};
}
returning! {
    "wire.returning.one" one -> Out { out(1) }
    "wire.returning.option" option -> Option<Out> { Some(out(2)) }
    "wire.returning.none" none -> Option<Out> { None }
    "wire.returning.vec" vector -> Vec<Out> { vec![out(3), out(4)] }
    "wire.returning.array" array -> [Out; 2] { [out(5), out(6)] }
    "wire.returning.tuple" tuple -> (Out, OutSet) { (out(7), OutSet::Out(out(8))) }
    "wire.returning.nested" nested -> (Option<Vec<Out>>, Vec<Option<OutSet>>, [(Out, Out); 1]) {
        (Some(vec![out(9)]), vec![None, Some(OutSet::Out(out(10)))], [(out(11), out(12))])
    }
    "wire.returning.result" result -> Result<Option<Out>, String> { Ok(Some(out(13))) }
    "wire.returning.results" results -> Result<(Out, Vec<Out>), Box<dyn std::error::Error + Send + Sync>> { Ok((out(14), vec![out(15)])) }
    "wire.returning.outcome" outcome -> Result<Vec<Out>, Outcome> { Ok(vec![out(16)]) }
    "wire.returning.error" error -> Result<Out, std::fmt::Error> { Err(std::fmt::Error) }
    "wire.returning.other" other -> (Out, OutSet) { (out(17), OutSet::Other) }
    "wire.returning.publish" publish -> Publish<Out> { Publish::of(out(18)) }
    "wire.returning.to" to -> Result<Option<Publish<Other>>, String> {
        Ok(Some(Publish::to("wire.returned", Other { n: 19 }).key("k").header("x", "y").partition(0).id("1")))
    }
    "wire.returning.any" any -> (Vec<Publish>, [Publish<Out>; 1], Out) {
        (vec![Publish::of(out(20)), Publish::to("wire.returned", Other { n: 21 })], [Publish::of(out(22)).key(23)], out(24))
    }
    "wire.returning.illegal" illegal -> Publish<Out> { Publish::to("no topic's name", out(25)) }
    "wire.returning.early" early -> Publish<Out> { Publish::of(out(26)).timestamp(0) }
    "wire.returning.skip" skip -> Result<Outcome, Outcome> { Ok(Outcome::skip("as the rule is")) }
}

#[kafka_handler(topic = "wire.returning.borrowed", group = "wire-returning")]
fn borrowed(event: In) -> Borrowing<'static> {
    Borrowing { text: event.text.into() }
}

#[kafka_handler(topic = "wire.returned", group = "wire-returned", concurrency = 1)]
async fn returned(meta: Meta<'_>, record: Record, seen: State<Seen>) {
    say(&seen, format!("{} {}", meta.r#type.as_deref().unwrap_or_default(), text(record.key())));
}

#[kafka_handler(
    topics = ["wire.returning.error.wire-returning.dlq", "wire.returning.other.wire-returning.dlq", "wire.returning.skip.wire-returning.dlq", "wire.returning.illegal.wire-returning.dlq", "wire.returning.early.wire-returning.dlq"],
    group = "wire-returned"
)]
async fn dead(record: Record, seen: State<Seen>) {
    say(&seen, format!("dead {}", text(record.header("narad-dlq-handler"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn returned_events_are_published_in_whatever_they_stand() {
    let mut application = Application::start(&["wire-returning", "wire-returned"]).await;
    for (topic, expected) in [
        ("one", vec!["OUT 1"]),
        ("option", vec!["OUT 2"]),
        ("none", vec![]),
        ("vec", vec!["OUT 3", "OUT 4"]),
        ("array", vec!["OUT 5", "OUT 6"]),
        ("tuple", vec!["OUT 7", "SET 8"]),
        ("nested", vec!["OUT 11", "OUT 12", "OUT 9", "SET 10"]),
        ("result", vec!["OUT 13"]),
        ("results", vec!["OUT 14", "OUT 15"]),
        ("outcome", vec!["OUT 16"]),
        ("error", vec!["dead error"]),
        // Nothing is published where one of them cannot be written.
        ("other", vec!["dead other"]),
        ("publish", vec!["OUT 18"]),
        ("to", vec!["OTHER k"]),
        ("any", vec!["OTHER null", "OUT 20", "OUT 23", "OUT 24"]),
        ("illegal", vec!["dead illegal"]),
        ("early", vec!["dead early"]),
        ("skip", vec![]),
        ("borrowed", vec!["BORROWING null"]),
    ] {
        application.write(&format!("wire.returning.{topic}"), &br#"{"text":"a"}"#[..], &[]);
        let mut seen = application.sightings(expected.len()).await;
        seen.sort();
        assert_eq!(seen, expected, "{topic}");
    }
    application.stop().await;
}

#[derive(Event)]
#[event(topic = "wire.${NARAD_TEST_NOWHERE}")]
struct Nowhere {
    n: u8,
}

#[derive(Event)]
#[event(topic = "wire.${NARAD_TEST_NOWHERE:-somewhere}")]
struct Somewhere {
    n: u8,
}

#[kafka_handler(topic = "wire.unresolved", group = "wire-unresolved")]
async fn unresolved(event: In) -> Result<(Option<Somewhere>, [Vec<Nowhere>; 1]), String> {
    Ok((Some(Somewhere { n: 1 }), [vec![Nowhere { n: event.text.len() as u8 }]]))
}

#[kafka_handler(topic = "wire.resolved", group = "wire-resolved")]
async fn resolved<'a>(event: Borrowing<'a>) -> Result<Option<Somewhere>, Outcome> {
    Ok(Some(Somewhere { n: event.text.len() as u8 }))
}

#[kafka_handler(topic = "wire.somewhere", group = "wire-resolved")]
async fn arrived(meta: Meta<'_>, seen: State<Seen>) {
    say(&seen, meta.r#type.as_deref().unwrap_or_default().to_owned());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_of_a_returned_event_that_lacks_a_variable_is_an_error_at_the_start() {
    let narad = Narad::builder()
        .config(Config::default().or_embedded())
        .groups(["wire-unresolved"])
        .build()
        .await
        .expect("an application");
    let error = narad
        .run_until(tokio::time::sleep(Duration::from_secs(20)))
        .await
        .expect_err("it cannot publish what it returns")
        .to_string();
    for part in ["handler unresolved", "Nowhere", "NARAD_TEST_NOWHERE"] {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn placeholders_are_resolved_in_attributes_and_nowhere_else() {
    let mut application = Application::start(&["wire-resolved"]).await;
    application.write("wire.resolved", &br#"{"text":"a"}"#[..], &[]);
    assert_eq!(application.sightings(1).await, ["SOMEWHERE"]);
    let narad = application.narad.clone();
    let home = std::env::var("HOME").expect("a home");
    for refused in [
        narad.send("wire${HOME}", 1).await,
        narad.publish_to("wire${HOME}", &out(1)).await,
        narad.event(&out(1)).topic("wire${HOME}").send().await,
    ] {
        let error = refused.expect_err("no topic's name").to_string();
        assert!(error.contains("${HOME}") && !error.contains(&home), "{error}");
    }
    let error = narad.publish(&Nowhere { n: 1 }).await.expect_err("its variable is not set").to_string();
    assert!(error.contains("NARAD_TEST_NOWHERE"), "{error}");
    narad.event(&Somewhere { n: 1 }).send().await.expect("an acknowledgement");
    assert_eq!(application.sightings(1).await, ["SOMEWHERE"]);
    application.stop().await;
}
