//! No loop that people write, but what librdkafka allows on one thread: its queue read in batches, offsets
//! stored once a batch, in no group; decoded as the hand-written loop does (owned), or in one pass without an
//! allocation (borrowed).

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::batch_queue::BatchQueue;
use super::{Measured, Meter, Task, by_hand};
use crate::data::Attributes;

pub(super) fn owned(task: &Task) -> Measured {
    let meter = Meter::new(task.records);
    run(task, &meter, |value| by_hand::handle(&meter, by_hand::decode(value)))
}

pub(super) fn borrowed(task: &Task) -> Measured {
    let meter = Meter::new(task.records);
    run(task, &meter, |value| {
        let envelope: Envelope<'_> = serde_json::from_slice(value).expect("an envelope");
        match envelope.data {
            Event::Login(user) | Event::Action(user) => meter.count(user.seq, envelope.id.len()),
        }
    })
}

fn run(task: &Task, meter: &Meter, mut handle: impl FnMut(&[u8]) -> bool) -> Measured {
    // Rebalances and commits by timer would come as events into the queue that is read here; with its
    // partitions assigned and no timer, only records do.
    let consumer: BaseConsumer =
        by_hand::consuming(task).set("enable.auto.commit", "false").create().expect("a consumer");
    let metadata = consumer.fetch_metadata(Some(&task.topic), Duration::from_secs(10)).expect("metadata");
    let mut partitions = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        partitions.add_partition_offset(&task.topic, partition.id(), Offset::Beginning).expect("a partition");
    }
    consumer.assign(&partitions).expect("an assignment");
    let mut queue = BatchQueue::of(&consumer);
    let (mut last, mut next) = (false, BTreeMap::new());
    while !last {
        queue.read(|partition, offset, value| {
            last |= handle(value);
            next.insert(partition, offset + 1);
        });
        let mut offsets = TopicPartitionList::new();
        for (partition, offset) in std::mem::take(&mut next) {
            offsets.add_partition_offset(&task.topic, partition, Offset::Offset(offset)).expect("an offset");
        }
        consumer.store_offsets(&offsets).expect("offsets are stored");
    }
    consumer.commit_consumer_state(CommitMode::Sync).expect("a commit");
    meter.measured()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User<'a> {
    #[serde(rename = "userId")]
    _user_id: &'a str,
    #[serde(rename = "ip")]
    _ip: &'a str,
    #[serde(rename = "action")]
    _action: &'a str,
    #[serde(borrow, rename = "attributes")]
    _attributes: Attributes<'a>,
    seq: i64,
}

enum Event<'a> {
    Login(User<'a>),
    Action(User<'a>),
}

struct Envelope<'a> {
    id: &'a str,
    data: Event<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Field {
    Id,
    Type,
    Data,
    #[serde(other)]
    Other,
}

/// In one pass: the type stands before the data, so that the data goes straight into its own type.
impl<'de: 'a, 'a> Deserialize<'de> for Envelope<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Envelope<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an envelope")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut id, mut r#type, mut data) = ("", "", None);
                while let Some(field) = map.next_key()? {
                    match field {
                        Field::Id => id = map.next_value()?,
                        Field::Type => r#type = map.next_value()?,
                        Field::Data => {
                            data = Some(match r#type {
                                "USER_LOGIN" => Event::Login(map.next_value()?),
                                "USER_ACTION" => Event::Action(map.next_value()?),
                                _ => return Err(Error::custom("the type comes first")),
                            });
                        }
                        Field::Other => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(Envelope { id, data: data.ok_or_else(|| Error::missing_field("data"))? })
            }
        }
        deserializer.deserialize_map(Fields)
    }
}
