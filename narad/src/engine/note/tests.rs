//! Notes against what they were not made for, against the format before, and against texts of others.

use proptest::prelude::*;

use super::*;
use crate::engine::OffsetTracker;

/// The rules of the format before: what a process that knows only that one makes of a text.
mod former {
    use super::*;

    #[derive(Debug, Default, PartialEq, Eq)]
    pub(super) struct Resume {
        pub(super) next: i64,
        pub(super) high: i64,
        pub(super) began: i64,
        pub(super) keys: BTreeMap<u64, i64>,
        pub(super) offsets: BTreeSet<i64>,
    }

    impl Resume {
        pub(super) fn finished(&self, offset: i64, key: u64) -> bool {
            offset < self.high
                && !self.offsets.contains(&offset)
                && self.keys.get(&key).is_none_or(|from| offset < *from)
        }

        pub(super) fn decode(metadata: &str, next: i64) -> Option<Self> {
            let bytes = BASE64.decode(metadata.strip_prefix("narad1.")?).ok()?;
            let (kind, mut rest) = bytes.split_first()?;
            let began = read_varint(&mut rest)?;
            let mut map =
                Self { next, high: next.checked_add(read_varint(&mut rest)?)?, began, ..Self::default() };
            match *kind {
                1 => {
                    while !rest.is_empty() {
                        let (key, tail) = rest.split_first_chunk::<8>()?;
                        rest = tail;
                        map.keys.insert(u64::from_le_bytes(*key), next.checked_add(read_varint(&mut rest)?)?);
                    }
                }
                2 => {
                    let mut last = next;
                    while !rest.is_empty() {
                        last = last.checked_add(read_varint(&mut rest)?)?;
                        map.offsets.insert(last);
                    }
                }
                _ => return None,
            }
            Some(map)
        }
    }
}

const CLUSTER: Option<&str> = Some("cluster");

fn bound(ordering: Ordering) -> Bound {
    Bound::new("group", "topic", 3, CLUSTER, ordering)
}

fn at(next: i64, metadata: String) -> Position {
    Position { next, metadata, epoch: -1 }
}

fn written(bound: Bound, next: i64, map: Map) -> Position {
    at(next, bound.write(NextOffset(next), Note::new(map)))
}

fn spread(key: u64) -> u64 {
    key.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

fn two_keys() -> Map {
    Map::of_keys(NextOffset(100), NextOffset(5_000), [(7, 100), (9, 250)])
}

#[test]
fn two_hundred_and_fifty_keys_fit_however_far_ahead_the_others_are() {
    let map = Map::of_keys(
        NextOffset(1_000),
        NextOffset(50_000_000),
        (0..250).map(|key| (spread(key), 1_000 + key as i64 * 100)),
    );
    let position = written(bound(Ordering::Key), 1_000, map.clone());
    assert!(
        position.metadata.len() <= MAX_METADATA && position.metadata.is_ascii(),
        "{}",
        position.metadata.len()
    );
    assert_eq!(bound(Ordering::Key).read(&position).map(), &map);
    assert_eq!(map.high(), 50_000_000);
}

#[test]
fn with_more_keys_than_fit_the_height_comes_down() {
    let map = Map::of_keys(
        NextOffset(0),
        NextOffset(1_000_000),
        (0..2_000).map(|key| (spread(key), key as i64 * 10)),
    );
    assert!(map.high() < 20_000);
    assert!(!map.finished(19_990, spread(1_999)));
    let position = written(bound(Ordering::Key), 0, map.clone());
    assert!(position.metadata.len() <= MAX_METADATA, "{}", position.metadata.len());
    assert_eq!(bound(Ordering::Key).read(&position).map(), &map);
    let map = Map::of_offsets(NextOffset(0), NextOffset(i64::MAX), (0..10_000).map(|place| place * 200));
    let position =
        at(0, bound(Ordering::None).write(NextOffset(0), Note::new(map.clone()).with_began(i32::MAX.into())));
    assert!(position.metadata.len() <= MAX_METADATA && map.high() < 2_000_000, "{}", position.metadata.len());
    assert_eq!(bound(Ordering::None).read(&position).map(), &map);
}

#[test]
fn the_same_content_has_the_same_text() {
    let texts: BTreeSet<String> = (0..50)
        .map(|_| {
            let mut tracker = OffsetTracker::new(NextOffset(0), Note::default());
            (0..40).for_each(|offset| tracker.deliver(offset, spread(offset as u64 % 20)));
            bound(Ordering::Key).write(tracker.next(), tracker.note(Ordering::Key))
        })
        .collect();
    assert_eq!(texts.len(), 1, "an idle partition is committed again and again");
}

#[test]
fn a_map_is_believed_for_exactly_what_it_was_made_for() {
    let position = written(bound(Ordering::Key), 100, two_keys());
    assert_eq!(bound(Ordering::Key).read(&position).map(), &two_keys());
    let ignored = |what: &str, bound: Bound, position: &Position| {
        assert_eq!(bound.read(position).map(), &Map::Nothing, "{what}")
    };
    for ordering in [Ordering::Partition, Ordering::None] {
        ignored("another order", bound(ordering), &position);
    }
    ignored("another group", Bound::new("other", "topic", 3, CLUSTER, Ordering::Key), &position);
    ignored("another topic", Bound::new("group", "other", 3, CLUSTER, Ordering::Key), &position);
    ignored("another split of the names", Bound::new("groupt", "opic", 3, CLUSTER, Ordering::Key), &position);
    ignored("another partition", Bound::new("group", "topic", 4, CLUSTER, Ordering::Key), &position);
    ignored("another cluster", Bound::new("group", "topic", 3, Some("other"), Ordering::Key), &position);
    ignored("a cluster that is not known", Bound::new("group", "topic", 3, None, Ordering::Key), &position);
    for next in [99, 101, 0] {
        ignored("another offset", bound(Ordering::Key), &Position { next, ..position.clone() });
    }
}

#[test]
fn without_a_cluster_no_map_is_written() {
    let bound = Bound::new("group", "topic", 3, None, Ordering::Key);
    assert_eq!(bound.write(NextOffset(100), Note::new(two_keys())), "");
    let began = at(100, bound.write(NextOffset(100), Note::new(two_keys()).with_began(8)));
    assert_eq!(bound.read(&began), Note::default().with_began(8));
}

#[test]
fn where_a_group_began_is_known_after_a_move_and_not_in_another_group() {
    let text = bound(Ordering::Key).write(NextOffset(100), Note::new(two_keys()).with_began(8));
    assert_eq!(began("group", "topic", &text), 8);
    assert_eq!(began("other", "topic", &text), 0);
    assert_eq!(began("group", "other", &text), 0);
    let moved = Bound::new("group", "topic", 5, Some("other"), Ordering::Partition);
    assert_eq!(moved.read(&at(7, text)), Note::default().with_began(8));
}

#[test]
fn without_its_map_a_note_says_where_the_group_began() {
    let full = at(100, bound(Ordering::Key).write(NextOffset(100), Note::new(two_keys()).with_began(8)));
    let less = without_map(&full);
    assert_eq!((less.next, bound(Ordering::Key).read(&less)), (100, Note::default().with_began(8)));
    assert!(less.metadata.len() < full.metadata.len());
    assert_eq!(without_map(&less), less);
    assert_eq!(
        without_map(&written(bound(Ordering::Key), 100, two_keys())),
        at(100, String::new()),
        "it began nowhere"
    );
    assert_eq!(without_map(&at(100, "somebody else's".to_owned())), at(100, String::new()));
}

/// Texts that processes of the format before have committed: 400 records of 20 keys, of which every seventh
/// fails.
const FORMER: [&str; 3] = [
    "narad1.AQCQA-ChcBMZzSv5AF-F0W9qhwRpDj4F7002et6xBw",
    "narad1.AgCQAwAHBwYHBwYHBwYHBwYHBwYHBwYHBwYHBwYHBwYHBwYHBwYHBwYHBwYHBwYHBwYHBwYHBwYHBwYHBwYHBw",
    // Where a group began, and nothing beyond.
    "narad1.AQgA",
];

#[test]
fn texts_of_the_format_before_say_where_a_group_began_and_nothing_else() {
    for text in FORMER {
        let resume = former::Resume::decode(text, 0).expect("it was one");
        for ordering in [Ordering::Key, Ordering::None, Ordering::Partition] {
            assert_eq!(
                bound(ordering).read(&at(0, text.to_owned())),
                Note::default().with_began(resume.began)
            );
        }
        assert_eq!(began("group", "topic", text), resume.began);
    }
    let resume = former::Resume::decode(FORMER[0], 0).expect("it was one");
    assert_eq!((resume.high, resume.keys.len()), (400, 3), "what it says is known, and not believed");
    assert!(
        resume.finished(1, 0) && !former::Resume::decode(FORMER[1], 0).expect("it was one").finished(7, 0)
    );
}

#[test]
fn what_an_earlier_owner_finished_right_behind_the_offset_is_not_forgotten_by_one_that_has_not_read_it() {
    for ordering in [Ordering::Key, Ordering::None] {
        let bound = bound(ordering);
        let key = |key: u64, offset: i64| if ordering == Ordering::Key { key } else { offset as u64 };
        let mut first = OffsetTracker::new(NextOffset(5), Note::default());
        first.deliver(5, key(1, 5));
        first.deliver(6, key(2, 6));
        first.finish(6);
        let mut second = OffsetTracker::new(
            NextOffset(5),
            bound.read(&at(5, bound.write(first.next(), first.note(ordering)))),
        );
        second.deliver(5, key(1, 5));
        second.finish(5);
        assert_eq!(second.next(), NextOffset(6));
        let third = OffsetTracker::new(
            NextOffset(6),
            bound.read(&at(6, bound.write(second.next(), second.note(ordering)))),
        );
        assert!(third.finished_before(6, key(2, 6)), "{ordering:?}");
    }
}

/// What an order makes of the records that a run was given, and of what was chosen to be finished.
#[derive(Clone, Debug)]
struct Step {
    ordering: Ordering,
    /// How many records the run looks at.
    looks: usize,
    /// Which of those that it was given it finishes, as far as its order lets it.
    finishes: Vec<bool>,
    /// What has happened to the commit before the run: 0-5 it is where it was, or it was copied elsewhere.
    moved: u8,
    shift: i64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ordering = prop_oneof![
        Just(Ordering::Key),
        Just(Ordering::Key),
        Just(Ordering::None),
        Just(Ordering::Partition)
    ];
    let step = (ordering, 0usize..60, prop::collection::vec(any::<bool>(), 60), 0u8..12, -5i64..20).prop_map(
        |(ordering, looks, finishes, moved, shift)| Step { ordering, looks, finishes, moved, shift },
    );
    prop::collection::vec(step, 1..7)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Several runs of a group with whatever orders, each stopped anywhere, its commit copied anywhere: what
    /// one of them calls finished before was handled by this group, on this log.
    #[test]
    fn nothing_is_skipped_that_was_not_finished(records in prop::collection::vec((0u64..6, 1i64..4), 1..60), steps in steps(), first in 0i64..3) {
        let mut names = ("group".to_owned(), "topic".to_owned(), 3, Some("cluster".to_owned()));
        let mut offset = first - 1;
        let mut log: Vec<(i64, u64)> = records.iter().map(|(key, gap)| { offset += gap; (offset, spread(*key)) }).collect();
        let mut done: BTreeSet<i64> = BTreeSet::new();
        let mut position = at(first, String::new());
        let mut since = first;
        for (others, step) in steps.into_iter().enumerate() {
            // Whoever copies a commit says that everything below its offset is done there, and nothing else
            // is.
            let mut elsewhere = true;
            match step.moved {
                6 => names.0 = format!("group {others}"),
                7 => {
                    // As a mirror does: the same records without gaps, the offset translated, the metadata
                    // kept.
                    let next = log.iter().filter(|(offset, _)| *offset < position.next).count() as i64;
                    log = log.iter().enumerate().map(|(place, (_, key))| (place as i64, *key)).collect();
                    position.next = next;
                    names.1 = format!("topic {others}");
                }
                8 => names.2 += 1,
                9 => names.3 = Some(format!("cluster {others}")),
                10 => {
                    let next = (position.next + step.shift).max(0);
                    elsewhere = next != position.next;
                    position.next = next;
                }
                11 => {
                    // The cluster is not known: what was done is done, but no map is believed.
                    names.3 = None;
                    elsewhere = false;
                }
                _ => elsewhere = false,
            }
            if elsewhere {
                done.clear();
                since = position.next;
            }
            let bound = Bound::new(&names.0, &names.1, names.2, names.3.as_deref(), step.ordering);
            let mut tracker = OffsetTracker::new(NextOffset(position.next), bound.read(&position));
            let mut given = Vec::new();
            for (offset, key) in log.iter().filter(|(offset, _)| *offset >= position.next).take(step.looks) {
                let key = match step.ordering { Ordering::Key => *key, Ordering::Partition => 0, Ordering::None => *offset as u64 };
                if tracker.finished_before(*offset, key) {
                    prop_assert!(done.contains(offset), "{offset} is skipped");
                    tracker.finish_at_once(*offset);
                } else {
                    tracker.deliver(*offset, key);
                    given.push((*offset, key));
                }
            }
            let mut held = BTreeSet::new();
            for ((offset, key), finishes) in given.into_iter().zip(&step.finishes) {
                if *finishes && !held.contains(&key) {
                    tracker.finish(offset);
                    done.insert(offset);
                } else {
                    held.insert(key);
                }
            }
            let next = tracker.next();
            position = at(next.0, bound.write(next, tracker.note(step.ordering)));
            prop_assert!(position.metadata.len() <= MAX_METADATA);
            let lost = log.iter().find(|(offset, _)| *offset >= since && *offset < next.0 && !done.contains(offset));
            prop_assert_eq!(lost, None, "committed past what nobody finished");
        }
    }

    /// A process of before reads where the group began, and that nothing is finished beyond the offset; so it
    /// repeats.
    #[test]
    fn a_former_process_reads_no_map_and_where_the_group_began(
        keys in prop::collection::vec((any::<u64>(), 0i64..3_000), 0..300), none in any::<bool>(), high in 0i64..100_000, next in 0i64..1 << 40,
        began in 1i64..100_000
    ) {
        let (next, high) = (NextOffset(next), NextOffset(next + high));
        let (ordering, map) = if none {
            (Ordering::None, Map::of_offsets(next, high, keys.iter().map(|(_, offset)| next.0 + offset)))
        } else {
            (Ordering::Key, Map::of_keys(next, high, keys.iter().map(|(key, offset)| (*key, next.0 + offset))))
        };
        let text = bound(ordering).write(next, Note::new(map).with_began(began));
        let resume = former::Resume::decode(&text, next.0).expect("it is read");
        prop_assert_eq!((resume.next, resume.began, resume.high), (next.0, began, next.0));
        prop_assert!(keys.iter().all(|(key, offset)| !resume.finished(next.0 + offset, *key)));
        prop_assert_eq!(bound(ordering).read(&at(next.0, text)).began(), began);
    }

    /// What others write is ignored, whatever it is; what begins as a note does and is none says nothing that
    /// a note of ours could.
    #[test]
    fn foreign_and_broken_metadata_is_ignored(text in "(narad1\\.)?[ -~]{0,60}", next in 0i64..1000, bytes in prop::collection::vec(any::<u8>(), 0..90)) {
        for text in [text, format!("{PREFIX}{}", BASE64.encode(&bytes)), format!("{PREFIX}{}", BASE64.encode([&[1, 8, 0], bytes.as_slice()].concat()))] {
            for ordering in [Ordering::Key, Ordering::None, Ordering::Partition] {
                let note = bound(ordering).read(&at(next, text.clone()));
                prop_assert_eq!(note.map(), &Map::Nothing);
            }
            let position = at(next, text);
            let less = without_map(&position);
            prop_assert!(less.metadata.len() <= position.metadata.len());
            prop_assert_eq!(&without_map(&less), &less);
        }
    }

    /// A text with one character changed, or cut off, says what it said or nothing.
    #[test]
    fn a_text_that_was_changed_on_its_way_says_no_other_map(
        keys in prop::collection::vec((any::<u64>(), 0i64..3_000), 1..20), place in any::<prop::sample::Index>(), to in "[A-Za-z0-9_-]", cut in any::<bool>()
    ) {
        let map = Map::of_keys(NextOffset(50), NextOffset(9_000), keys.iter().map(|(key, offset)| (*key, 50 + offset)));
        let mut text = written(bound(Ordering::Key), 50, map.clone()).metadata;
        let place = place.index(text.len());
        if cut { text.truncate(place) } else { text.replace_range(place..=place, &to) }
        let read = bound(Ordering::Key).read(&at(50, text));
        prop_assert!(*read.map() == Map::Nothing || *read.map() == map);
    }
}

/// A note is bound by its seal: a text that is another one is read as another partition's, whatever became of
/// it.
#[test]
fn a_bent_note_is_ignored_or_means_what_the_whole_one_did() {
    let none = Map::of_offsets(NextOffset(100), NextOffset(5_000), [100, 120, 4_000]);
    let seeds = [
        bound(Ordering::Key).write(NextOffset(100), Note::new(two_keys()).with_began(8)),
        bound(Ordering::None).write(NextOffset(100), Note::new(none.clone())),
        bound(Ordering::Partition).write(NextOffset(100), Note::default().with_began(3)),
        "narad1.AQgA".to_owned(),
        "{\"another\":\"client's\"}".to_owned(),
    ];
    let known = [two_keys(), none, Map::Nothing];
    crate::fuzz::run(&seeds.each_ref().map(|seed| seed.as_bytes()), |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let position = at(100, text.to_owned());
        for ordering in [Ordering::Key, Ordering::None, Ordering::Partition] {
            let read = bound(ordering).read(&position);
            assert!(known.contains(read.map()), "{read:?}");
        }
        let _ = (began("group", "topic", text), without_map(&position));
    });
}
