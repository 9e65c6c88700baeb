//! How much a lane holds, and how much it may read at once.

use crate::record::Record;

/// How many bytes of records are read at once; a larger record is read alone.
const READ_BYTES: usize = 1 << 20;

/// What was read and is neither settled nor left.
#[derive(Debug)]
pub(crate) struct Held {
    records: usize,
    bytes: usize,
    /// What a record takes with its headers, as those that were read last did: less is read at once of larger
    /// ones.
    typical: usize,
    /// The most records since it was last asked.
    most: usize,
}

impl Default for Held {
    fn default() -> Self {
        Self { records: 0, bytes: 0, typical: READ_BYTES / 16, most: 0 }
    }
}

impl Held {
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many records may be read at once, where so many would be.
    pub(super) fn helping(&self, most: usize) -> usize {
        most.min(READ_BYTES / self.typical.max(1)).max(1)
    }

    /// Counts records that were read. `one` is what one of them takes with its headers; it stands for all.
    pub(super) fn read(&mut self, records: usize, bytes: usize, one: usize) {
        if records == 0 {
            return;
        }
        self.typical = one.max(bytes / records).max(self.typical / 2);
        self.records += records;
        self.bytes += bytes;
        self.most = self.most.max(self.records);
    }

    #[inline]
    pub(super) fn release(&mut self, records: usize, bytes: usize) {
        self.records -= records;
        self.bytes -= bytes;
    }

    /// Gives a record memory of its own, and counts it as that; how much more it takes by that.
    pub(super) fn detach(&mut self, record: &mut Record) -> usize {
        let before = record.bytes();
        *record = record.detached();
        let more = record.bytes().saturating_sub(before);
        self.bytes += more;
        more
    }

    /// The most records that were held since the last time.
    pub(super) fn take_most(&mut self) -> usize {
        std::mem::replace(&mut self.most, self.records)
    }

    /// All of it is dropped.
    pub(super) fn clear(&mut self) {
        (self.records, self.bytes) = (0, 0);
    }
}
