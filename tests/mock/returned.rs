//! What a handler returns: all of it leaves at once, in the order of each key, and a second run for the same
//! record writes the same ids.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use narad::Publish;
use narad::prelude::*;
use narad_tests::cluster::Stored;
use rdkafka::types::RDKafkaApiKey::{OffsetCommit, Produce};
use rdkafka::types::RDKafkaRespErr::*;

use crate::application::{Done, record};
use crate::cluster::TOPIC;
use crate::{Application, Mock, wait};

/// Asks its handler for a part on each of these partitions.
#[derive(Event, Debug)]
#[event(topic = "work", type = "SPREAD")]
struct Spread {
    to: Vec<(String, i32)>,
}

/// What the handler of a [`Spread`] returns.
#[derive(Event, Debug)]
#[event(type = "PART", key = key)]
struct Part {
    key: String,
    seq: u64,
}

#[kafka_handler(topic = "work", group = "${SPREADS:-no-spreads}")]
async fn spread(spread: Spread) -> Result<Vec<Publish>, String> {
    let part = |(seq, (topic, partition)): (u64, (String, i32))| {
        let part = Publish::to(topic, Part { key: "user-1".to_owned(), seq });
        if partition < 0 { part } else { part.partition(partition) }
    };
    let parts = (0..).zip(spread.to).map(part);
    Ok(parts.chain([Publish::of(Done::of(9)).key("user-9")]).collect())
}

/// The groups and partitions of the parts that have come.
static CAME: Mutex<Vec<(String, i32)>> = Mutex::new(Vec::new());

#[kafka_handler(topic = "wide", group = "${SPREADS:-no-spreads}")]
async fn came(_part: Part, ctx: Context) {
    let mut came = CAME.lock().unwrap_or_else(PoisonError::into_inner);
    came.push((ctx.group().to_owned(), ctx.partition()));
}

fn start(mock: &Mock, group: &str, configure: impl FnOnce(&mut narad::Config)) -> Application {
    ["wide".to_owned(), format!("wide.{group}.dlq")]
        .iter()
        .for_each(|topic| mock.create_topic_if_missing(topic));
    Application::start_with(mock, group, |config| {
        config.variables.set("SPREADS", group);
        config.variables.set("GROUP", "nobody");
        configure(config);
    })
}

fn asks(to: &[(&str, i32)]) -> Stored {
    let value = narad::serde_json::json!({"type": "SPREAD", "to": to});
    Stored { partition: 0, ..Stored::to_write("user-1", value.to_string()) }
}

/// The numbers of a topic's parts, in order.
fn seqs(mock: &Mock, topic: &str) -> Vec<u64> {
    let seq = |record: &Stored| body(record)["data"]["seq"].as_u64().expect("a number");
    mock.cluster.records(topic).iter().map(seq).collect()
}

fn body(record: &Stored) -> narad::serde_json::Value {
    narad::serde_json::from_slice(record.value.as_deref().expect("a value")).expect("JSON")
}

#[test]
fn what_one_record_returns_leaves_together_whatever_waits_among_it() {
    let group = "m10-together";
    let mock = Mock::start(1);
    mock.create_topic("wide", 2);
    mock.create_topic("broken", 1);
    mock.lead("broken", None);
    mock.lead("wide", None);
    mock.cluster.write(TOPIC, [asks(&[("broken", 0), ("wide", 0), ("wide", 1)])]);
    let mut application = start(&mock, group, |_| {});
    wait::until("what is behind others is there", || {
        CAME.lock().unwrap_or_else(PoisonError::into_inner).contains(&(group.to_owned(), 1))
    });
    wait::until("the last one is there, too", || mock.cluster.records("done").len() == 1);
    wait::until("health says that the record waits", || application.narad.health().blocked() >= 1);
    let committed = mock.committed(group);
    assert!(committed.iter().all(|(_, next)| *next < 1), "the record does not count as done: {committed:?}");
    mock.lead("broken", Some(1));
    mock.lead("wide", Some(1));
    application.await_committed(&mock, 1);
    application.stop().expect("a clean drain");
    assert_eq!((seqs(&mock, "broken"), seqs(&mock, "wide")), (vec![0], vec![1, 2]));
    let [done] = &mock.cluster.records("done")[..] else { panic!("it was written again") };
    assert_eq!((done.key.as_deref(), seqs(&mock, "done")), (Some(&b"user-9"[..]), vec![9]));
}

#[test]
fn what_is_returned_of_one_key_keeps_its_order_where_a_leader_refuses_the_first() {
    let mock = Mock::start(1);
    mock.create_topic("again", 1);
    mock.cluster.write(TOPIC, [asks(&[("again", -1), ("again", -1), ("again", -1)])]);
    // Its topic's name is the first: what the leader refuses is the first write of all.
    let mut application = start(&mock, "m10-order", |config| {
        config.librdkafka.set("batch.num.messages", "1").expect("a property");
    });
    mock.delay(1, Duration::from_millis(100));
    // Of the first one; the leader would take those that are on their way behind it.
    mock.fail(Produce, &[RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION]);
    application.await_committed(&mock, 1);
    application.stop().expect("a clean drain");
    let seqs = seqs(&mock, "again");
    let ids: Vec<_> =
        mock.cluster.records("again").iter().map(|record| body(record)["id"].to_string()).collect();
    // As whoever drops ids that it has seen reads them.
    let mut seen = HashSet::new();
    let first: Vec<_> =
        seqs.iter().zip(&ids).filter(|(_, id)| seen.insert(*id)).map(|(seq, _)| *seq).collect();
    assert_eq!(first, [0, 1, 2], "{seqs:?}, {ids:?}");
}

#[test]
fn a_second_run_for_the_same_record_writes_the_same_ids() {
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, [asks(&[("wide", 0), ("wide", 0)]), record("user-1", 1, "nothing")]);
    // The first commit is refused, and all is handled again.
    mock.fail(OffsetCommit, &[RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID]);
    let mut application = start(&mock, "m10-again", |config| {
        config.librdkafka.set("session.timeout.ms", "2000").expect("a property");
    });
    wait::until("a second run has written", || seqs(&mock, "wide").len() >= 4);
    application.await_committed(&mock, 2);
    application.stop().expect("a clean drain");
    let ids: Vec<_> = mock
        .cluster
        .records("wide")
        .iter()
        .chain(&mock.cluster.records("done"))
        .map(|record| body(record)["id"].as_str().expect("an id").to_owned())
        .collect();
    let each: HashSet<_> = ids.iter().collect();
    assert_eq!((ids.len(), each.len()), (6, 3), "{ids:?}");
    assert!(ids.iter().all(|id| id.as_bytes()[14] == b'8'), "UUIDs of version 8: {ids:?}");
}
