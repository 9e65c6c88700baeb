//! The seam to Kafka.

pub(crate) mod kafka;
mod message;
mod signal;

pub(crate) use kafka::ffi::ends::{Asked, End, Which};
pub(crate) use kafka::ffi::{
    CommitError, KafkaMessage, Membership, NoRecord, Position, QueueError, Unread, Verdict,
};
pub(crate) use kafka::{
    Begin, Client, ClientProperties, EMBEDDED, GroupEvents, Kind, Partition, PartitionQueue, ReadPosition,
    Refusal, Sent, admin, embedded, ffi, said,
};
#[cfg(test)]
pub(crate) use kafka::{idle_member, idle_member_at};
pub(crate) use message::{Message, Outgoing, OwnedMessage, header_bytes, uncounted};
pub(crate) use signal::Signal;
