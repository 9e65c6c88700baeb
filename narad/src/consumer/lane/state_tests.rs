use super::*;
use crate::engine::Note;
use crate::record::{Assignment, Source};
use crate::transport::{Membership, Message, OwnedMessage};

fn record(offset: i64) -> Record {
    let source = Source::bare("t".into(), 0, Assignment::new(Membership::default()));
    Record::new(source, Message::Owned(OwnedMessage { offset, ..OwnedMessage::default() }))
}

fn state() -> State {
    State::new(OffsetTracker::new(NextOffset(0), Note::default()), 4, Holding::new(Arc::default()))
}

#[test]
fn what_runs_while_the_log_becomes_another_one_finishes_nothing_of_it() {
    let mut state = state();
    for offset in 0..6 {
        state.tracker.deliver(offset, 0);
    }
    let record = state.open((0..6).map(|offset| (offset, 0)).collect(), 0, 1);
    state.held = 6;
    state.go_back_to(NextOffset(2));
    assert_eq!(state.tracker.next(), NextOffset(0), "what lies below is still to be finished");
    // Others stand at these offsets now.
    for offset in 2..6 {
        state.tracker.deliver(offset, 1);
    }
    let in_flight = state.records.remove(&record).expect("it runs");
    state.finish(&in_flight.records, in_flight.bytes);
    assert_eq!(state.tracker.next(), NextOffset(2), "and what is new is not finished by that");
}

#[test]
fn what_has_not_begun_and_is_not_in_the_log_any_more_is_let_go() {
    let mut state = state();
    let bytes = record(0).bytes();
    state.backlog.extend((4..9).map(record));
    (state.held, state.held_bytes) = (5, 5 * bytes);
    state.end = Some(NextOffset(9));
    state.go_back_to(NextOffset(6));
    assert_eq!(state.backlog.iter().map(Record::offset).collect::<Vec<_>>(), [4, 5]);
    assert_eq!((state.held, state.held_bytes), (2, 2 * bytes));
    state.backlog.clear();
    state.reach_end();
    assert_eq!(state.tracker.next(), NextOffset(0), "the end of the log of before is none of this one");
}

#[test]
fn the_end_of_the_log_counts_when_nothing_is_left_of_what_was_read_before() {
    let mut state = state();
    state.backlog.push_back(record(3));
    state.end = Some(NextOffset(7));
    state.reach_end();
    assert_eq!(state.tracker.next(), NextOffset(0));
    state.backlog.clear();
    state.tracker.deliver(3, 0);
    state.reach_end();
    assert_eq!(state.tracker.next(), NextOffset(3));
    state.tracker.finish(3);
    assert_eq!(state.tracker.next(), NextOffset(7));
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
        let mut state = state();
        assert!(state.helping(256) <= 16, "of the first ones nothing is known");
        state.backlog.push_back(with(payload, header));
        state.count_read(0);
        assert!(state.helping(256) <= most, "{payload} and {header}: {} at once", state.helping(256));
        for _ in 0..16 {
            state.backlog.push_back(with(40, 0));
            state.count_read(state.backlog.len() - 1);
        }
        assert_eq!(state.helping(256), 256, "what comes behind them is read as ever");
        assert_eq!((state.held, state.held_bytes), (17, state.backlog.iter().map(Record::bytes).sum()));
    }
}

#[test]
fn what_a_storm_grew_is_given_back_when_it_is_over() {
    let mut state = state();
    state.backlog.extend((0..4_096).map(record));
    state.count_read(0);
    for offset in 0..4_096 {
        state.busy(offset, offset as u64, false);
        state.open(vec![(offset, offset as u64)], record(offset).bytes(), 1);
        state.vacated.push(record(offset));
        state.handled.push(record(offset));
        state.spare.push(Slot::new());
        state.runs.push(None);
        state.vacant.push(offset as usize);
    }
    state.backlog.clear();
    state.handled.clear();
    state.settle();
    assert!(state.keys.len() == 4_096 && state.vacated.len() == 4_096, "nothing that is in use goes");
    for id in 0..4_096 {
        let record = state.records.remove(&id).expect("it runs");
        state.finish(&record.records, record.bytes);
    }
    // Of the storm's own time; and of that without one.
    state.settle();
    state.settle();
    let grown = [
        state.backlog.capacity(),
        state.keys.capacity(),
        state.records.capacity(),
        state.freed.capacity(),
        state.vacated.capacity(),
        state.handled.capacity(),
        state.spare.capacity(),
        state.runs.capacity(),
        state.vacant.capacity(),
        state.wakers.capacity(),
    ];
    assert_eq!(grown, [0; 10]);
    assert_eq!((state.held, state.held_bytes), (0, 0));
}
