//! librdkafka: what is outside of this module knows no types of rdkafka's.

pub(crate) mod admin;
mod client;
#[cfg(test)]
mod client_tests;
pub(crate) mod embedded;
mod fault;
pub(crate) mod ffi;
#[cfg(test)]
mod idle_member;
mod properties;
mod queue;
mod said;

pub(crate) use client::{Client, GroupEvents, Sent};
#[cfg(test)]
pub(crate) use idle_member::{idle_member, idle_member_at};
pub(crate) use properties::{ClientProperties, EMBEDDED, Kind, Refusal};
pub(crate) use queue::PartitionQueue;
pub(crate) use said::said;
