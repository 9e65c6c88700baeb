//! The steps of a partition in any order, against what may be said of them: of a key one record at a time and
//! none before an older one, each settled once, and nothing committed past what is not finished.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::batch::BatchOutcome;
use crate::engine::Policy;
use crate::engine::dispatch::Taking;
use crate::engine::note::Note;
use crate::engine::policy::Backoff;
use crate::outcome::Outcome;
use crate::record::{Assignment, Source};
use crate::transport::{Membership, Message, OwnedMessage};

/// One handler, which takes every record as it is.
fn routes() -> Routes {
    Routes::new(vec![Taking::any_bytes()])
}

fn placed(records: &[(Record, Outline)]) -> Vec<i64> {
    records.iter().map(|(record, _)| record.offset()).collect()
}

/// A partition with records of these keys, and what is known of it from outside.
struct Model {
    partition: Partition,
    routes: Routes,
    keys: Vec<u8>,
    read: usize,
    /// Delivered to somebody, and not settled.
    running: BTreeSet<i64>,
    settled: BTreeSet<i64>,
    in_flight: BTreeMap<Id, Vec<(Record, Outline)>>,
    /// Of batches that have failed as a whole, and not handed over alone.
    isolated: BTreeSet<i64>,
}

impl Model {
    fn new(keys: &[u8]) -> Self {
        let tracker = OffsetTracker::new(NextOffset(0), Note::default());
        Self {
            partition: Partition::new(tracker, Ordering::Key),
            routes: routes(),
            keys: keys.to_vec(),
            read: 0,
            running: BTreeSet::new(),
            settled: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            isolated: BTreeSet::new(),
        }
    }

    fn read(&mut self, most: usize) {
        let range: Range<usize> = self.read..(self.read + most).min(self.keys.len());
        let before = self.partition.unread();
        for offset in range.clone() {
            let source = Source::bare("t".into(), 0, Assignment::new(Membership::default()));
            let message = OwnedMessage {
                offset: offset as i64,
                key: Some(vec![self.keys[offset]]),
                payload: Some(b"bytes".to_vec()),
                ..OwnedMessage::default()
            };
            self.partition.read(Record::new(source, Message::Owned(message)));
        }
        self.partition.count_read(before);
        self.read = range.end;
    }

    /// A handler gets these: all that is older of their keys is settled, or comes with them.
    fn begins(&self, offsets: &[i64]) {
        assert!(offsets.is_sorted());
        for offset in offsets {
            let is_older = |other: &i64| self.keys[*other as usize] == self.keys[*offset as usize];
            let mut older = (0..*offset).filter(is_older);
            let comes_first = |other| self.settled.contains(&other) || offsets.contains(&other);
            assert!(older.all(comes_first), "{offset} overtakes one of its key");
            assert!(!self.settled.contains(offset), "{offset} is handled twice");
            assert!(!self.running.contains(offset), "{offset} runs already");
        }
    }

    fn follow(&mut self, id: Id, records: Vec<(Record, Outline)>) {
        self.running.extend(placed(&records));
        assert!(self.in_flight.insert(id, records).is_none(), "each is followed by a number of its own");
    }

    fn settle(&mut self, offsets: &[i64]) {
        for offset in offsets {
            self.running.remove(offset);
            assert!(self.settled.insert(*offset), "{offset} is settled twice");
        }
    }

    /// Looks at the next record, and starts it if it is due.
    fn step(&mut self, in_place: bool) -> bool {
        match self.partition.next(&self.routes, false, |_, _| ()) {
            Next::Nothing => return false,
            Next::Due(record) => {
                let (offset, bytes) = (record.offset(), record.record.bytes());
                self.begins(&[offset]);
                self.partition.starts(&record);
                if in_place {
                    self.partition.finished_in_place(&record, bytes, &[0]);
                    self.settle(&[offset]);
                } else {
                    let id = self.partition.follow(&record, bytes, &[], 1);
                    self.follow(id, vec![(record.record, record.outline)]);
                }
            }
            Next::Waits => {}
            Next::Passed(_) | Next::Unfit(_) => panic!("every record has a handler"),
        }
        true
    }

    /// Gathers what there is, and hands it over.
    fn batch(&mut self, most: usize) -> bool {
        while self.partition.gathered() < most {
            match self.partition.gather(&self.routes, false, |_, _| ()) {
                Next::Nothing => break,
                Next::Waits => {}
                Next::Due(alone) => {
                    assert!(matches!(alone.way, Way::Alone(2)), "every other record is gathered");
                    self.begins_alone(alone);
                    return true;
                }
                _ => panic!("every record is gathered"),
            }
        }
        if self.partition.gathered() == 0 {
            return false;
        }
        let (id, records) = self.partition.start_batch();
        self.begins(&placed(&records));
        self.follow(id, records);
        true
    }

    /// A record of a batch that failed as a whole is handed over alone.
    fn begins_alone(&mut self, alone: Pending) {
        let offset = alone.offset();
        self.begins(&[offset]);
        assert!(self.isolated.remove(&offset), "{offset} is not one of a batch that failed");
        let id = self.partition.follow_on(&alone);
        self.partition.starts(&alone);
        self.follow(id, vec![(alone.record, alone.outline)]);
    }

    /// One of those in flight has failed as a whole.
    fn isolate(&mut self, which: usize) {
        let several = self.in_flight.iter().filter(|(_, records)| records.len() > 1);
        let Some(id) = several.map(|(id, _)| *id).nth(which % 3) else { return };
        let records = self.in_flight.remove(&id).unwrap_or_default();
        self.running.retain(|offset| !placed(&records).contains(offset));
        self.isolated.extend(placed(&records));
        self.partition.retries(id);
        self.partition.isolate(id, records, 2);
    }

    /// One of those in flight ends: done, or with an outcome for each of its records.
    fn end(&mut self, which: usize, each: &[u8]) {
        let Some(id) = self.in_flight.keys().nth(which % self.in_flight.len().max(1)).copied() else {
            return;
        };
        let records = self.in_flight.remove(&id).unwrap_or_default();
        let offsets = placed(&records);
        self.partition.retries(id);
        if each.is_empty() || offsets.len() == 1 {
            self.settle(&offsets);
            let came_to = Tally::of(Settled::Skipped, offsets.len());
            return self.partition.through(id, Some(BATCH), Some(came_to));
        }
        let outcome = |place: usize| match each[place % each.len()] % 3 {
            0 => Outcome::done(),
            1 => Outcome::retry("again"),
            _ => Outcome::dead_letter("dead"),
        };
        let said: BatchOutcome = (0..offsets.len()).map(outcome).collect();
        let reply = Reply { each: Some(Box::new(said)), ..Reply::new(Outcome::done()) };
        let backoff = Backoff { first: Duration::ZERO, longest: Duration::ZERO };
        let policy = Policy { attempts: 2, backoff, is_endless: false, isolate: None };
        let finished = self.partition.finished();
        let retried = self.partition.come_apart(id, records, &policy, 1, reply);
        self.running.retain(|offset| !offsets.contains(offset));
        let mut goes_on = BTreeSet::new();
        for part in retried {
            goes_on.extend(placed(&part.records));
            self.follow(part.id, part.records);
        }
        // Behind one of its key that is tried again a record is held back, whatever its own outcome.
        let is_done = |place: &usize| {
            let key = |place: usize| self.keys[offsets[place] as usize];
            let again =
                (0..*place).any(|before| key(before) == key(*place) && each[before % each.len()] % 3 == 1);
            !again && each[*place % each.len()].is_multiple_of(3)
        };
        let done: Vec<i64> = (0..offsets.len()).filter(is_done).map(|place| offsets[place]).collect();
        assert!(done.iter().all(|offset| !goes_on.contains(offset)));
        assert_eq!(self.partition.finished(), finished + done.len() as u64);
        self.settle(&done);
    }

    /// What holds after each step.
    fn holds(&self) {
        let first = (0..self.read as i64).find(|offset| !self.settled.contains(offset));
        let next = self.partition.next_offset().0;
        assert!(next <= first.unwrap_or(self.read as i64), "{next} is committed past {first:?}");
        assert_eq!(self.partition.finished(), self.settled.len() as u64);
        let open = self.read - self.settled.len();
        assert_eq!(self.partition.held().records(), open, "each that is not settled is held");
    }
}

/// What is done next, with what: read, start and finish at once, start, end, fail as a whole; and an outcome
/// for each record of a batch.
fn steps() -> impl Strategy<Value = Vec<(u8, usize, Vec<u8>)>> {
    prop::collection::vec((0u8..5, 0usize..16, prop::collection::vec(any::<u8>(), 0..6)), 1..120)
}

proptest! {
    #[test]
    fn records_of_a_key_come_one_after_the_other_and_each_is_settled_once(
        keys in prop::collection::vec(0u8..4, 1..60), steps in steps()
    ) {
        let mut model = Model::new(&keys);
        for (step, number, _) in steps {
            match step {
                0 => model.read(number),
                1 => drop(model.step(true)),
                2 => drop(model.step(false)),
                _ => model.end(number, &[]),
            }
            model.holds();
        }
        while model.settled.len() < keys.len() {
            model.read(16);
            while model.step(false) {}
            model.end(0, &[]);
            model.holds();
        }
        prop_assert_eq!(model.partition.next_offset(), NextOffset(keys.len() as i64));
        prop_assert_eq!((model.partition.held().bytes(), model.partition.is_idle()), (0, true));
    }

    #[test]
    fn batches_hold_records_in_order_come_apart_or_go_on_one_by_one_and_lose_or_repeat_none(
        keys in prop::collection::vec(0u8..4, 1..60), steps in steps()
    ) {
        let mut model = Model::new(&keys);
        for (step, number, each) in steps {
            match step {
                0 => model.read(number),
                1 | 2 => drop(model.batch(1 + number)),
                4 => model.isolate(number),
                _ => model.end(number, &each),
            }
            model.holds();
        }
        while model.settled.len() < keys.len() {
            model.read(16);
            while model.batch(8) {}
            model.end(0, &[]);
            model.holds();
        }
        prop_assert_eq!(model.partition.next_offset(), NextOffset(keys.len() as i64));
        prop_assert_eq!((model.partition.held().bytes(), model.partition.is_idle()), (0, true));
        prop_assert!(model.isolated.is_empty());
    }
}
