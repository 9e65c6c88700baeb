use std::time::Duration;

use narad::__private::{
    Call, DeadLetterSpec, EventKind, HandlerSpec, LeftOver, Ordering, Registration, Start, Takes, TopicsSpec,
    inventory,
};
use narad::prelude::*;

#[derive(Event)]
struct Seen {
    id: String,
}

struct Store;

#[kafka_handler(
    topics = ["a", TOPIC],
    group = "group-${STAGE}",
    name = "renamed",
    default,
    ordering = "none",
    concurrency = 3,
    retry(attempts = 7, backoff = "100ms..2m"),
    dead_letter = "dead",
    timeout = "2h",
    start = "latest",
    unknown = "dead_letter",
    tombstone = "skip",
)]
async fn everything(
    event: Option<Seen>,
    record: Record,
    json: Json<u8>,
    store: State<Store>,
    ctx: Context,
    meta: Meta<'_>,
) {
    let _ = (event.map(|seen| seen.id), record, json, &*store, ctx, meta);
}

#[kafka_handler(pattern = "^a$", retry(), ordering = "partition", dead_letter = off)]
fn little(event: Seen) {
    drop(event.id);
}

#[kafka_handler(topic = TOPIC, batch(wait = "50ms"), dead_letter = skip, start = "earliest", ordering = "key")]
async fn many(events: Batch<Seen>) {
    drop(events);
}

const TOPIC: &str = "constant";

fn spec(name: &str) -> HandlerSpec {
    let specs = inventory::iter::<Registration>.into_iter().map(|registration| registration.0);
    specs.into_iter().find(|spec| spec.name == name).unwrap()
}

fn main() {
    let everything = spec("renamed");
    assert_eq!(everything.module, module_path!());
    assert!(matches!(everything.topics, TopicsSpec::Names(["a", "constant"])));
    assert_eq!(everything.group, Some("group-${STAGE}"));
    assert!(matches!(everything.call, Call::Async(_)));
    let options = everything.options;
    assert!(options.default);
    assert_eq!((options.ordering, options.concurrency), (Some(Ordering::None), Some(3)));
    assert_eq!((options.retry_attempts, options.retry_backoff), (Some(7), Some((100, 120_000))));
    assert_eq!(options.dead_letter, Some(DeadLetterSpec::Topic("dead")));
    assert_eq!((options.timeout, options.start), (Some(Duration::from_secs(7200)), Some(Start::Latest)));
    assert_eq!((options.unknown, options.tombstone), (Some(LeftOver::DeadLetter), Some(LeftOver::Skip)));
    assert!(matches!(
        everything.takes().collect::<Vec<_>>()[..],
        [Takes::Event(EventKind::Optional, shape), Takes::Record, Takes::Json, Takes::State(_), Takes::Other, Takes::Other]
            if shape.types == ["SEEN"]
    ));

    let little = spec("little");
    assert!(matches!(little.topics, TopicsSpec::Pattern("^a$")));
    assert!(matches!(little.call, Call::Blocking(_)));
    assert_eq!((little.group, little.options.default), (None, false));
    assert_eq!(
        (little.options.retry_attempts, little.options.retry_backoff, little.options.timeout),
        (None, None, None)
    );
    assert_eq!(
        (little.options.ordering, little.options.dead_letter),
        (Some(Ordering::Partition), Some(DeadLetterSpec::Off))
    );

    let many = spec("many");
    assert_eq!((many.options.batch_max, many.options.batch_wait), (None, Some(Duration::from_millis(50))));
    assert_eq!((many.options.start, many.options.ordering), (Some(Start::Earliest), Some(Ordering::Key)));
    assert!(matches!(many.takes().collect::<Vec<_>>()[..], [Takes::Batch(_)]));
    assert!(matches!(many.takes_of_a_record().collect::<Vec<_>>()[..], [Takes::Event(EventKind::Plain, _)]));
}
