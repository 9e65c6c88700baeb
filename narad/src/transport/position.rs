//! Places in logs: where to read, what is committed, where a log begins and ends.

/// A partition, and where to begin to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) begin: Begin,
}

/// Where a partition is begun to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// Where the transport finds the committed offset.
    Committed,
    /// At the first record that there is.
    Beginning,
    At(ReadPosition),
    /// Not at all: where it begins could not be found out before the group ended or lost it.
    Nowhere,
}

/// Where a partition is read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReadPosition {
    /// The next offset to be read; below zero it is the first that there is.
    pub(crate) next: i64,
    /// The leader epoch of what was read before it; below zero it is not known.
    pub(crate) epoch: i32,
}

/// What is committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The next offset to be read.
    pub(crate) next: i64,
    /// ASCII, so that every client can read it.
    pub(crate) metadata: String,
    /// The highest leader epoch that was read of the partition; below zero it is not known. A broker tells by
    /// it whether its log still is the one that was read.
    pub(crate) epoch: i32,
}

/// One end of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) offset: i64,
    /// As of which leader epoch the offset is; below zero where brokers do not tell.
    pub(crate) epoch: i32,
}

/// Which end of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// The lowest offset that there is.
    Lowest,
    /// The next offset that a committed record will have.
    Next,
}
