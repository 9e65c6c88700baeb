//! How much all lanes of a process may hold together.
//!
//! A lane reads while the whole has room, and also when it has not, while it holds less than its share. So no
//! lane waits for another one: what it holds itself brings it below its share in the end. Where that waits
//! for long, as behind a key that is tried again, the control thread's tick finds the room that others have
//! made.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// So many bytes of records the lanes of a process hold at most together, besides what one read of each adds.
const MOST: usize = 16 << 20;

/// What the lanes of a process hold together.
#[derive(Debug, Default)]
pub(crate) struct MemoryBudget {
    lanes: AtomicUsize,
    held: AtomicUsize,
}

/// What one lane holds of it. Told in steps, not with every record: the counter is shared by all workers.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<MemoryBudget>,
    reserved: usize,
}

impl Reservation {
    /// One more lane.
    pub(crate) fn new(budget: Arc<MemoryBudget>) -> Self {
        budget.lanes.fetch_add(1, Relaxed);
        Self { budget, reserved: 0 }
    }

    /// Says how much the lane holds now.
    pub(crate) fn update(&mut self, held: usize) {
        if held > self.reserved {
            self.budget.held.fetch_add(held - self.reserved, Relaxed);
        } else {
            self.budget.held.fetch_sub(self.reserved - held, Relaxed);
        }
        self.reserved = held;
    }

    /// Whether the lane may read more, holding so much.
    pub(crate) fn has_room(&mut self, held: usize) -> bool {
        self.update(held);
        self.budget.held.load(Relaxed) < MOST || held < MOST / self.budget.lanes.load(Relaxed).max(1)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.update(0);
        self.budget.lanes.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_below_its_share_reads_whatever_the_others_hold_and_one_above_waits_for_room() {
        let budget = Arc::new(MemoryBudget::default());
        let mut lanes: Vec<Reservation> = (0..4).map(|_| Reservation::new(budget.clone())).collect();
        assert!(lanes[0].has_room(MOST - 1), "alone it may hold everything");
        assert!(!lanes[0].has_room(MOST));
        assert!(lanes[1].has_room(0));
        assert!(lanes[1].has_room(MOST / 4 - 1));
        assert!(!lanes[1].has_room(MOST / 4));
        lanes.remove(0);
        assert!(lanes[0].has_room(MOST / 4), "what a lane held goes with it");
        lanes.clear();
        assert_eq!((budget.lanes.load(Relaxed), budget.held.load(Relaxed)), (0, 0));
    }
}
