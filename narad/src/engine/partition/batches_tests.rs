//! Batches that have failed as a whole: their records go on one by one.

use super::*;
use crate::engine::dispatch::Taking;
use crate::engine::next_offset::NextOffset;
use crate::engine::note::Note;
use crate::engine::offsets::OffsetTracker;
use crate::handler::Ordering;
use crate::record::{Assignment, Source};
use crate::transport::{Membership, Message, OwnedMessage};

/// A partition, and what its one handler takes.
struct Bench {
    partition: Partition,
    routes: Routes,
}

/// What is gathered next.
#[derive(Debug, PartialEq, Eq)]
enum Gathered {
    /// Into the batch.
    Together,
    /// The record at this offset, after so many attempts.
    Alone(i64, u32),
    Nothing,
}

impl Bench {
    /// Records of these keys, at the offsets from 0 on.
    fn new(ordering: Ordering, keys: &[u8]) -> Self {
        let partition = Partition::new(OffsetTracker::new(NextOffset(0), Note::default()), ordering);
        let mut bench = Self { partition, routes: Routes::new(vec![Taking::any_bytes()]) };
        bench.read(0, keys);
        bench
    }

    /// More of them are read, from this offset on.
    fn read(&mut self, from: i64, keys: &[u8]) {
        for (offset, key) in (from..).zip(keys) {
            let source = Source::bare("t".into(), 0, Assignment::new(Membership::default()));
            let message = OwnedMessage { offset, key: Some(vec![*key]), ..OwnedMessage::default() };
            self.partition.read(Record::new(source, Message::Owned(message)));
        }
        self.partition.count_read(0);
    }

    /// So many records as a batch that fails as a whole twice.
    fn failed(&mut self, records: usize) {
        for _ in 0..records {
            assert_eq!(self.gather(false).0, Gathered::Together);
        }
        let (id, records) = self.partition.start_batch();
        self.partition.retries(id);
        self.partition.isolate(id, records, 2);
    }

    /// What comes next, and its number where it is handed over alone.
    fn gather(&mut self, drains: bool) -> (Gathered, Id) {
        match self.partition.gather(&self.routes, drains, |_, _| ()) {
            Next::Nothing => (Gathered::Nothing, 0),
            Next::Waits => (Gathered::Together, 0),
            Next::Due(Pending { way: Way::Alone(attempts), record, outline, key, stage }) => {
                let alone = Pending { way: Way::Alone(attempts), record, outline, key, stage };
                self.partition.starts(&alone);
                let id = self.partition.follow_on(&alone);
                (Gathered::Alone(alone.offset(), attempts), id)
            }
            _ => panic!("every record has its handler"),
        }
    }

    fn settle(&mut self, id: Id) {
        self.partition.through(id, Some(BATCH), Some(Tally::of(Settled::Handled, 1)));
    }

    /// The next record is handed over alone, and handled.
    fn alone(&mut self, offset: i64) {
        let (gathered, id) = self.gather(false);
        assert_eq!(gathered, Gathered::Alone(offset, 2));
        self.settle(id);
    }
}

#[test]
fn its_records_come_one_by_one_in_their_order_and_what_was_read_behind_them_comes_after_them() {
    for ordering in [Ordering::Key, Ordering::Partition, Ordering::None] {
        let mut bench = Bench::new(ordering, &[1, 2, 1, 3, 1, 4]);
        bench.failed(4);
        assert_eq!(
            bench.partition.oldest().map(|(offset, stage, _)| (offset, stage)),
            Some((0, Stage::Isolated))
        );
        (0..4).for_each(|offset| bench.alone(offset));
        assert_eq!(bench.partition.next_offset(), NextOffset(4));
        assert_eq!(
            [(); 3].map(|()| bench.gather(false).0),
            [Gathered::Together, Gathered::Together, Gathered::Nothing]
        );
        assert_eq!(bench.partition.held().records(), 2);
    }
}

#[test]
fn one_that_fails_again_holds_back_its_own_key_only_and_what_waits_behind_it_comes_alone_too() {
    let mut bench = Bench::new(Ordering::Key, &[1, 2, 1, 3, 1, 1]);
    bench.failed(5);
    let (first, id) = bench.gather(false);
    assert_eq!(first, Gathered::Alone(0, 2));
    // It waits for its next attempt.
    bench.alone(1);
    bench.alone(3);
    assert_eq!(bench.gather(false).0, Gathered::Together, "the last one is read, and waits behind its key");
    assert_eq!(bench.gather(false).0, Gathered::Nothing);
    assert_eq!(bench.partition.next_offset(), NextOffset(0));
    bench.settle(id);
    bench.alone(2);
    bench.alone(4);
    assert_eq!((bench.gather(false).0, bench.partition.gathered()), (Gathered::Together, 1));
    assert_eq!(bench.partition.next_offset(), NextOffset(5));
}

#[test]
fn a_drain_leaves_what_has_not_been_handed_over_alone_to_the_next_owner() {
    let mut bench = Bench::new(Ordering::Key, &[1, 2, 1, 3]);
    bench.failed(4);
    bench.alone(0);
    let (_, id) = bench.gather(false);
    assert_eq!(bench.gather(true).0, Gathered::Nothing);
    assert!(!bench.partition.is_idle());
    bench.settle(id);
    assert_eq!(bench.gather(true).0, Gathered::Nothing);
    assert_eq!((bench.partition.is_idle(), bench.partition.next_offset()), (true, NextOffset(2)));
}

#[test]
fn keys_of_what_is_gone_from_the_log_are_free_for_what_stands_there_now() {
    let mut bench = Bench::new(Ordering::Key, &[1, 2]);
    bench.failed(2);
    bench.partition.go_back_to(NextOffset(0));
    bench.read(0, &[1, 2]);
    assert_eq!([(); 3].map(|()| bench.gather(false).0)[2], Gathered::Nothing);
    assert_eq!(bench.partition.gathered(), 2, "nobody of before would free their keys");
}

#[test]
fn what_is_gone_from_the_log_is_not_handed_over_alone_any_more() {
    let mut bench = Bench::new(Ordering::Key, &[1, 2, 1, 3]);
    bench.failed(4);
    bench.partition.go_back_to(NextOffset(1));
    bench.alone(0);
    assert_eq!(bench.gather(false).0, Gathered::Nothing);
    assert_eq!((bench.partition.held().records(), bench.partition.next_offset()), (0, NextOffset(1)));
    // The same where the log breaks while the batch runs.
    let mut bench = Bench::new(Ordering::Key, &[1, 2, 1, 3]);
    for _ in 0..4 {
        assert_eq!(bench.gather(false).0, Gathered::Together);
    }
    let (id, records) = bench.partition.start_batch();
    bench.partition.go_back_to(NextOffset(1));
    bench.partition.retries(id);
    bench.partition.isolate(id, records, 2);
    bench.alone(0);
    assert_eq!(bench.gather(false).0, Gathered::Nothing);
    assert_eq!((bench.partition.held().records(), bench.partition.next_offset()), (0, NextOffset(1)));
}
