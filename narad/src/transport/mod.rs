//! The seam to Kafka.

mod fault;
pub(crate) mod kafka;
mod membership;
mod message;
mod position;
mod signal;
mod unread;

pub(crate) use fault::{Class, Fault};
pub(crate) use kafka::ffi::KafkaMessage;
pub(crate) use kafka::ffi::ends::Asked;
pub(crate) use kafka::{
    Client, ClientProperties, EMBEDDED, GroupEvents, Kind, PartitionQueue, Refusal, Sent, admin, embedded,
    ffi, said,
};
#[cfg(test)]
pub(crate) use kafka::{idle_member, idle_member_at};
pub(crate) use membership::{CommitError, Membership, Verdict};
pub(crate) use message::{Message, Outgoing, OwnedMessage, header_bytes, uncounted};
pub(crate) use position::{Begin, End, Partition, Position, ReadPosition, Which};
pub(crate) use signal::Signal;
pub(crate) use unread::{NoRecord, Unread};
