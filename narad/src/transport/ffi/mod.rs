//! The one place with `unsafe`: calls to librdkafka that rdkafka has no safe way for.
//!
//! Headers and commit metadata that are not UTF-8 (rdkafka panics on them), queues of single partitions with batch reads, commits with a deadline,
//! and the generation of a group. What leaves this module is safe to use from any thread.
#![allow(unsafe_code)]

mod commit;
mod generation;
mod message;
pub(crate) mod mock;
pub(crate) mod produce;
mod queue;

pub(crate) use commit::{CommitError, Position, commit, committed};
pub(crate) use generation::generation;
pub(crate) use message::KafkaMessage;
pub(crate) use queue::{PartitionQueue, QueueError};
