//! The batch that is being gathered.

use std::collections::HashMap;
use std::time::Instant;

use super::pending::Pending;
use super::policy::BatchPolicy;
use super::stage::Event;
use crate::handler::Rejection;

#[derive(Default)]
pub(super) struct Gathering {
    records: Vec<Pending>,
    /// How long more is waited for; `None` where nobody waits.
    until: Option<Instant>,
    /// The records, by offset, that a batch turned out not to hold, until it is their turn.
    unfit: HashMap<i64, Rejection>,
}

impl Gathering {
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn add(&mut self, record: Pending) {
        self.records.push(record.moves(Event::Gathered));
    }

    /// Until when more is waited for; `None` where the batch is to be handed over.
    pub(super) fn waits_until(&mut self, policy: BatchPolicy, now: Instant) -> Option<Instant> {
        if self.records.len() >= policy.max {
            return None;
        }
        let until = *self.until.get_or_insert(now + policy.wait);
        (now < until).then_some(until)
    }

    /// What was gathered, in the order of the partition.
    pub(super) fn take(&mut self) -> Vec<Pending> {
        self.until = None;
        let mut records = std::mem::take(&mut self.records);
        // What had waited behind its key was gathered before what is older and of another key.
        records.sort_unstable_by_key(Pending::offset);
        records
    }

    /// A batch turned out not to hold this one: it is given up by itself when its turn comes.
    pub(super) fn is_unfit(&mut self, offset: i64, rejection: Rejection) {
        self.unfit.insert(offset, rejection);
    }

    pub(super) fn take_unfit(&mut self, offset: i64) -> Option<Rejection> {
        self.unfit.remove(&offset)
    }

    /// What lies at this offset or above is left to the next owner; it counts as held until the partition is
    /// let go.
    pub(super) fn leave_from(&mut self, start: i64) {
        self.records.retain(|record| record.offset() < start);
    }

    /// Takes out what lies at this offset or above.
    pub(super) fn take_from(&mut self, start: i64) -> Vec<Pending> {
        self.unfit.retain(|offset, _| *offset < start);
        self.records.extract_if(.., |record| record.offset() >= start).collect()
    }

    /// The record at this offset, where it was gathered.
    pub(super) fn find(&self, offset: i64) -> Option<&Pending> {
        self.records.iter().find(|record| record.offset() == offset)
    }

    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.until = None;
        self.unfit.clear();
    }

    pub(super) fn shrink_to(&mut self, room: usize) {
        self.records.shrink_to(room);
        self.unfit.shrink_to(room);
    }
}
