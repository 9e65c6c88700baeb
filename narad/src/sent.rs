//! What an acknowledgement says.

use std::sync::Arc;

/// The place of an acknowledged record. Partition and offset are `None` if development mode logged the record
/// instead of sending it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: Option<i32>,
    pub(crate) offset: Option<i64>,
}

impl Sent {
    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partition; `None` in development mode without a broker.
    pub fn partition(&self) -> Option<i32> {
        self.partition
    }

    /// The offset; `None` in development mode without a broker.
    pub fn offset(&self) -> Option<i64> {
        self.offset
    }
}
