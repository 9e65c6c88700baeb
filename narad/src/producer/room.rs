//! How much may wait inside of the producer, from the call until its outcome: bytes and records, of all
//! topics together and of each.
//!
//! Up to the limit, whoever comes first takes it. Beyond it lies a reserve for those that hold little of the
//! room: each topic may hold as much of its own as is left of the reserve, and one small record whatever the
//! others hold. So a topic that takes nothing (its leader away, or slow) may fill the room, and the others go
//! on.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use crate::transport::ClientProperties;

use super::gate::Gate;
use super::load::{Load, Sum};

/// The reserve is this part of the limit.
const RESERVE: u64 = 4;

/// And this part of the limit is a small record.
const SMALL: u64 = 64;

/// The room of one producer.
#[derive(Debug)]
pub(super) struct Room {
    limit: Load,
    /// Of all topics together, each as far as it [counts](Self::counted).
    held: Sum,
    /// Somebody waits until no more than this is held: a load, or [`NOBODY`].
    wanted: AtomicU64,
}

/// More than any limit.
const NOBODY: u64 = u64::MAX;

impl Room {
    pub(super) fn new(max_bytes: u64, max_records: u64) -> Self {
        Self {
            limit: Load::limit(max_records, max_bytes),
            held: Sum::default(),
            wanted: AtomicU64::new(NOBODY),
        }
    }

    /// As large as librdkafka's queue would be.
    pub(super) fn of(properties: &ClientProperties) -> Self {
        let number = |name: &str, default: u64| {
            properties.get(name).and_then(|value| value.trim().parse().ok()).unwrap_or(default)
        };
        let kbytes = number("queue.buffering.max.kbytes", 32 << 10);
        // 0 is no limit.
        let messages = match number("queue.buffering.max.messages", 200_000) {
            0 => u64::MAX,
            messages => messages,
        };
        Self::new(kbytes.saturating_mul(1 << 10), messages)
    }

    /// Takes room for more of a topic, if there is some. Of senders that come at once each may be one too
    /// many.
    pub(super) fn enter(&self, gate: &Gate, load: Load) -> bool {
        let admitted = self.admits(gate, load);
        if admitted {
            let own = gate.share.add(load);
            self.held.add(self.counted(own.plus(load)).less(self.counted(own)));
        }
        admitted
    }

    fn admits(&self, gate: &Gate, load: Load) -> bool {
        let held = self.held.load();
        let with = held.plus(load);
        // The usual case: nobody is near the limit.
        if with.is_within(self.limit) {
            return true;
        }
        let own = gate.share.load();
        let most = self.limit.plus(self.limit.part(RESERVE));
        // A call that is larger than all of it goes once nothing of its topic is there.
        with.plus(own).is_within(most)
            || (own == Load::default()
                && (held.is_within(most) || load.bytes() <= self.limit.part(SMALL).bytes()))
    }

    /// Gives it back. True where somebody waits for room, and may find some now: beside a topic that fills
    /// the room, whoever waits is not woken by each acknowledgement of the others.
    pub(super) fn leave(&self, gate: &Gate, load: Load) -> bool {
        let own = gate.share.subtract(load);
        let freed = self.counted(own).less(self.counted(own.less(load)));
        let held = self.held.subtract(freed).less(freed);
        let wanted = self.wanted.load(SeqCst);
        wanted != NOBODY
            && (gate.wants_room.load(SeqCst) || held.is_within(Load(wanted)))
            && self.wanted.swap(NOBODY, SeqCst) != NOBODY
    }

    /// What a topic's share is to the others: one that is larger than all of the room takes none of the
    /// reserve.
    fn counted(&self, own: Load) -> Load {
        own.at_most(self.limit)
    }

    /// Takes room, or has those that leave say so once there may be enough.
    pub(super) fn enter_or_want(&self, gate: &Gate, load: Load) -> bool {
        let entered = self.enter(gate, load) || {
            gate.wants_room.store(true, SeqCst);
            let enough = self.enough(gate, load);
            let more =
                |wanted| Some(if wanted == NOBODY { enough.0 } else { Load(wanted).at_least(enough).0 });
            let _ = self.wanted.fetch_update(SeqCst, SeqCst, more);
            // Room that was given back just before told nobody.
            self.enter(gate, load)
        };
        if entered {
            gate.wants_room.store(false, SeqCst);
        }
        entered
    }

    /// So much may be held where this is [admitted](Self::admits), as long as nothing of its own topic
    /// leaves.
    fn enough(&self, gate: &Gate, load: Load) -> Load {
        let own = gate.share.load();
        let most = self.limit.plus(self.limit.part(RESERVE));
        let alone = if own == Load::default() { most } else { Load::default() };
        self.limit.without(load).at_least(most.without(load.plus(own))).at_least(alone)
    }

    #[cfg(any(test, feature = "http"))]
    pub(super) fn held(&self) -> Load {
        self.held.load()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_fills_the_room_leaves_a_reserve_to_the_others() {
        let room = Room::new(1_000, u64::MAX);
        let (broken, other, third) = (Gate::new("broken"), Gate::new("other"), Gate::new("third"));
        let ten = Load::one(10);
        let entered = (0..1_000).filter(|_| room.enter(&broken, ten)).count();
        assert_eq!(entered, 100, "what the limit has");
        let entered = (0..1_000).filter(|_| room.enter(&other, ten)).count();
        assert!((10..=13).contains(&entered), "half of the reserve: {entered}");
        assert!(room.enter(&third, ten), "and there is some left");
        assert!(!room.enter(&broken, ten));
        assert!(room.held().bytes() <= 1_250);
    }

    #[test]
    fn a_call_that_is_larger_than_the_room_takes_none_of_the_reserve() {
        let room = Room::new(1_000, u64::MAX);
        let (broken, other) = (Gate::new("broken"), Gate::new("other"));
        assert!(room.enter(&broken, Load::new(500, 50_000)));
        assert_eq!((0..1_000).filter(|_| room.enter(&other, Load::one(10))).count(), 13);
        // Acknowledged one by one.
        assert!((0..500).all(|_| !room.leave(&broken, Load::one(100))));
        assert_eq!(room.held(), other.share.load());
    }

    #[test]
    fn whatever_others_hold_each_topic_has_room_for_a_small_record() {
        let room = Room::new(1 << 20, u64::MAX);
        let large = Load::one(900 << 10);
        let gates: Vec<_> = (0..4).map(|topic| Gate::new(&format!("topic-{topic}"))).collect();
        assert_eq!(gates.iter().filter(|gate| room.enter(gate, large)).count(), 2);
        assert!(
            gates[2..]
                .iter()
                .all(|gate| room.enter(gate, Load::one(10_000)) && !room.enter(gate, Load::one(10_000)))
        );
    }

    #[test]
    fn records_count_as_bytes_do() {
        let room = Room::new(1 << 20, 10);
        let gate = Gate::new("orders");
        assert_eq!((0..100).filter(|_| room.enter(&gate, Load::one(0))).count(), 10);
        assert!(!room.enter_or_want(&gate, Load::one(0)));
        assert!(room.leave(&gate, Load::one(0)), "somebody waits for it");
        assert!(!room.leave(&gate, Load::one(0)), "and was told");
        assert!(room.enter(&gate, Load::one(0)));
    }

    #[test]
    fn who_waits_is_told_of_room_that_is_enough_and_of_none_that_is_not() {
        let room = Room::new(1_000, u64::MAX);
        let (broken, other) = (Gate::new("broken"), Gate::new("other"));
        assert!((0..98).all(|_| room.enter(&broken, Load::one(10))));
        assert!((0..10).all(|_| room.enter(&other, Load::one(5))));
        assert!(!room.enter_or_want(&broken, Load::one(15)));
        let told: Vec<_> = (0..10).map(|_| room.leave(&other, Load::one(5))).collect();
        assert_eq!(told.iter().position(|told| *told), Some(8), "5 and 980 are held: {told:?}");
        assert!(!told[9], "and was told");
        assert!(room.enter_or_want(&broken, Load::one(15)));
        // Whatever its own topic gives back may be enough.
        assert!(room.enter(&other, Load::one(50)) && !room.enter_or_want(&broken, Load::one(15)));
        assert!(room.leave(&broken, Load::one(10)));
    }

    #[test]
    fn one_that_is_larger_than_the_room_enters_an_empty_one() {
        let room = Room::new(1_000, 10);
        let gate = Gate::new("orders");
        assert!(room.enter(&gate, Load::one(1 << 20)) && !room.enter(&gate, Load::one(1)));
    }
}
