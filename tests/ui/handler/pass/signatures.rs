use std::borrow::Cow;
use std::fmt::Display;

use narad::prelude::*;
use narad::{BatchOutcome, FromRecord, IntoReply};

#[derive(Event)]
#[event(topic = "a", key = id)]
struct Login<'a> {
    id: Cow<'a, str>,
}

#[derive(Event)]
#[event(topic = "b")]
struct Seen {
    id: String,
}

#[derive(Event)]
#[event(topic = "b")]
enum Either {
    Seen(Seen),
    #[event(other)]
    Other,
}

type Metadata<'m> = Meta<'m>;
type Borrowed<'b> = Login<'b>;
type Several = Batch<Seen>;
type Shared = State<Store>;
type Ctx = Context;

struct Store;

struct Own<'r> {
    key: Option<&'r [u8]>,
    /// Whatever it holds, it is no event parameter.
    seen: Option<Seen>,
}

impl<'r> FromRecord<'r> for Own<'r> {
    type Error = String;

    fn from_record(record: &'r Record, _: &Context) -> Result<Self, String> {
        Ok(Self { key: record.key(), seen: None })
    }
}

#[kafka_handler(topic = "a")]
async fn borrowed_across_await(event: Login<'_>, meta: Meta<'_>, own: Own<'_>) -> Result<(), Outcome> {
    tokio::task::yield_now().await;
    println!("{} {:?} {:?} {}", event.id, meta, own.key, own.seen.is_some());
    tokio::task::yield_now().await;
    Ok(())
}

#[kafka_handler(topic = "a")]
async fn named_lifetimes<'a, 'b: 'a>(event: Borrowed<'a>, meta: Metadata<'b>, raw: Json<Cow<'a, str>>) {
    tokio::task::yield_now().await;
    println!("{} {meta:?} {raw:?}", event.id);
}

#[kafka_handler(topic = "a")]
fn hidden_lifetimes(event: Option<Borrowed>, meta: Metadata) {
    println!("{} {meta:?}", event.is_some());
}

#[kafka_handler(topic = "a", batch(max = 10, wait = "1s", isolate = 2))]
async fn batch(events: Several, store: Shared, first: Ctx) -> Result<(), Box<dyn std::error::Error + Send>> {
    let _ = (&*store, first.topic(), events.len());
    Ok(())
}

#[kafka_handler(topic = "a")]
fn plain_batch(events: Batch<Either>) -> Outcome {
    drop(events);
    Outcome::done()
}

#[kafka_handler(topic = "a", batch(max = 10))]
async fn batch_of_tombstones(events: Batch<Option<Login<'_>>>) {
    for (event, ctx) in events.iter().zip(events.contexts()) {
        tokio::task::yield_now().await;
        println!("{:?} {:?}", event.as_ref().map(|event| &event.id), ctx.key());
    }
}

#[kafka_handler(topic = "a")]
fn batch_of_envelopes<'a>(events: Batch<Envelope<Borrowed<'a>>>, store: State<Store>) {
    println!("{:?} {}", events.into_iter().next().map(|event| event.id), std::mem::size_of_val(&*store));
}

#[kafka_handler(topic = "a")]
async fn batch_of_records(records: Batch<Record>, first: Context) {
    println!("{} from {}", records.len(), first.offset());
}

#[kafka_handler(topic = "a", batch(max = 10))]
async fn each_of_a_batch(events: Several) -> Result<BatchOutcome, Outcome> {
    let mut outcome = BatchOutcome::done();
    outcome.set(events.len() - 1, "an error");
    outcome.set(0, Outcome::skip("nothing of value"));
    Ok(outcome)
}

#[kafka_handler(topic = "a")]
fn plain_each_of_a_batch(events: Batch<Either>) -> Result<BatchOutcome, impl Display + Send + 'static> {
    let each = |event: Either| {
        if matches!(event, Either::Seen(_)) { Ok(()) } else { Err(Outcome::dead_letter("not this one")) }
    };
    if events.is_empty() { Err("empty") } else { Ok(events.into_iter().map(each).collect()) }
}

#[kafka_handler(topic = "a")]
async fn nothing() {}

#[kafka_handler(topic = "a")]
fn reply() -> impl IntoReply {
    Seen { id: "1".into() }
}

#[kafka_handler(topic = "a")]
async fn async_reply(
    event: Envelope<Login<'_>>,
) -> Result<impl IntoReply + use<>, impl Display + Send + 'static> {
    tokio::task::yield_now().await;
    let id = event.data.id.into_owned();
    if id.is_empty() { Err("empty") } else { Ok((Some(Seen { id }), vec![Seen { id: "2".into() }])) }
}

#[kafka_handler(topic = "a")]
fn nested_reply() -> Result<(Option<Vec<Seen>>, Vec<Option<Either>>, [(Seen, Seen); 0]), Outcome> {
    Ok((None, vec![], []))
}

#[kafka_handler(topic = "a")]
async fn patterns(Json(value): Json<u8>, mut seen: Seen, _: Record) -> [Seen; 1] {
    seen.id = value.to_string();
    [seen]
}

/// Two handlers of which one is left out.
#[kafka_handler(topic = "a")]
#[cfg(any())]
async fn left_out(event: Missing) {}

#[cfg(any())]
#[kafka_handler(topic = "a")]
async fn left_out_too(event: Missing) {}

#[kafka_handler(topic = "a")]
async fn r#match(r#type: Seen) {
    drop(r#type);
}

mod inner {
    #[narad::kafka_handler(topic = super::TOPIC, group = super::GROUP)]
    pub(super) async fn private(super::Seen { id }: super::Seen) {
        drop(id);
    }
}

const TOPIC: &str = "constant";
const GROUP: &str = "group-${STAGE:-dev}";

#[kafka_handler(pattern = r"^user\..*", name = "by-pattern")]
async fn by_pattern(seen: Seen) {
    // A handler stays callable under its own name.
    nothing().await;
    r#match(seen).await;
}

macro_rules! handler {
    ($name:ident, $topic:literal, $group:expr, $event:ident: $ty:ty, $count:expr, $wait:literal, $body:block) => {
        #[kafka_handler(topic = $topic, group = $group, concurrency = $count, timeout = $wait, retry(attempts = $count, backoff = "1s..2s"))]
        async fn $name($event: $ty) $body
    };
    (list $name:ident, [$($topic:expr),*]) => {
        #[kafka_handler(topics = [$($topic),*], dead_letter = skip)]
        fn $name(record: Record) {
            drop(record);
        }
    };
    (list $name:ident, $topics:expr, $letter:expr, $pattern:literal) => {
        #[kafka_handler(topics = $topics, dead_letter = $letter)]
        fn $name(record: Record) {
            drop(record);
        }
    };
}

handler!(generated, "topic", "group", event: Login<'_>, 4, "5s", {
    tokio::task::yield_now().await;
    drop(event);
});
handler!(constants, "topic", GROUP, event: Batch<Seen>, 1, "5s", { drop(event) });
handler!(list listed, ["a", TOPIC]);
handler!(list letters, ["a", "b"], "dead", "^a");
handler!(list offs, ["a"], off, "^a");

fn main() {
    fn local() {
        #[kafka_handler(topic = "a")]
        fn within(seen: Seen) {
            drop(seen);
        }
    }
    local();
    let _ = (Seen { id: String::new() }, Either::Other, Either::Seen, Store);
    let _ = (
        borrowed_across_await,
        named_lifetimes,
        hidden_lifetimes,
        batch,
        plain_batch,
        reply,
        async_reply,
        patterns,
    );
}
