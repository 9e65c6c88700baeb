//! The seam to Kafka.

pub(crate) mod kafka;
mod message;
mod signal;

pub(crate) use kafka::ffi::ends::{Asked, End, Which, ask};
pub(crate) use kafka::ffi::{
    CommitError, KafkaMessage, Membership, NoRecord, PartitionQueue, Position, QueueError, Sent, Unread,
    Verdict, cluster_id, commit, committed, membership,
};
pub(crate) use kafka::{
    Begin, Client, ClientProperties, EMBEDDED, GroupEvents, Kind, Partition, ReadPosition, Refusal, admin,
    embedded, ffi, said,
};
#[cfg(test)]
pub(crate) use kafka::{idle_member, idle_member_at};
pub(crate) use message::{Message, Outgoing, OwnedMessage, header_bytes, uncounted};
pub(crate) use signal::Signal;
