//! The seam to Kafka: plain data and traits. Outside of [`kafka`], which runs them with librdkafka, nobody
//! knows a type of rdkafka's.

pub(crate) mod admin;
mod consume;
mod fault;
pub(crate) mod kafka;
mod membership;
#[cfg(test)]
mod memory;
mod message;
mod position;
mod produce;
mod properties;
mod signal;
mod unread;

#[cfg(test)]
pub(crate) use consume::NoEvents;
pub(crate) use consume::{Asked, Batch, Filled, GroupEvents, Member, PartitionQueue, Queue, Sent, Transport};
pub(crate) use fault::{Class, Fault};
#[cfg(feature = "http")]
pub(crate) use kafka::client_version;
#[cfg(test)]
pub(crate) use kafka::{Client, await_joined, idle_member, idle_member_at};
pub(crate) use kafka::{Kafka, embedded, ffi};
pub(crate) use membership::{CommitError, Membership, Verdict};
#[cfg(test)]
pub(crate) use memory::{Memory, MemoryMember};
pub(crate) use message::{Message, Outgoing, OwnedMessage, header_bytes};
pub(crate) use position::{Begin, End, Partition, Position, ReadPosition, Which};
pub(crate) use produce::{
    Asks, BadCertificate, Call, Deliveries, ProducerClient, Producers, Seen, Ticket, TicketOf,
};
pub(crate) use properties::{ClientProperties, EMBEDDED, Kind, Refusal};
pub(crate) use signal::Signal;
pub(crate) use unread::{NoRecord, Unread};
