//! What librdkafka may fetch ahead of each partition, and what that is to be by the partitions that there
//! are.
//!
//! librdkafka takes its limits, which are limits of each partition, when a client is made. They are sized for
//! the share of the group's partitions that the process is expected to have; where members leave, or
//! partitions are added, it has more of them, and each gets less.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use crate::transport::ClientProperties;

/// Beside a thousand partitions, one's share would be less than a batch.
const LEAST_BYTES: usize = 256 << 10;
/// And it could not fill the workers.
const LEAST_RECORDS: usize = 500;

/// What librdkafka was told when the client was made, and for how many partitions.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    records: usize,
    bytes: usize,
    /// What a fetch brings of a partition. One is on its way, and one stays in memory as long as one of its
    /// records does: they count, too, where what there is is shared out.
    fetch: usize,
    /// `None` where they hold for each, however many there are.
    partitions: Option<usize>,
    /// How many there are now.
    assigned: Arc<AtomicUsize>,
}

impl Limits {
    pub(crate) fn of(client: &ClientProperties, partitions: Option<usize>) -> Self {
        let number = |name, default| client.get(name).and_then(|n| n.parse().ok()).unwrap_or(default);
        Self::new(
            number("queued.min.messages", 100_000),
            (number("queued.max.messages.kbytes", 65_536) << 10).max(LEAST_BYTES),
            number("fetch.message.max.bytes", 1 << 20),
            partitions,
        )
    }

    pub(super) fn new(records: usize, bytes: usize, fetch: usize, partitions: Option<usize>) -> Self {
        Self { records, bytes, fetch, partitions, assigned: Arc::default() }
    }

    /// One more partition is fetched.
    pub(super) fn share(&self) -> Share {
        self.assigned.fetch_add(1, Relaxed);
        Share(self.clone())
    }
}

/// One partition's, as long as it is fetched.
#[derive(Debug)]
pub(super) struct Share(Limits);

impl Share {
    /// The number of records that librdkafka fetches ahead.
    pub(super) fn told_records(&self) -> usize {
        self.0.records
    }

    /// The number of records that are to be fetched ahead, with as many partitions as there are now.
    pub(super) fn records(&self) -> usize {
        self.of(self.0.records, 0, LEAST_RECORDS)
    }

    /// The same in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.of(self.0.bytes, 2 * self.0.fetch, LEAST_BYTES)
    }

    /// Whether librdkafka fetches more ahead than is to be, by more than a quarter.
    pub(super) fn is_exceeded(&self) -> bool {
        4 * self.0.bytes > 5 * self.bytes() || 4 * self.0.records > 5 * self.records()
    }

    fn of(&self, told: usize, beside: usize, least: usize) -> usize {
        let assigned = self.0.assigned.load(Relaxed);
        match self.0.partitions {
            Some(partitions) if assigned > partitions => {
                let all = (told + beside).saturating_mul(partitions);
                (all / assigned).saturating_sub(beside).max(least.min(told))
            }
            _ => told,
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.assigned.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_partitions_than_the_limits_are_made_for_get_less_each() {
        let limits = Limits::new(9_000, 2 << 20, 512 << 10, Some(10));
        let mut shares: Vec<_> = (0..10).map(|_| limits.share()).collect();
        assert_eq!((shares[0].records(), shares[0].bytes()), (9_000, 2 << 20));
        shares.extend((0..5).map(|_| limits.share()));
        assert_eq!(
            (shares[0].records(), shares[0].bytes()),
            (6_000, 1 << 20),
            "a fetch of each is in memory"
        );
        shares.extend((0..15).map(|_| limits.share()));
        assert_eq!(
            (shares[0].records(), shares[0].bytes()),
            (3_000, LEAST_BYTES),
            "two fetches take the most"
        );
        assert!(shares[0].is_exceeded());
        shares.extend((0..10_000).map(|_| limits.share()));
        assert_eq!((shares[0].records(), shares[0].bytes()), (LEAST_RECORDS, LEAST_BYTES));
        shares.truncate(11);
        assert!(!shares[0].is_exceeded(), "a few more are left to librdkafka");
        shares.truncate(1);
        assert_eq!((shares[0].records(), shares[0].bytes()), (9_000, 2 << 20), "and they get it back");
    }

    #[test]
    fn limits_that_are_the_least_already_are_never_exceeded() {
        let limits = Limits::new(LEAST_RECORDS, LEAST_BYTES, 1 << 20, Some(1));
        let shares: Vec<_> = (0..1_000).map(|_| limits.share()).collect();
        assert!(!shares[0].is_exceeded());
    }

    #[test]
    fn limits_of_each_partition_hold_however_many_there_are() {
        let limits = Limits::new(9_000, 2 << 20, 1 << 20, None);
        let shares: Vec<_> = (0..1_000).map(|_| limits.share()).collect();
        assert_eq!((shares[0].records(), shares[0].bytes()), (9_000, 2 << 20));
    }
}
