use super::*;
use crate::engine::{NextOffset, Note, OffsetTracker};
use crate::handler::Ordering;
use crate::record::{Assignment, Source};
use crate::transport::{Membership, Message, OwnedMessage};

fn record(offset: i64) -> Record {
    let source = Source::bare("t".into(), 0, Assignment::new(Membership::default()));
    Record::new(source, Message::Owned(OwnedMessage { offset, ..OwnedMessage::default() }))
}

#[test]
fn what_a_storm_grew_is_given_back_when_it_is_over() {
    let tracker = OffsetTracker::new(NextOffset(0), Note::default());
    let mut state = State::new(Partition::new(tracker, Ordering::Key), 4, Reservation::new(Arc::default()));
    for offset in 0..4_096 {
        state.partition.read(record(offset));
        state.vacated.push(record(offset));
        state.handled.push(record(offset));
        state.spare.push(Slot::new());
        state.runs.push(None);
        state.vacant.push(offset as usize);
    }
    state.partition.count_read(0);
    state.handled.clear();
    state.shrink();
    assert!(state.vacated.len() == 4_096, "nothing that is in use goes");
    state.partition.go_back_to(NextOffset(0));
    // Of the storm's own time; and of that without one.
    state.shrink();
    state.shrink();
    let grown = [
        state.vacated.capacity(),
        state.handled.capacity(),
        state.spare.capacity(),
        state.runs.capacity(),
        state.vacant.capacity(),
        state.wakers.capacity(),
    ];
    assert_eq!(grown, [0; 6]);
    assert_eq!(state.bytes(), 0);
}
