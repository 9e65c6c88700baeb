//! The records of a partition: a log that becomes another one, its end, what is read at once, and what a
//! storm grew.

use super::*;
use crate::engine::note::Note;
use crate::record::{Assignment, Source};
use crate::transport::{Membership, Message, OwnedMessage};

fn record(offset: i64) -> Record {
    let source = Source::bare("t".into(), 0, Assignment::new(Membership::default()));
    Record::new(source, Message::Owned(OwnedMessage { offset, ..OwnedMessage::default() }))
}

fn partition() -> Partition {
    Partition::new(OffsetTracker::new(NextOffset(0), Note::default()), Ordering::Key)
}

/// Records that are delivered, and in flight together.
fn in_flight(partition: &mut Partition, offsets: std::ops::Range<i64>, key: u64) -> Id {
    let places: Vec<_> = offsets.map(|offset| Place::Open { offset, key }).collect();
    for place in &places {
        if let Place::Open { offset, key } = *place {
            partition.ledger.close_key(offset, key, false);
        }
    }
    partition.ledger.open(places, 0, Stage::Running, 1)
}

fn handled(records: usize) -> Option<Tally> {
    Some(Tally::of(Settled::Handled, records))
}

fn held(partition: &Partition) -> (usize, usize) {
    (partition.held().records(), partition.held().bytes())
}

#[test]
fn what_runs_while_the_log_becomes_another_one_finishes_nothing_of_it() {
    let mut partition = partition();
    let id = in_flight(&mut partition, 0..6, 0);
    partition.ledger.held.read(6, 0, 0);
    partition.go_back_to(NextOffset(2));
    assert_eq!(partition.next_offset(), NextOffset(0), "what lies below is still to be finished");
    // Others stand at these offsets now.
    for offset in 2..6 {
        partition.ledger.tracker.deliver(offset, 1);
    }
    partition.through(id, Some(0), handled(6));
    assert_eq!(partition.next_offset(), NextOffset(2), "and what is new is not finished by that");
}

#[test]
fn what_has_not_begun_and_is_not_in_the_log_any_more_is_let_go() {
    let mut partition = partition();
    let bytes = record(0).bytes();
    (4..9).for_each(|offset| partition.read(record(offset)));
    partition.count_read(0);
    partition.ends_at(NextOffset(9));
    partition.go_back_to(NextOffset(6));
    assert_eq!(partition.read_from(0).map(Record::offset).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(held(&partition), (2, 2 * bytes));
    partition.backlog.clear();
    partition.reach_end();
    assert_eq!(partition.next_offset(), NextOffset(0), "the end of the log of before is none of this one");
}

#[test]
fn the_end_of_the_log_counts_when_nothing_is_left_of_what_was_read_before() {
    let mut partition = partition();
    partition.read(record(3));
    partition.ends_at(NextOffset(7));
    partition.reach_end();
    assert_eq!(partition.next_offset(), NextOffset(0));
    partition.backlog.clear();
    partition.ledger.tracker.deliver(3, 0);
    partition.reach_end();
    assert_eq!(partition.next_offset(), NextOffset(3));
    partition.ledger.tracker.finish(3);
    assert_eq!(partition.next_offset(), NextOffset(7));
}

#[test]
fn of_large_records_less_is_read_at_once_whether_it_is_their_content_or_their_headers() {
    let source = Source::bare("t".into(), 0, Assignment::new(Membership::default()));
    let with = |payload: usize, header: usize| {
        let headers = vec![(b"trace".to_vec(), Some(vec![0; header]))];
        Record::new(
            source.clone(),
            Message::Owned(OwnedMessage {
                payload: Some(vec![0; payload]),
                headers,
                ..OwnedMessage::default()
            }),
        )
    };
    for (payload, header, most) in [(40, 60_000, 17), (60_000, 40, 17), (10 << 20, 0, 1)] {
        let mut partition = partition();
        assert!(partition.helping(256) <= 16, "of the first ones nothing is known");
        partition.read(with(payload, header));
        partition.count_read(0);
        assert!(partition.helping(256) <= most, "{payload} and {header}: {} at once", partition.helping(256));
        for _ in 0..16 {
            partition.read(with(40, 0));
            partition.count_read(partition.unread() - 1);
        }
        assert_eq!(partition.helping(256), 256, "what comes behind them is read as ever");
        assert_eq!(held(&partition), (17, partition.read_from(0).map(Record::bytes).sum()));
    }
}

#[test]
fn what_a_storm_grew_is_given_back_when_it_is_over() {
    let mut partition = partition();
    (0..4_096).for_each(|offset| partition.read(record(offset)));
    partition.count_read(0);
    partition.backlog.clear();
    let ids: Vec<_> = (0..4_096)
        .map(|offset| {
            partition.ledger.close_key(offset, offset as u64, false);
            let place = Place::Open { offset, key: offset as u64 };
            partition.ledger.open(vec![place], record(offset).bytes(), Stage::Running, 1)
        })
        .collect();
    partition.shrink();
    assert!(partition.ledger.order.is_closed(4_095), "nothing that is in use goes");
    ids.into_iter().for_each(|id| partition.through(id, Some(0), handled(1)));
    // Of the storm's own time; and of that without one.
    partition.shrink();
    assert_eq!(partition.shrink(), 0);
    let [keys, freed] = partition.ledger.order.capacities();
    assert_eq!([partition.backlog.capacity(), keys, freed, partition.ledger.capacity()], [0; 4]);
    assert_eq!(held(&partition), (0, 0));
    assert_eq!(partition.finished(), 4_096);
}
