//! Batches that have failed as a whole: their records are handed over one by one.

use std::collections::VecDeque;

use super::order::Order;
use super::pending::Pending;

/// The turns of the records, in the order of their batches. The records wait behind their keys as others do:
/// of a key one comes after the other, and one that fails again holds back its own key only.
#[derive(Default)]
pub(super) struct Isolation {
    /// Offsets and keys.
    turns: VecDeque<(i64, u64)>,
}

impl Isolation {
    /// A record has its turn behind all that have one.
    pub(super) fn add(&mut self, offset: i64, key: u64) {
        self.turns.push_back((offset, key));
    }

    /// The record whose turn it is. One behind an earlier one of its key loses its turn: it comes when its
    /// key is free again.
    pub(super) fn next(&mut self, order: &mut Order) -> Option<Pending> {
        while let Some((offset, key)) = self.turns.pop_front() {
            let is_it = |first: &Pending| first.offset() == offset && first.is_isolated();
            if let Some(record) = order.take_first(key, is_it) {
                return Some(record);
            }
        }
        None
    }

    /// What lies at this offset or above has no turn any more.
    pub(super) fn take_from(&mut self, start: i64) {
        self.turns.retain(|(offset, _)| *offset < start);
    }

    pub(super) fn clear(&mut self) {
        self.turns.clear();
    }

    pub(super) fn shrink_to(&mut self, room: usize) {
        self.turns.shrink_to(room);
    }
}
