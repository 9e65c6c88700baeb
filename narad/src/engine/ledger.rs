//! What is delivered and not finished, and the one place that settles a record.

use std::collections::HashMap;

use super::held::Held;
use super::next_offset::NextOffset;
use super::offsets::OffsetTracker;
use super::order::Order;
use super::pending::Pending;
use super::settled::Tally;
use super::stage::{Event, Stage};
use crate::record::Record;

/// The accounts of a partition: offsets, keys, what is held, what is in flight, and what records came to.
pub(super) struct Ledger {
    pub(super) tracker: OffsetTracker,
    pub(super) order: Order,
    pub(super) held: Held,
    in_flight: HashMap<u64, InFlight>,
    next_id: u64,
    tally: Tally,
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
    /// What it came to for those that are.
    came_to: Tally,
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
            tally: Tally::default(),
            finished: 0,
        }
    }

    /// **The one place that settles records.** They are finished: their offsets count for the commit, their
    /// keys are free, what they held is given back, and they are counted as what they came to.
    #[inline]
    pub(super) fn settle(&mut self, places: &[Place], bytes: usize, came_to: &Tally) {
        self.tally.add(came_to);
        if came_to.has_work() {
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
        let it = InFlight { places, bytes, open, stage, came_to: Tally::default(), is_left: false };
        self.in_flight.insert(id, it);
        id
    }

    /// What they came to already, for handlers that were through with them before they were followed.
    pub(super) fn came_to(&mut self, id: u64, came_to: &Tally) {
        if let Some(it) = self.in_flight.get_mut(&id) {
            it.came_to.add(came_to);
        }
    }

    /// A handler did not finish these at once.
    pub(super) fn pursued(&mut self, id: u64) {
        if let Some(it) = self.in_flight.get_mut(&id) {
            it.stage.moves(Event::Pursued);
        }
    }

    /// A handler is through with these; `None` where it left them.
    pub(super) fn through(&mut self, id: u64, came_to: Option<&Tally>) {
        let Some(it) = self.in_flight.get_mut(&id) else { return };
        match came_to {
            Some(tally) => it.came_to.add(tally),
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
        self.settle(&it.places, it.bytes, &it.came_to);
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

    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
    }

    pub(super) fn finished(&self) -> u64 {
        self.finished
    }

    /// What records came to since the last time.
    pub(super) fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
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
