//! The seam by librdkafka: what is outside of this module knows no types of rdkafka's.

mod admin;
mod client;
#[cfg(test)]
mod client_tests;
pub(crate) mod embedded;
mod fault;
pub(crate) mod ffi;
#[cfg(test)]
mod idle_member;
mod member;
mod producer;
mod properties;
mod queue;
mod said;
mod transport;

#[cfg(test)]
pub(crate) use client::Client;
#[cfg(test)]
pub(crate) use idle_member::{await_joined, idle_member, idle_member_at};
pub(crate) use said::said;
pub(crate) use transport::Kafka;

/// The version of librdkafka that is built in.
#[cfg(feature = "http")]
pub(crate) fn client_version() -> String {
    rdkafka::util::get_rdkafka_version().1
}
