//! The one place with `unsafe`: calls to librdkafka that rdkafka has no safe way for.
//!
//! Headers and commit metadata that are not UTF-8 (rdkafka panics on them), queues of single partitions with
//! batch reads, commits with a deadline, a client's cluster and its place in its group, and questions to the
//! leaders of many partitions at once. What leaves this module is safe to use from any thread.
#![allow(unsafe_code)]

mod cluster;
mod commit;
mod convert;
pub(crate) mod ends;
mod epoch;
mod group_members;
mod handle;
pub(crate) mod leaders;
mod membership;
mod message;
pub(crate) mod mock;
pub(crate) mod produce;
mod queue;
#[cfg(test)]
mod stress;
pub(crate) mod tls;
mod token;

pub(crate) use cluster::cluster_id;
pub(crate) use commit::{Sent, commit, committed};
pub(crate) use epoch::add_position;
pub(crate) use group_members::group_members;
pub(crate) use handle::{Handle, Kept};
pub(crate) use membership::membership;
pub(crate) use message::{KafkaMessage, headers};
pub(crate) use queue::{Queue, Taken, waiting_events};
pub(crate) use token::LoggedIn;
