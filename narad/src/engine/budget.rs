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
pub(crate) struct Room {
    lanes: AtomicUsize,
    held: AtomicUsize,
}

/// What one lane holds of it. Told in steps, not with every record: the counter is shared by all workers.
#[derive(Debug)]
pub(crate) struct Holding {
    room: Arc<Room>,
    told: usize,
}

impl Holding {
    /// One more lane.
    pub(crate) fn new(room: Arc<Room>) -> Self {
        room.lanes.fetch_add(1, Relaxed);
        Self { room, told: 0 }
    }

    /// Says how much the lane holds now.
    pub(crate) fn tell(&mut self, held: usize) {
        if held > self.told {
            self.room.held.fetch_add(held - self.told, Relaxed);
        } else {
            self.room.held.fetch_sub(self.told - held, Relaxed);
        }
        self.told = held;
    }

    /// Whether the lane may read more, holding so much.
    pub(crate) fn has_room(&mut self, held: usize) -> bool {
        self.tell(held);
        self.room.held.load(Relaxed) < MOST || held < MOST / self.room.lanes.load(Relaxed).max(1)
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.tell(0);
        self.room.lanes.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_below_its_share_reads_whatever_the_others_hold_and_one_above_waits_for_room() {
        let room = Arc::new(Room::default());
        let mut lanes: Vec<Holding> = (0..4).map(|_| Holding::new(room.clone())).collect();
        assert!(lanes[0].has_room(MOST - 1), "alone it may hold everything");
        assert!(!lanes[0].has_room(MOST));
        assert!(lanes[1].has_room(0));
        assert!(lanes[1].has_room(MOST / 4 - 1));
        assert!(!lanes[1].has_room(MOST / 4));
        lanes.remove(0);
        assert!(lanes[0].has_room(MOST / 4), "what a lane held goes with it");
        lanes.clear();
        assert_eq!((room.lanes.load(Relaxed), room.held.load(Relaxed)), (0, 0));
    }
}
