//! Which offsets of a partition are finished: what may be committed, and what a restart need not repeat.
//!
//! Pure: no clock, no Kafka. Offsets are followed as they were delivered, since compaction and transaction
//! markers leave gaps.

use std::collections::{BTreeMap, HashMap};

use super::next_offset::NextOffset;
use super::note::{Map, Note};
use crate::handler::Ordering;

/// What of a partition is delivered, finished, and committable.
#[derive(Debug)]
pub(crate) struct OffsetTracker {
    /// Delivered and not finished, with the hash of the key.
    unfinished: BTreeMap<i64, u64>,
    /// One past the highest delivered.
    seen: NextOffset,
    /// What an earlier owner had finished beyond what it could commit, and where the group began.
    note: Note,
}

impl OffsetTracker {
    /// Begins at a committed offset, with what was finished beyond it.
    pub(crate) fn new(start: NextOffset, note: Note) -> Self {
        Self { unfinished: BTreeMap::new(), seen: start, note }
    }

    /// Whether an earlier owner may have finished this record already. Else nobody asks for its key.
    #[inline]
    pub(crate) fn has_note_of(&self, offset: i64) -> bool {
        offset < self.note.map().high()
    }

    /// Whether an earlier owner finished this record already: it is not to be delivered, but to be
    /// [finished at once](Self::finish_at_once).
    pub(crate) fn finished_before(&self, offset: i64, key: u64) -> bool {
        self.note.map().finished(offset, key)
    }

    /// The records from this offset on were written by a later leader than all that earlier owners have read:
    /// what they noted there is not about these.
    pub(crate) fn written_anew_from(&mut self, offset: NextOffset) {
        self.note.end_at(offset);
    }

    /// A record was delivered.
    pub(crate) fn deliver(&mut self, offset: i64, key: u64) {
        self.unfinished.insert(offset, key);
        self.see(offset);
    }

    /// A record was delivered and finished in one step.
    pub(crate) fn finish_at_once(&mut self, offset: i64) {
        self.see(offset);
    }

    fn see(&mut self, offset: i64) {
        self.seen = self.seen.max(NextOffset::after(offset));
    }

    /// A delivered record is finished.
    pub(crate) fn finish(&mut self, offset: i64) {
        self.unfinished.remove(&offset);
    }

    /// Nothing more comes below this offset: what was not delivered by now is no record, or gone.
    pub(crate) fn skip_to(&mut self, start: NextOffset) {
        self.seen = self.seen.max(start);
    }

    /// From this offset on the log is another one: nothing that was delivered or noted there is in it.
    pub(crate) fn go_back_to(&mut self, start: NextOffset) {
        self.unfinished.split_off(&start.0);
        self.seen = self.seen.min(start);
        self.note.end_at(start);
    }

    /// The next offset to commit: everything before it is finished.
    pub(crate) fn next(&self) -> NextOffset {
        self.unfinished.first_key_value().map_or(self.seen, |(offset, _)| NextOffset(*offset))
    }

    /// The lowest offset that was delivered and is not finished.
    pub(crate) fn oldest(&self) -> Option<i64> {
        self.unfinished.first_key_value().map(|(offset, _)| *offset)
    }

    /// What is finished beyond [`next`](Self::next). What an earlier owner's map says of records that were
    /// not delivered again is carried on whole, or, with an order for which that map was not made, not at
    /// all.
    pub(crate) fn note(&self, ordering: Ordering) -> Note {
        let map = match ordering {
            Ordering::Key => self.by_key(),
            Ordering::None => self.by_offset(),
            Ordering::Partition => Map::Nothing,
        };
        // A record that is delivered and unfinished stands at the next offset itself: it is no news that it
        // is not finished. What was not delivered again may be finished there.
        let unfinished = i64::from(!self.unfinished.is_empty());
        let map = if map.high() > self.next().0 + unfinished { map } else { Map::Nothing };
        Note::new(map).with_began(self.note.began())
    }

    /// For records whose keys keep their order: all below a height, but these keys from these offsets on.
    fn by_key(&self) -> Map {
        let mut first: HashMap<u64, i64> = HashMap::new();
        for (offset, key) in &self.unfinished {
            first.entry(*key).or_insert(*offset);
        }
        let mut high = self.seen;
        if let Map::Keys { high: before, from } = self.note.map()
            && *before > self.seen.0
        {
            high = NextOffset(*before);
            for (key, from) in from {
                // What lies below `seen` was delivered again, and is unfinished only where this tracker says
                // so.
                first.entry(*key).or_insert(*from.max(&self.seen.0));
            }
        }
        Map::of_keys(self.next(), high, first)
    }

    /// For records without order: all below a height, but these offsets.
    fn by_offset(&self) -> Map {
        let mut offsets: Vec<i64> = self.unfinished.keys().copied().collect();
        let mut high = self.seen;
        if let Map::Offsets { high: before, offsets: unfinished } = self.note.map()
            && *before > self.seen.0
        {
            high = NextOffset(*before);
            offsets.extend(unfinished.range(self.seen.0..));
        }
        Map::of_offsets(self.next(), high, offsets)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    use super::*;
    use crate::engine::Bound;
    use crate::transport::Position;

    /// What the next owner makes of a commit of this one.
    fn handed_over(tracker: &OffsetTracker, ordering: Ordering) -> OffsetTracker {
        let bound = Bound::new("group", "topic", 0, Some("cluster"), ordering);
        let next = tracker.next();
        let position =
            Position { next: next.0, metadata: bound.write(next, tracker.note(ordering)), epoch: -1 };
        OffsetTracker::new(next, bound.read(&position))
    }

    /// Per record: its key, and the gap to the one before.
    fn records() -> impl Strategy<Value = Vec<(u64, i64)>> {
        prop::collection::vec((0u64..6, 1i64..4), 1..60)
    }

    proptest! {
        /// Whatever the order of completion, the commit is the end of the finished prefix.
        #[test]
        fn commits_the_finished_prefix(records in records(), order in any::<u64>()) {
            let mut tracker = OffsetTracker::new(NextOffset(0), Note::default());
            let mut offsets = Vec::new();
            let mut offset = -1;
            for (key, gap) in &records {
                offset += gap;
                tracker.deliver(offset, *key);
                offsets.push(offset);
            }
            let mut open: BTreeSet<i64> = offsets.iter().copied().collect();
            let mut state = order;
            while !open.is_empty() {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let pick = *open.iter().nth((state >> 33) as usize % open.len()).unwrap();
                open.remove(&pick);
                tracker.finish(pick);
                let naive = open.first().copied().unwrap_or(offset + 1);
                prop_assert_eq!(tracker.next(), NextOffset(naive));
            }
        }

        /// What retention deleted does not come any more; what was delivered before is not finished by that.
        #[test]
        fn a_gap_that_retention_has_made_finishes_nothing(records in records(), gap in 0i64..100) {
            let mut tracker = OffsetTracker::new(NextOffset(0), Note::default());
            let mut offset = -1;
            for (key, gap) in &records {
                offset += gap;
                tracker.deliver(offset, *key);
            }
            let first = tracker.next();
            tracker.skip_to(NextOffset(offset + 1 + gap));
            prop_assert_eq!(tracker.next(), first);
            tracker.skip_to(NextOffset(offset));
            prop_assert_eq!(tracker.next(), first);
        }

        /// With all of it finished, the end of the log is committed, whatever lies before it that never came;
        /// never past what is unfinished.
        #[test]
        fn a_drained_partition_is_committed_up_to_its_end(
            records in records(), ends in prop::collection::vec(0i64..5, 60), unfinished in prop::collection::btree_set(0usize..60, 0..5)
        ) {
            let mut tracker = OffsetTracker::new(NextOffset(0), Note::default());
            let (mut offset, mut low) = (-1, None);
            for (number, (key, gap)) in records.iter().enumerate() {
                // The end comes before the next record is written.
                let end = offset + 1 + ends[number].min(gap - 1);
                tracker.skip_to(NextOffset(end));
                prop_assert_eq!(tracker.next(), NextOffset(low.unwrap_or(end)));
                offset += gap;
                tracker.deliver(offset, *key);
                if unfinished.contains(&number) {
                    low = low.or(Some(offset));
                } else {
                    tracker.finish(offset);
                }
                prop_assert_eq!(tracker.next(), NextOffset(low.unwrap_or(offset + 1)));
            }
        }

        /// What an earlier owner noted holds for the records that it has read, and not for those that a later
        /// leader has written in their places.
        #[test]
        fn a_note_is_not_about_what_a_later_leader_wrote(records in records(), done in prop::collection::btree_set(0usize..60, 0..60), cut in 0i64..200) {
            let mut tracker = OffsetTracker::new(NextOffset(0), Note::default());
            let mut offset = -1;
            for (number, (key, gap)) in records.iter().enumerate() {
                offset += gap;
                tracker.deliver(offset, *key);
                if done.contains(&number) {
                    tracker.finish(offset);
                }
            }
            let next = tracker.next();
            let (all, mut some) = (handed_over(&tracker, Ordering::None), handed_over(&tracker, Ordering::None));
            some.written_anew_from(NextOffset(cut));
            for offset in next.0..=offset + 5 {
                prop_assert_eq!(some.finished_before(offset, 0), offset < cut && all.finished_before(offset, 0));
            }
        }

        /// What was unfinished below the place where the log parts holds the commit back; what was above it
        /// is forgotten.
        #[test]
        fn a_log_that_was_cut_off_leaves_what_lies_below(records in records(), cut in 0usize..60, open in prop::collection::btree_set(0usize..60, 0..9)) {
            let mut tracker = OffsetTracker::new(NextOffset(0), Note::default());
            let mut log = Vec::new();
            let mut offset = -1;
            for (number, (key, gap)) in records.iter().enumerate() {
                offset += gap;
                tracker.deliver(offset, *key);
                log.push(offset);
                if !open.contains(&number) {
                    tracker.finish(offset);
                }
            }
            let cut = log.get(cut).copied().unwrap_or(0);
            tracker.go_back_to(NextOffset(cut));
            let lowest = open.iter().filter_map(|number| log.get(*number)).copied().filter(|offset| *offset < cut).min();
            prop_assert_eq!(tracker.next(), NextOffset(lowest.unwrap_or(cut)));
            // Others stand there now.
            tracker.deliver(cut, 0);
            prop_assert_eq!(tracker.next(), NextOffset(lowest.unwrap_or(cut)));
            tracker.finish(cut);
            prop_assert_eq!(tracker.next(), NextOffset(lowest.unwrap_or(cut + 1)));
        }

        /// A restart, and one more before it has caught up, deliver what was unfinished and nothing else (but
        /// for records above a height that came down), in order per key.
        #[test]
        fn a_restart_repeats_only_what_was_unfinished(
            records in records(), cut in prop::collection::vec(0usize..60, 6), again in 0usize..60
        ) {
            let mut log = Vec::new();
            let mut offset = -1;
            for (key, gap) in &records {
                offset += gap;
                log.push((offset, *key));
            }
            // Per key a prefix of its records is finished.
            let finished: BTreeSet<i64> = (0..6u64)
                .flat_map(|key| log.iter().filter(move |(_, k)| *k == key).take(cut[key as usize]).map(|(offset, _)| *offset))
                .collect();
            let mut tracker = OffsetTracker::new(NextOffset(0), Note::default());
            for (offset, key) in &log {
                tracker.deliver(*offset, *key);
            }
            for offset in &finished {
                tracker.finish(*offset);
            }
            let next = tracker.next();
            let unfinished: BTreeSet<i64> = log.iter().map(|(offset, _)| *offset).filter(|offset| !finished.contains(offset)).collect();

            // The second owner reads `again` records, finishes none of them, and goes as well.
            let mut second = handed_over(&tracker, Ordering::Key);
            let mut delivered = BTreeSet::new();
            for (offset, key) in log.iter().filter(|(offset, _)| *offset >= next.0).take(again) {
                if second.finished_before(*offset, *key) {
                    second.finish_at_once(*offset);
                } else {
                    second.deliver(*offset, *key);
                    delivered.insert(*offset);
                }
            }
            prop_assert!(delivered.is_subset(&unfinished));
            let next = second.next();
            let mut third = handed_over(&second, Ordering::Key);
            let mut delivered = BTreeSet::new();
            for (offset, key) in log.iter().filter(|(offset, _)| *offset >= next.0) {
                if !third.finished_before(*offset, *key) {
                    third.deliver(*offset, *key);
                    delivered.insert(*offset);
                }
            }
            prop_assert_eq!(delivered, unfinished);
        }

        #[test]
        fn without_order_a_restart_repeats_only_what_was_unfinished(records in records(), done in prop::collection::btree_set(0usize..60, 0..60)) {
            let mut tracker = OffsetTracker::new(NextOffset(0), Note::default());
            let mut log = Vec::new();
            let mut offset = -1;
            for (key, gap) in &records {
                offset += gap;
                tracker.deliver(offset, *key);
                log.push(offset);
            }
            let finished: BTreeSet<i64> = done.iter().filter_map(|index| log.get(*index).copied()).collect();
            for offset in &finished {
                tracker.finish(*offset);
            }
            let next = tracker.next();
            let second = handed_over(&tracker, Ordering::None);
            for offset in log {
                let expected = offset < next.0 || finished.contains(&offset);
                prop_assert_eq!(offset < next.0 || second.finished_before(offset, 0), expected);
            }
        }
    }
}
