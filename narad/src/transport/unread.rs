//! What stands in the queue of a partition and is no record.

use super::fault::{Class, Fault};

/// What stands in a queue and is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoRecord {
    /// Everything below this offset has come: the log ends there for now, or a transaction is open there.
    ///
    /// The broker was asked for this offset and had nothing, and this is also the place behind what is not
    /// shown: transaction markers, aborted records, and what compaction took out. It is said once for each
    /// end.
    End(i64),
    Unread(Unread),
}

/// What of a partition could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    pub(crate) fault: Fault,
    /// For most errors the offset that was to be read; below zero where there is none.
    pub(crate) offset: i64,
    /// The client's own words.
    pub(crate) reason: String,
}

impl Unread {
    /// A batch came that cannot be read, or does not fit into any answer. librdkafka goes on behind it where
    /// a later one of the same answer is good: what comes next in the queue may leave records out.
    pub(crate) fn is_broken_batch(&self) -> bool {
        matches!(self.fault.class, Class::BrokenBatch | Class::TooLarge)
    }

    /// The log is not what it was, or the client thinks so: it reads no more of the partition.
    pub(crate) fn is_of_another_log(&self) -> bool {
        self.fault.class == Class::LogChanged
    }
}
