//! Topic administration: which topics there are, and making those that are missing. Blocks; never called on
//! an async thread.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::fault::{Class, Fault};
use crate::error::Result;

/// What a dead letter needs beyond its source's largest record: its headers.
pub(crate) const DEAD_LETTER_ROOM: u64 = 64 * 1024;

/// A topic of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) partitions: usize,
}

/// A topic to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewTopic {
    pub(crate) name: String,
    /// The broker's default where it is `None`.
    pub(crate) max_message_bytes: Option<u64>,
}

impl NewTopic {
    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), max_message_bytes: None }
    }
}

/// The command that makes the topic, for the reader of an error.
pub(crate) fn create_command(brokers: &[String], topic: &NewTopic) -> String {
    let mut command = format!(
        "kafka-topics.sh --bootstrap-server {} --create --topic {} --partitions 3",
        brokers.join(","),
        topic.name
    );
    if let Some(bytes) = topic.max_message_bytes {
        command.push_str(&format!(" --config max.message.bytes={bytes}"));
    }
    command
}

/// A topic that the brokers do not make.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) topic: String,
    pub(crate) fault: Fault,
    /// Whether the same request may go through later.
    pub(crate) mendable: bool,
}

impl Refused {
    /// All of them in one line.
    pub(crate) fn list(refused: &[Self]) -> String {
        let each = refused.iter().map(|Self { topic, fault, .. }| match fault.class {
            Class::TopicDenied | Class::ClusterDenied => {
                format!(
                    "{topic} (not authorised: the user of this client needs the permission to create topics)"
                )
            }
            _ => format!("{topic} ({fault})"),
        });
        each.collect::<Vec<_>>().join(", ")
    }
}

/// A client for administration. It is made, used and dropped on one thread of the caller's, which is none of
/// an async runtime.
pub(crate) trait Admin {
    /// All topics but Kafka's internal ones, by name; none is created by asking.
    fn topics(&self) -> Result<Vec<Topic>>;

    /// The names of all topics but Kafka's internal ones, also of those that have no leader now.
    fn names(&self) -> Result<BTreeSet<String>>;

    /// How many members each of these groups has; without those that nobody tells of in time. A user may lack
    /// the permission to ask, and a start is not to wait long for a figure that only tunes.
    fn group_members(&self, groups: &[&str]) -> BTreeMap<String, usize>;

    /// Whether the brokers keep the topic from this client's user.
    fn is_denied(&self, topic: &str) -> bool;

    /// Makes the topics with the broker's default of partitions and replicas, and waits until each
    /// partition's leader answers. One that is there is fine.
    fn create(&self, topics: &[NewTopic]) -> Result<()>;

    /// Asks the brokers to make the topics; gives those that they refuse.
    fn request(&self, topics: &[NewTopic]) -> Result<Vec<Refused>>;

    /// `max.message.bytes` of each of the topics; those that cannot be described are left out.
    fn max_message_bytes(&self, topics: &[&str]) -> Result<HashMap<String, u64>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_pasted() {
        let brokers = ["a:9092".to_owned(), "b:9092".to_owned()];
        assert_eq!(
            create_command(&brokers, &NewTopic::named("orders")),
            "kafka-topics.sh --bootstrap-server a:9092,b:9092 --create --topic orders --partitions 3"
        );
        let dead_letter =
            NewTopic { name: "orders.dlq".to_owned(), max_message_bytes: Some(1_048_588 + DEAD_LETTER_ROOM) };
        assert!(create_command(&brokers, &dead_letter).ends_with(" --config max.message.bytes=1114124"));
    }
}
