//! The order of keys: while a record is in flight its key is closed, and later records of the key wait.

use std::collections::{HashMap, VecDeque};

use super::pending::Pending;

/// The keys that have a record in flight, or something waiting.
#[derive(Default)]
pub(super) struct Order {
    keys: HashMap<u64, Key>,
    /// Keys that are free again and have something waiting, the first freed first.
    freed: VecDeque<u64>,
}

/// A key that is closed.
#[derive(Default)]
struct Key {
    /// How many of its records are in flight: one, or several of one batch.
    in_flight: usize,
    /// What waits behind them, in order.
    waiting: VecDeque<Pending>,
}

impl Order {
    pub(super) fn is_closed(&self, key: u64) -> bool {
        self.keys.contains_key(&key)
    }

    /// One more record of the key is in flight.
    pub(super) fn close(&mut self, key: u64) {
        self.keys.entry(key).or_default().in_flight += 1;
    }

    /// A record of the key is no longer in flight; one that finished in place never was.
    pub(super) fn free(&mut self, key: u64) {
        let Some(entry) = self.keys.get_mut(&key) else { return };
        entry.in_flight = entry.in_flight.saturating_sub(1);
        if entry.in_flight > 0 {
            return;
        }
        if entry.waiting.is_empty() {
            self.keys.remove(&key);
        } else {
            self.freed.push_back(key);
        }
    }

    /// A record waits behind all of its key.
    pub(super) fn wait(&mut self, record: Pending) {
        self.keys.entry(record.key).or_default().waiting.push_back(record);
    }

    /// A record waits again, before all that wait of its key.
    pub(super) fn put_back(&mut self, record: Pending) {
        self.keys.entry(record.key).or_default().waiting.push_front(record);
    }

    /// The next record whose key is free again. It is started now, alone of its key: the key stays closed.
    /// What may not start stays, with all that waits behind it.
    pub(super) fn start_next(&mut self, may_start: impl Fn(&Pending) -> bool) -> Option<Pending> {
        while let Some(key) = self.freed.pop_front() {
            let Some(Key { waiting, .. }) = self.keys.get_mut(&key) else { continue };
            match waiting.pop_front_if(|front| may_start(front)) {
                Some(next) => return Some(next),
                None if waiting.is_empty() => drop(self.keys.remove(&key)),
                None => {}
            }
        }
        None
    }

    /// The next record whose key is free again, for a batch, which may hold several of a key: it is the
    /// batch's to close the keys of its records.
    pub(super) fn gather_next(&mut self, may_start: impl Fn(&Pending) -> bool) -> Option<Pending> {
        while let Some(key) = self.freed.front().copied() {
            let next = self.keys.get_mut(&key).filter(|closed| closed.in_flight == 0).and_then(|closed| {
                let next = closed.waiting.pop_front_if(|front| may_start(front));
                next.map(|next| (next, closed.waiting.is_empty()))
            });
            let Some((next, is_last)) = next else {
                // In flight again, or not to be started.
                self.freed.pop_front();
                continue;
            };
            if is_last {
                self.keys.remove(&key);
                self.freed.pop_front();
            }
            return Some(next);
        }
        None
    }

    /// The first of what waits of a key of which none is in flight, where it is the one that is meant: it is
    /// started alone.
    pub(super) fn take_first(&mut self, key: u64, is_it: impl Fn(&Pending) -> bool) -> Option<Pending> {
        let waits = self.keys.get_mut(&key).filter(|closed| closed.in_flight == 0)?;
        let first = waits.waiting.pop_front_if(|first| is_it(first))?;
        if waits.waiting.is_empty() {
            self.keys.remove(&key);
        }
        Some(first)
    }

    /// Takes out what waits from this offset on. A key of which nothing is left is free.
    pub(super) fn take_from(&mut self, start: i64) -> Vec<Pending> {
        let mut taken = Vec::new();
        for closed in self.keys.values_mut() {
            let kept = closed.waiting.partition_point(|waiting| waiting.offset() < start);
            taken.extend(closed.waiting.split_off(kept));
        }
        self.keys.retain(|_, closed| closed.in_flight > 0 || !closed.waiting.is_empty());
        taken
    }

    /// How many records wait, and of how many keys.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let waiting = self.keys.values().map(|key| key.waiting.len()).filter(|records| *records > 0);
        waiting.fold((0, 0), |(all, keys), records| (all + records, keys + 1))
    }

    /// The record at this offset, where it waits here.
    pub(super) fn find(&self, offset: i64) -> Option<&Pending> {
        let mut waiting = self.keys.values().flat_map(|key| &key.waiting);
        waiting.find(|record| record.offset() == offset)
    }

    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.freed.clear();
    }

    pub(super) fn shrink_to(&mut self, room: usize) {
        self.freed.shrink_to(room);
        self.keys.shrink_to(room);
        self.keys.values_mut().for_each(|key| key.waiting.shrink_to(room));
    }

    #[cfg(test)]
    pub(super) fn capacities(&self) -> [usize; 2] {
        [self.keys.capacity(), self.freed.capacity()]
    }
}
