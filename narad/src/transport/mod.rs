//! The seam to Kafka: what is outside of this module knows no types of rdkafka's.

mod client;
#[cfg(test)]
mod client_tests;
pub(crate) mod embedded;
pub(crate) mod ffi;
#[cfg(test)]
mod idle_member;

pub(crate) mod admin;
mod message;
mod properties;
mod said;
mod signal;

pub(crate) use client::{Begin, Client, GroupEvents, Partition, ReadPosition};
pub(crate) use ffi::ends::{Asked, End, Which, ask};
pub(crate) use ffi::{
    CommitError, KafkaMessage, Membership, NoRecord, PartitionQueue, Position, QueueError, Sent, Unread,
    Verdict, cluster_id, commit, committed, membership,
};
#[cfg(test)]
pub(crate) use idle_member::{idle_member, idle_member_at};
pub(crate) use message::{Message, Outgoing, OwnedMessage, header_bytes, uncounted};
pub(crate) use properties::{ClientProperties, EMBEDDED, Kind, Refusal};
pub(crate) use said::said;
pub(crate) use signal::Signal;
