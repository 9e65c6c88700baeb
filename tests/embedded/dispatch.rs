//! Who gets a record.

use narad::prelude::*;
use narad::{Error, serde_json};

use crate::{Run, Seen, application, sightings, sorted, until};

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

#[tokio::test(flavor = "multi_thread")]
async fn each_record_goes_to_every_handler_of_its_type_and_the_rest_to_the_default() {
    let (narad, mut seen) = application(&["it-dispatch"]).await;
    narad.publish(&OrderCreated { customer: "ada".into(), number: 7 }).await.expect("an acknowledgement");
    narad.publish(&OrderPaid { customer: "grace".into() }).await.expect("an acknowledgement");
    narad.send("it.orders", serde_json::json!({"type": "OTHER", "x": 1})).await.expect("an acknowledgement");
    let run = Run::of(&narad);
    assert_eq!(
        sorted(&mut seen, 4).await,
        [
            ("created", "ada 7".to_owned()),
            ("paid", "grace ORDER_PAID".to_owned()),
            ("rest", r#"{"type":"OTHER","x":1}"#.to_owned()),
            ("thread", "ada".to_owned()),
        ]
    );
    run.stop().await.expect("a clean drain");
    assert!(matches!(narad.publish(&OrderPaid { customer: "late".into() }).await, Err(Error::NotConnected)));
}

#[derive(Event, Debug)]
#[event(topic = "it.profiles", key = user)]
struct Profile {
    user: String,
}

#[kafka_handler(topic = "it.profiles", group = "it-tombstones")]
async fn profile(profile: Option<Profile>, ctx: Context, seen: State<Seen>) {
    let key = String::from_utf8_lossy(ctx.key().unwrap_or_default()).into_owned();
    let _ = seen.send((if profile.is_some() { "profile" } else { "tombstone" }, key));
}

#[kafka_handler(topic = "it.profiles", group = "it-profiles-only")]
async fn profile_only(profile: Profile, seen: State<Seen>) {
    let _ = seen.send(("profile only", profile.user));
}

#[kafka_handler(topic = "it.profiles.it-profiles-only.dlq", group = "it-tombstones-dead")]
async fn dead_profile(record: Record, seen: State<Seen>) {
    let handler = record.header("narad-dlq-handler").expect("a header");
    assert!(record.payload().is_none() && handler.is_empty(), "a tombstone, of the group");
    assert_eq!(record.header("narad-dlq-error-class"), Some(&b"tombstone"[..]));
    let _ = seen.send(("dead", String::from_utf8_lossy(record.key().unwrap_or_default()).into_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tombstone_goes_to_who_takes_it_and_else_to_the_groups_dead_letter() {
    let (narad, mut seen) = application(&["it-tombstones", "it-profiles-only", "it-tombstones-dead"]).await;
    narad.publish(&Profile { user: "ada".into() }).await.expect("an acknowledgement");
    narad.tombstone("it.profiles", "ada").await.expect("an acknowledgement");
    let run = Run::of(&narad);
    let ada = || "ada".to_owned();
    assert_eq!(
        sorted(&mut seen, 4).await,
        [("dead", ada()), ("profile", ada()), ("profile only", ada()), ("tombstone", ada())]
    );
    run.stop().await.expect("a clean drain");
}

#[derive(Event)]
#[event(topic = "it.over", type = "MINE", key = key)]
struct Mine {
    key: String,
}

#[kafka_handler(topic = "it.over", group = "it-over", unknown = "dead_letter", tombstone = "skip")]
async fn mine(event: Mine, seen: State<Seen>) {
    let _ = seen.send(("mine", event.key));
}

#[kafka_handler(topic = "it.over.it-over.dlq", group = "it-over-dead")]
async fn dead_left(record: Record, seen: State<Seen>) {
    let header = |name: &str| String::from_utf8_lossy(record.header(name).expect(name)).into_owned();
    let of_narad = ["group", "handler", "attempts", "error-class", "error", "offset"]
        .map(|name| header(&format!("narad-dlq-{name}")));
    let payload = String::from_utf8_lossy(record.payload().unwrap_or_default()).into_owned();
    let _ = seen.send(("dead", format!("{payload} {} {}", header("own"), of_narad.join("|"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_dead_letters_unknown_types_and_passes_tombstones_over_where_its_options_say_so() {
    let (narad, mut seen) = application(&["it-over", "it-over-dead"]).await;
    let unknown = serde_json::json!({"type": "OTHER"});
    let unknown = narad.message("it.over", unknown).key("k").header("own", "kept");
    unknown.send().await.expect("an acknowledgement");
    narad.publish(&Mine { key: "k".into() }).await.expect("an acknowledgement");
    narad.tombstone("it.over", "k").await.expect("an acknowledgement");
    let run = Run::of(&narad);
    let dead = "no handler of the topic takes the type: OTHER|0";
    assert_eq!(
        sorted(&mut seen, 2).await,
        [
            ("dead", format!(r#"{{"type":"OTHER"}} kept it-over||1|unknown_type|{dead}"#)),
            ("mine", "k".to_owned()),
        ]
    );
    until("the tombstone is committed, which is the last record", || {
        narad.partitions().iter().any(|view| &*view.topic == "it.over" && view.committed == Some(3))
    })
    .await;
    run.stop().await.expect("a clean drain");
    assert!(seen.try_recv().is_err(), "no dead letter of the tombstone");
    let views = narad.handlers();
    let of_topic = views.iter().find_map(|view| view.topic("it.over")).expect("a view of the topic");
    let unhandled = of_topic.unhandled;
    assert_eq!((unhandled.unknown_type, unhandled.tombstone, unhandled.malformed), (1, 1, 0));
}

#[kafka_handler(pattern = "^it\\.plants\\.[a-z.]+$", group = "it-patterns")]
async fn plant(record: Record, seen: State<Seen>) {
    let _ = seen.send(("plant", record.topic().to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_takes_the_topics_that_match_and_no_others() {
    let (narad, mut seen) = application(&["it-patterns"]).await;
    for topic in ["it.plants.rose", "it.plants.2", "it.plants.oak", "it.plants.oak.dlq"] {
        narad.send(topic, 1).await.expect("an acknowledgement");
    }
    let run = Run::of(&narad);
    assert_eq!(
        sorted(&mut seen, 2).await,
        [("plant", "it.plants.oak".to_owned()), ("plant", "it.plants.rose".to_owned())]
    );
    run.stop().await.expect("a clean drain");
    assert!(seen.try_recv().is_err());
}

#[kafka_handler(pattern = "^it\\.strangers\\..*$", group = "it-strangers")]
async fn stranger(record: Record, seen: State<Seen>) {
    let _ = seen.send(("stranger", record.topic().to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_s_topic_that_cannot_be_handled_is_left_out_and_one_that_comes_later_is_taken() {
    let (narad, mut seen) = application(&["it-strangers"]).await;
    // No room is left for the name of its dead-letter topic.
    let long = format!("it.strangers.{}", "x".repeat(236));
    for topic in ["it.strangers.first", &long] {
        narad.send(topic, 1).await.expect("an acknowledgement");
    }
    let run = Run::of(&narad);
    assert_eq!(sightings(&mut seen, 1).await, [("stranger", "it.strangers.first".to_owned())]);
    assert!(narad.health().to_string().contains(r#""leftOut":1"#), "{}", narad.health());
    narad.send("it.strangers.later", 1).await.expect("an acknowledgement");
    assert_eq!(sightings(&mut seen, 1).await, [("stranger", "it.strangers.later".to_owned())]);
    run.stop().await.expect("a clean drain");
    assert!(seen.try_recv().is_err());
}

#[derive(Event)]
#[event(topic = "it.echoes")]
struct Echo {
    of: String,
}

#[kafka_handler(topic = "it.calls", group = "it-publishing")]
async fn call(call: Json<String>, ctx: Context) -> Result<Vec<Echo>, narad::Error> {
    let echo = |of: &str| Echo { of: format!("{of} of {}", call.0) };
    ctx.publish(&echo("first")).await?;
    Ok(vec![echo("second"), echo("third")])
}

#[kafka_handler(topic = "it.echoes", group = "it-publishing")]
async fn echo(echo: Echo, seen: State<Seen>) {
    let _ = seen.send(("echo", echo.of));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_published_by_the_context_and_by_being_returned() {
    let (narad, mut seen) = application(&["it-publishing"]).await;
    narad.send("it.calls", "hello").await.expect("an acknowledgement");
    let run = Run::of(&narad);
    let echo = |of: &str| ("echo", format!("{of} of hello"));
    assert_eq!(sorted(&mut seen, 3).await, [echo("first"), echo("second"), echo("third")]);
    run.stop().await.expect("a clean drain");
}
