//! Batches of a partition: gathered in its order, handed over together, and taken apart where their records
//! have different fates.

use std::time::Instant;

use super::{BATCH, Id, Next, Partition, Retried};
use crate::codec::Outline;
use crate::engine::dispatch::{Routes, Targets};
use crate::engine::ledger::Place;
use crate::engine::part::{Next as NextOfPart, parts};
use crate::engine::pending::{Pending, Way};
use crate::engine::policy::{BatchPolicy, Policy};
use crate::engine::settled::{Settled, Tally};
use crate::engine::stage::{Event, Stage};
use crate::handler::Reply;
use crate::record::Record;

impl Partition {
    /// The same for a batch: what is to be handed over together is gathered.
    pub(crate) fn gather(
        &mut self,
        routes: &Routes,
        drains: bool,
        nobody: impl FnOnce(Option<&str>, &Record),
    ) -> Next {
        let highest = self.highest_started;
        // Records that are handed over one by one take the time of as many batches. A drain leaves them to
        // the next owner, as it does with what waits for its next attempt.
        if !drains && let Some(alone) = self.isolation.next(&mut self.ledger.order) {
            return Next::Due(alone);
        }
        let is_begun = |front: &Pending| Some(front.offset()) <= highest && !front.is_isolated();
        let waited = self.ledger.order.gather_next(|front| !drains || is_begun(front));
        if let Some(next) = waited {
            return match self.gathering.take_unfit(next.offset()) {
                Some(rejection) => Next::Unfit(Box::new((next, rejection))),
                None => self.add_to_batch(next),
            };
        }
        if drains {
            return Next::Nothing;
        }
        match self.look_at_next(routes, nobody) {
            Next::Due(next) => self.add_to_batch(next),
            other => other,
        }
    }

    fn add_to_batch(&mut self, next: Pending) -> Next {
        if let Way::GroupDeadLetter(..) | Way::Alone(_) = next.way {
            return Next::Due(next);
        }
        if !next.has_waited() {
            self.ledger.tracker.deliver(next.offset(), next.key);
        }
        self.gathering.add(next);
        Next::Waits
    }

    /// How many records are gathered for the next batch.
    pub(crate) fn gathered(&self) -> usize {
        self.gathering.len()
    }

    /// The partition drains: of what is gathered, the next owner gets what lies above all that was started.
    pub(crate) fn gather_no_more(&mut self) {
        let start = self.highest_started.map_or(i64::MIN, |highest| highest + 1);
        self.gathering.leave_from(start);
    }

    /// Until when the batch waits for more records; `None` where it is to be handed over.
    pub(crate) fn batch_waits_until(&mut self, policy: BatchPolicy, now: Instant) -> Option<Instant> {
        self.gathering.waits_until(policy, now)
    }

    /// Hands over what was gathered, in the order of the partition.
    pub(crate) fn start_batch(&mut self) -> (Id, Vec<(Record, Outline)>) {
        let gathered = self.gathering.take();
        let (mut places, mut bytes) = (Vec::with_capacity(gathered.len()), 0);
        let mut records = Vec::with_capacity(gathered.len());
        for next in gathered {
            self.starts(&next);
            let next = next.moves(Event::Started);
            let (offset, key) = (next.offset(), next.key);
            self.ledger.close_key(offset, key, true);
            places.push(Place::Open { offset, key });
            let record = self.detached(next.record);
            bytes += record.bytes();
            records.push((record, next.outline));
        }
        (self.ledger.open(places, bytes, Stage::Running, 1), records)
    }

    /// The records of a batch go on apart, by the reply of this attempt: what is done is settled, what is
    /// held back waits, and the rest is given back, each part with what it has before it.
    pub(crate) fn come_apart(
        &mut self,
        id: Id,
        records: Vec<(Record, Outline)>,
        policy: &Policy,
        attempt: u32,
        reply: Reply,
    ) -> Vec<Retried> {
        let Some((places, stage)) = self.ledger.take_apart(id) else { return Vec::new() };
        if !reply.unfit.is_empty() {
            // The handler has seen none of them yet. Those that do not fit wait for their turn with the
            // others.
            for (of, rejection) in reply.unfit {
                if let Place::Open { offset, .. } = places[of] {
                    self.gathering.is_unfit(offset, rejection);
                }
            }
            self.hold_back(records.into_iter().zip(places).collect(), stage, Event::HeldBack, batch);
            return Vec::new();
        }
        let keys: Vec<u64> = places.iter().map(Place::key).collect();
        let mut records: Vec<_> = records.into_iter().zip(places).map(Some).collect();
        let (mut retried, mut held_back) = (Vec::new(), Vec::new());
        for part in parts(&keys, reply, |outcome| policy.tries_again(outcome, attempt)) {
            let placed: Vec<_> = part.places.iter().filter_map(|place| records[*place].take()).collect();
            if let NextOfPart::HeldBack = part.next {
                held_back = placed;
                continue;
            }
            let (records, places): (Vec<_>, Vec<_>) = placed.into_iter().unzip();
            let bytes = records.iter().map(|(record, _): &(Record, Outline)| record.bytes()).sum();
            let id = self.ledger.open(places, bytes, stage, 1);
            match part.next {
                NextOfPart::Retried(reply) => {
                    self.retries(id);
                    retried.push(Retried { id, records, reply });
                }
                _ => self.through(id, Some(BATCH), Some(Tally::of(Settled::Handled, records.len()))),
            }
        }
        self.hold_back(held_back, stage, Event::HeldBack, batch);
        retried
    }

    /// The records of a batch go on one by one, each after so many attempts: it has failed as a whole.
    pub(crate) fn isolate(&mut self, id: Id, records: Vec<(Record, Outline)>, attempts: u32) {
        let Some((places, stage)) = self.ledger.take_apart(id) else { return };
        for place in &places {
            if let Place::Open { offset, key } = *place {
                self.isolation.add(offset, key);
            }
        }
        let records = records.into_iter().zip(places).collect();
        self.hold_back(records, stage, Event::Isolated, || Way::Alone(attempts));
    }

    /// Puts records back to the front of their keys, in order, before any of these is free again; but for
    /// those that are gone from the log.
    fn hold_back(
        &mut self,
        records: Vec<((Record, Outline), Place)>,
        stage: Stage,
        why: Event,
        way: impl Fn() -> Way,
    ) {
        let keys: Vec<u64> = records.iter().map(|(_, place)| place.key()).collect();
        for ((record, outline), place) in records.into_iter().rev() {
            if let Place::Gone { .. } = place {
                self.ledger.leave(1, record.bytes());
                continue;
            }
            let next = Pending { record, outline, key: place.key(), way: way(), stage };
            self.ledger.order.put_back(next.moves(why));
        }
        keys.into_iter().for_each(|key| self.ledger.order.free(key));
    }
}

/// The way of a record that goes into a batch again.
fn batch() -> Way {
    Way::Handlers(Targets::One(BATCH))
}

#[cfg(test)]
#[path = "batches_tests.rs"]
mod tests;
