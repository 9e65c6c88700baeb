//! What records came to.

/// What a record came to: for one of its handlers, or as a whole where none takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// Its handler is done with it, and what it returned is published.
    Handled,
    /// Dropped, as its handler or `dead_letter = "skip"` says.
    Skipped,
    /// In a dead-letter topic, acknowledged.
    DeadLettered,
    /// No handler takes it.
    Unhandled(Unhandled),
    /// An earlier owner of the partition has finished it.
    FinishedBefore,
}

/// Why no handler takes a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unhandled {
    /// None takes its type: passed over, or in the group's dead letter, as `unknown` says.
    UnknownType,
    /// It has no value: in the group's dead letter, or passed over, as `tombstone` says.
    Tombstone,
    /// There is nothing to dispatch on: in the group's dead letter.
    Malformed,
}

/// How many came to what: each record once for each of its handlers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) handled: u64,
    pub(crate) skipped: u64,
    pub(crate) dead_lettered: u64,
    pub(crate) unknown_type: u64,
    pub(crate) tombstone: u64,
    pub(crate) malformed: u64,
    pub(crate) finished_before: u64,
}

impl Tally {
    /// One record that is handled.
    pub(crate) const HANDLED: Self = Self {
        handled: 1,
        skipped: 0,
        dead_lettered: 0,
        unknown_type: 0,
        tombstone: 0,
        malformed: 0,
        finished_before: 0,
    };

    #[inline]
    pub(crate) fn of(settled: Settled, records: usize) -> Self {
        let mut tally = Self::default();
        tally.count(settled, records as u64);
        tally
    }

    #[inline]
    pub(crate) fn count(&mut self, settled: Settled, records: u64) {
        *match settled {
            Settled::Handled => &mut self.handled,
            Settled::Skipped => &mut self.skipped,
            Settled::DeadLettered => &mut self.dead_lettered,
            Settled::Unhandled(Unhandled::UnknownType) => &mut self.unknown_type,
            Settled::Unhandled(Unhandled::Tombstone) => &mut self.tombstone,
            Settled::Unhandled(Unhandled::Malformed) => &mut self.malformed,
            Settled::FinishedBefore => &mut self.finished_before,
        } += records;
    }

    #[inline]
    pub(crate) fn add(&mut self, other: &Self) {
        self.handled += other.handled;
        self.skipped += other.skipped;
        self.dead_lettered += other.dead_lettered;
        self.unknown_type += other.unknown_type;
        self.tombstone += other.tombstone;
        self.malformed += other.malformed;
        self.finished_before += other.finished_before;
    }

    /// Whether something was done about the records here, which were in flight: what nobody takes was only
    /// so on its way to the group's dead letter.
    #[inline]
    pub(crate) fn has_work(&self) -> bool {
        let unhandled = self.unknown_type + self.tombstone + self.malformed;
        self.handled + self.skipped + self.dead_lettered + unhandled > 0
    }
}
