//! What is delivered and not finished, and the one place that settles a record.

use std::collections::HashMap;

use super::held::Held;
use super::next_offset::NextOffset;
use super::offsets::OffsetTracker;
use super::order::Order;
use super::pending::Pending;
use super::settled::{Settled, Tally};
use super::stage::{Event, Stage};
use crate::record::Record;

/// The accounts of a partition: offsets, keys, what is held, what is in flight, and what records came to.
pub(super) struct Ledger {
    pub(super) tracker: OffsetTracker,
    pub(super) order: Order,
    pub(super) held: Held,
    in_flight: HashMap<u64, InFlight>,
    next_id: u64,
    /// By the places of handlers among those of the topic; and what no handler takes.
    tallies: Vec<Tally>,
    unhandled: Tally,
    has_counted: bool,
    /// How many records are finished by what was done about them here.
    finished: u64,
}

/// Where a record stands that is to be settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It was read just now: nothing was written down of it.
    Fresh { offset: i64 },
    /// It is delivered, and its key closed.
    Open { offset: i64, key: u64 },
    /// Its key is closed, and it is no longer in the log: others stand at its offset.
    Gone { key: u64 },
}

impl Place {
    pub(super) fn key(&self) -> u64 {
        match *self {
            // It never had one closed.
            Self::Fresh { offset } => offset as u64,
            Self::Open { key, .. } | Self::Gone { key } => key,
        }
    }
}

/// One record that is with its handlers; for a batch, all of its records.
struct InFlight {
    /// In the order of the run's records.
    places: Vec<Place>,
    bytes: usize,
    /// Handlers that are not through with it.
    open: usize,
    stage: Stage,
    /// Something was done about it by those that are.
    has_work: bool,
    /// One of them left it.
    is_left: bool,
}

impl Ledger {
    pub(super) fn new(tracker: OffsetTracker) -> Self {
        Self {
            tracker,
            order: Order::default(),
            held: Held::default(),
            in_flight: HashMap::new(),
            next_id: 0,
            tallies: Vec::new(),
            unhandled: Tally::default(),
            has_counted: false,
            finished: 0,
        }
    }

    /// **The one place that settles records.** They are finished: their offsets count for the commit, their
    /// keys are free, and what they held is given back. What they came to was [counted](Self::count) when
    /// each of their handlers was through with them; `has_work` where something was done about them here, and
    /// they were not only passed over.
    #[inline]
    pub(super) fn settle(&mut self, places: &[Place], bytes: usize, has_work: bool) {
        if has_work {
            self.finished += places.len() as u64;
        }
        self.held.release(places.len(), bytes);
        for place in places {
            match *place {
                Place::Fresh { offset } => self.tracker.finish_at_once(offset),
                Place::Open { offset, key } => {
                    self.tracker.finish(offset);
                    self.order.free(key);
                }
                Place::Gone { key } => self.order.free(key),
            }
        }
    }

    /// Records came to this, for one of their handlers or as those that none takes. No other place counts
    /// them.
    #[inline]
    pub(super) fn count(&mut self, handler: Option<usize>, came_to: &Tally) {
        self.tally(handler).add(came_to);
    }

    /// One record that no handler takes.
    #[inline]
    pub(super) fn count_unhandled(&mut self, settled: Settled) {
        self.tally(None).count(settled, 1);
    }

    /// One record is handled by these, as soon as they had it.
    #[inline]
    pub(super) fn count_handled(&mut self, handlers: &[usize]) {
        for handler in handlers {
            self.tally(Some(*handler)).handled += 1;
        }
    }

    #[inline]
    fn tally(&mut self, handler: Option<usize>) -> &mut Tally {
        self.has_counted = true;
        let Some(place) = handler else { return &mut self.unhandled };
        if place >= self.tallies.len() {
            self.tallies.resize(place + 1, Tally::default());
        }
        &mut self.tallies[place]
    }

    /// Nothing more is done about these records here: they stay unfinished, and their keys closed.
    pub(super) fn leave(&mut self, records: usize, bytes: usize) {
        self.held.release(records, bytes);
    }

    /// A record waits behind its key.
    pub(super) fn wait(&mut self, mut record: Pending) {
        self.tracker.deliver(record.offset(), record.key);
        // It may wait for long, and is not to pin what it was fetched with.
        self.held.detach(&mut record.record);
        self.order.wait(record.moves(Event::KeyClosed));
    }

    /// A record is delivered, and its key closed until it is settled.
    pub(super) fn close_key(&mut self, offset: i64, key: u64, is_delivered: bool) {
        if !is_delivered {
            self.tracker.deliver(offset, key);
        }
        self.order.close(key);
    }

    /// Follows records whose keys are closed, until so many handlers are through with them.
    pub(super) fn open(&mut self, places: Vec<Place>, bytes: usize, stage: Stage, open: usize) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let it = InFlight { places, bytes, open, stage, has_work: false, is_left: false };
        self.in_flight.insert(id, it);
        id
    }

    /// A handler had finished these before they were followed.
    pub(super) fn handled(&mut self, id: u64, handler: usize) {
        self.count_handled(&[handler]);
        if let Some(it) = self.in_flight.get_mut(&id) {
            it.has_work = true;
        }
    }

    /// A handler did not finish these at once.
    pub(super) fn retries(&mut self, id: u64) {
        if let Some(it) = self.in_flight.get_mut(&id) {
            it.stage.moves(Event::Retried);
        }
    }

    /// A handler is through with these, and they came to this; `None` where it left them.
    pub(super) fn through(&mut self, id: u64, handler: Option<usize>, came_to: Option<&Tally>) {
        if let Some(came_to) = came_to {
            self.count(handler, came_to);
        }
        let Some(it) = self.in_flight.get_mut(&id) else { return };
        match came_to {
            Some(tally) => it.has_work |= tally.has_work(),
            None => it.is_left = true,
        }
        it.open -= 1;
        if it.open > 0 {
            return;
        }
        let Some(mut it) = self.in_flight.remove(&id) else { return };
        if it.is_left {
            // Their keys stay closed, and what waits behind them is for the next owner.
            it.stage.moves(Event::Left);
            return self.leave(it.places.len(), it.bytes);
        }
        it.stage.moves(Event::Settled);
        self.settle(&it.places, it.bytes, it.has_work);
    }

    /// They go on apart: their places, in their order. Whoever calls this accounts for each.
    pub(super) fn take_apart(&mut self, id: u64) -> Option<(Vec<Place>, Stage)> {
        self.in_flight.remove(&id).map(|it| (it.places, it.stage))
    }

    /// Gives a record in flight memory of its own.
    pub(super) fn detach(&mut self, id: u64, mut record: Record) -> Record {
        if let Some(it) = self.in_flight.get_mut(&id) {
            it.bytes += self.held.detach(&mut record);
        }
        record
    }

    /// From here on the log is another one. What is in flight finishes for nothing.
    pub(super) fn go_back_to(&mut self, start: NextOffset) {
        self.tracker.go_back_to(start);
        for place in self.in_flight.values_mut().flat_map(|it| &mut it.places) {
            if let Place::Open { offset, key } = *place
                && offset >= start.0
            {
                *place = Place::Gone { key };
            }
        }
    }

    /// How many records are in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.values().map(|it| it.places.len()).sum()
    }

    /// The stage of a record that is in flight.
    pub(super) fn stage_of(&self, of: i64) -> Option<Stage> {
        let is_it = |place: &Place| matches!(place, Place::Open { offset, .. } if *offset == of);
        self.in_flight.values().find(|it| it.places.iter().any(is_it)).map(|it| it.stage)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
    }

    pub(super) fn finished(&self) -> u64 {
        self.finished
    }

    /// Tells what records came to since the last time: for each handler, by its place among those of the
    /// topic, and as those that none takes.
    pub(super) fn tell_counts(&mut self, mut tell: impl FnMut(Option<usize>, &Tally)) {
        if std::mem::take(&mut self.has_counted) {
            tell(None, &std::mem::take(&mut self.unhandled));
            for (place, tally) in self.tallies.iter_mut().enumerate() {
                tell(Some(place), &std::mem::take(tally));
            }
        }
    }

    /// All that is there is dropped, unfinished.
    pub(super) fn clear(&mut self) {
        self.in_flight.clear();
        self.order.clear();
        self.held.clear();
    }

    pub(super) fn shrink_to(&mut self, room: usize) {
        self.order.shrink_to(room);
        self.in_flight.shrink_to(room);
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.in_flight.capacity()
    }
}
