//! Bytes and records that wait, counted together.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Bytes are the lower bits of a load, records the upper ones: 1 TiB and 16 million.
const BYTES: u32 = 40;
const MOST_BYTES: u64 = (1 << BYTES) - 1;
const MOST_RECORDS: u64 = (1 << (64 - BYTES)) - 1;

/// Bytes and records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load(pub(super) u64);

impl Load {
    pub(super) fn new(records: usize, bytes: usize) -> Self {
        Self((records as u64).min(MOST_RECORDS) << BYTES | (bytes as u64).min(MOST_BYTES))
    }

    /// As much as may wait: so much that sums of a few of them still fit.
    pub(super) fn limit(records: u64, bytes: u64) -> Self {
        Self(records.min(MOST_RECORDS / 4) << BYTES | bytes.min(MOST_BYTES / 4))
    }

    /// Of one record.
    pub(super) fn one(bytes: usize) -> Self {
        Self::new(1, bytes)
    }

    pub(super) fn bytes(self) -> u64 {
        self.0 & MOST_BYTES
    }

    pub(super) fn records(self) -> u64 {
        self.0 >> BYTES
    }

    /// There is no borrow or carry between the two: a sum has what was added to it.
    pub(super) fn plus(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    pub(super) fn less(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }

    pub(super) fn part(self, of: u64) -> Self {
        Self(((self.records() / of) << BYTES) | (self.bytes() / of))
    }

    pub(super) fn at_most(self, most: Self) -> Self {
        Self(self.records().min(most.records()) << BYTES | self.bytes().min(most.bytes()))
    }

    pub(super) fn at_least(self, least: Self) -> Self {
        Self(self.records().max(least.records()) << BYTES | self.bytes().max(least.bytes()))
    }

    /// What is left; nothing, where there is too little.
    pub(super) fn without(self, other: Self) -> Self {
        let (records, bytes) =
            (self.records().saturating_sub(other.records()), self.bytes().saturating_sub(other.bytes()));
        Self(records << BYTES | bytes)
    }

    pub(super) fn is_within(self, most: Self) -> bool {
        self.bytes() <= most.bytes() && self.records() <= most.records()
    }
}

/// A load that changes.
#[derive(Debug, Default)]
pub(super) struct Sum(AtomicU64);

impl Sum {
    pub(super) fn load(&self) -> Load {
        Load(self.0.load(SeqCst))
    }

    /// Gives what it was before.
    pub(super) fn add(&self, load: Load) -> Load {
        Load(self.0.fetch_add(load.0, SeqCst))
    }

    /// Gives what it was before.
    pub(super) fn subtract(&self, load: Load) -> Load {
        Load(self.0.fetch_sub(load.0, SeqCst))
    }
}
