//! What a batch may be of, and who gets a record where batches are taken.

use narad::prelude::*;
use narad::serde_json::json;

use crate::{Run, Seen, application, sorted};

fn text(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "nothing".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
}

#[derive(Event, Debug)]
#[event(topic = "it.items", type = "ITEM", key = key)]
struct Item {
    key: String,
}

#[kafka_handler(topic = "it.items", group = "it-items-options", batch(max = 4, wait = "60s"))]
async fn options(batch: Batch<Option<Item>>, seen: State<Seen>) {
    assert_eq!(batch.contexts().len(), batch.len());
    let keys = batch.contexts().iter().map(|ctx| text(ctx.key()));
    let items = batch.iter().zip(keys).map(|(item, key)| match item {
        Some(item) => format!("{key}: {}", item.key),
        None => format!("{key}: deleted"),
    });
    let _ = seen.send(("options", items.collect::<Vec<_>>().join(", ")));
}

#[kafka_handler(topic = "it.items", group = "it-items-envelopes", batch(max = 3, wait = "60s"))]
async fn envelopes(batch: Batch<Envelope<Item>>, seen: State<Seen>) {
    let contexts = batch.contexts().to_vec();
    let items = batch.into_iter().zip(&contexts).map(|(item, ctx)| {
        assert_eq!((item.r#type.as_deref(), ctx.attempt()), (Some("ITEM"), 1));
        format!("{}: {}", ctx.offset(), item.id.unwrap_or_default())
    });
    let _ = seen.send(("envelopes", items.collect::<Vec<_>>().join(", ")));
}

#[kafka_handler(topic = "it.items", group = "it-items-records", batch(max = 6, wait = "60s"))]
fn records(batch: Batch<Record>, first: Context, seen: State<Seen>) {
    assert_eq!(first.offset(), batch.contexts()[0].offset());
    let values = batch.iter().map(|record| match record.payload() {
        Some(payload) if payload.starts_with(b"{\"id\"") => "an event".to_owned(),
        payload => text(payload),
    });
    let _ = seen.send(("records", values.collect::<Vec<_>>().join(", ")));
}

#[kafka_handler(topics = ["it.items.it-items-options.dlq", "it.items.it-items-envelopes.dlq"], group = "it-items-dead")]
async fn dead_item(record: Record, seen: State<Seen>) {
    let header = |name: &str| text(record.header(name));
    let dead = ["narad-dlq-group", "narad-dlq-handler", "narad-dlq-error-class"].map(header);
    let _ = seen.send(("dead", dead.join(" ")));
}

/// Each batch is full, so that no other can be made of the same records.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_of_events_tombstones_envelopes_or_records_and_each_has_its_context() {
    let groups = ["it-items-options", "it-items-envelopes", "it-items-records", "it-items-dead"];
    let (narad, mut seen) = application(&groups).await;
    let item = |key: &str| Item { key: key.into() };
    let sent = "an acknowledgement";
    // All go where the first one went, so that they make a batch.
    let first = narad.event(&item("a")).id("1").send().await.expect(sent);
    let partition = first.partition().expect("a partition");
    narad.event(&item("b")).id("2").partition(partition).send().await.expect(sent);
    narad.tombstone("it.items", "a").await.expect(sent);
    narad.raw("it.items", "no JSON").key("b").partition(partition).send().await.expect(sent);
    // Well-formed, and of a type that only who takes all gets.
    narad.message("it.items", json!({"type": "OTHER"})).partition(partition).send().await.expect(sent);
    narad.event(&item("c")).id("3").partition(partition).send().await.expect(sent);
    let run = Run::of(&narad);
    let dead = |group: &str, class: &str| ("dead", format!("{group}  {class}"));
    assert_eq!(
        sorted(&mut seen, 6).await,
        [
            dead("it-items-envelopes", "narad::Malformed"),
            dead("it-items-envelopes", "tombstone"),
            dead("it-items-options", "narad::Malformed"),
            ("envelopes", "0: 1, 1: 2, 5: 3".to_owned()),
            ("options", "a: a, b: b, a: deleted, c: c".to_owned()),
            ("records", r#"an event, an event, nothing, no JSON, {"type":"OTHER"}, an event"#.to_owned()),
        ]
    );
    run.stop().await.expect("a clean drain");
}

#[derive(Event, Debug)]
#[event(topic = "it.over-batches", type = "LEFT", key = key)]
struct Left {
    key: String,
}

#[kafka_handler(
    topic = "it.over-batches",
    group = "it-over-batches",
    batch(max = 3, wait = "60s"),
    unknown = "dead_letter",
    tombstone = "dead_letter"
)]
async fn whole(batch: Batch<Left>, seen: State<Seen>) {
    let keys: Vec<String> = batch.into_iter().map(|left| left.key).collect();
    let _ = seen.send(("taken", keys.join(", ")));
}

#[kafka_handler(
    topic = "it.over-batches",
    group = "it-over-batches-skipped",
    batch(max = 3, wait = "60s"),
    unknown = "skip",
    tombstone = "skip"
)]
async fn whole_skipped(batch: Batch<Left>, seen: State<Seen>) {
    let keys: Vec<String> = batch.into_iter().map(|left| left.key).collect();
    let _ = seen.send(("skipped", keys.join(", ")));
}

#[kafka_handler(topic = "it.over-batches.it-over-batches.dlq", group = "it-over-batches-dead")]
async fn dead_left(record: Record, seen: State<Seen>) {
    let header = |name: &str| text(record.header(name));
    assert_eq!(header("narad-dlq-handler"), "", "of the group");
    let _ = seen.send(("dead", format!("{} {}", text(record.key()), header("narad-dlq-error-class"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_batch_handler_does_not_take_goes_where_unknown_and_tombstone_say_and_its_batch_goes_on() {
    let (narad, mut seen) =
        application(&["it-over-batches", "it-over-batches-skipped", "it-over-batches-dead"]).await;
    let sent = "an acknowledgement";
    let left = |key: &str| Left { key: key.into() };
    let first = narad.event(&left("a")).send().await.expect(sent);
    let partition = first.partition().expect("a partition");
    narad
        .message("it.over-batches", json!({"type": "OTHER"}))
        .key("a")
        .partition(partition)
        .send()
        .await
        .expect(sent);
    narad.tombstone("it.over-batches", "a").await.expect(sent);
    for key in ["a", "b"] {
        narad.event(&left(key)).partition(partition).send().await.expect(sent);
    }
    let run = Run::of(&narad);
    assert_eq!(
        sorted(&mut seen, 4).await,
        [
            ("dead", "a tombstone".to_owned()),
            ("dead", "a unknown_type".to_owned()),
            ("skipped", "a, a, b".to_owned()),
            ("taken", "a, a, b".to_owned()),
        ]
    );
    run.stop().await.expect("a clean drain");
    assert!(seen.try_recv().is_err(), "nothing twice");
    for view in narad.handlers().iter().filter(|view| view.name.starts_with("whole")) {
        let topic = &view.topics[0];
        assert_eq!((topic.unhandled.unknown_type, topic.unhandled.tombstone), (1, 1), "{view}");
        assert_eq!(topic.settled.done, 3, "{view}");
    }
}
