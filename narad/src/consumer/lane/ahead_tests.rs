//! Against a queue that is filled and emptied as librdkafka's is.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::transport::{Class, Fault, Unread};

const RECORDS: usize = 1_000;
const BYTES: usize = 100_000;
const LARGE: usize = 5_000;

/// An offset, and what the record takes beside its value.
struct Light(i64, usize);

impl Weighed for Light {
    fn behind(&self) -> ReadPosition {
        ReadPosition { next: self.0 + 1, epoch: 7 }
    }
    fn counted(&self) -> usize {
        10
    }
    fn uncounted(&self) -> usize {
        self.1
    }
}

/// librdkafka's side of a partition.
#[derive(Default)]
struct Side {
    queue: VecDeque<Result<Light, NoRecord>>,
    next: i64,
    is_paused: bool,
    pauses: usize,
    moves: usize,
    /// So many of the next pauses are dropped.
    lost_pauses: usize,
    /// Behind the last that was read of the queue.
    application: i64,
}

#[derive(Clone, Default)]
struct Queue(Rc<RefCell<Side>>);

impl Queue {
    /// An answer of a broker's comes.
    fn comes(&self, records: i64, uncounted: impl Fn(i64) -> usize) {
        let mut side = self.0.borrow_mut();
        if side.is_paused || side.queue.len() >= RECORDS {
            return;
        }
        let from = side.next;
        side.next += records;
        side.queue.extend((from..from + records).map(|offset| Ok(Light(offset, uncounted(offset)))));
    }

    fn is_paused(&self) -> bool {
        self.0.borrow().is_paused
    }
}

impl Fetched for Queue {
    type Record = Light;

    fn read(&mut self, most: usize, each: impl FnMut(Result<Light, NoRecord>)) -> bool {
        let mut side = self.0.borrow_mut();
        let most = most.min(side.queue.len());
        let read: Vec<_> = side.queue.drain(..most).collect();
        if let Some(Ok(last)) = read.last() {
            side.application = last.0 + 1;
        }
        read.into_iter().for_each(each);
        !side.queue.is_empty()
    }

    /// It goes on where it takes the application to be, or one too far.
    fn pause(&self) {
        let mut side = self.0.borrow_mut();
        side.queue.clear();
        side.next = side.application + 1;
        side.pauses += 1;
        side.is_paused = side.lost_pauses == 0;
        side.lost_pauses = side.lost_pauses.saturating_sub(1);
    }

    fn go_on(&self, at: ReadPosition) {
        let mut side = self.0.borrow_mut();
        side.queue.clear();
        (side.next, side.is_paused) = (at.next, false);
        side.moves += 1;
    }
}

/// A lane as it reads, which wants each record once.
struct Reader {
    ahead: Ahead<Queue>,
    at: ReadPosition,
}

impl Reader {
    fn new(queue: &Queue) -> Self {
        Self {
            ahead: Ahead::new(queue.clone(), &Limits::new(RECORDS, BYTES, 0, None), &Clock::real()),
            at: ReadPosition { next: 0, epoch: -1 },
        }
    }

    fn read(&mut self, most: usize) {
        let (mut last, at) = (None, &mut self.at);
        self.ahead.read(most, |entry| {
            let Ok(record) = entry else { return };
            assert_eq!(record.0, at.next, "each record comes once, in order");
            at.next += 1;
            last = Some(record.1);
        });
        last.into_iter().for_each(|uncounted| self.ahead.weigh(uncounted));
        self.ahead.fetch_on(self.reads_on(), Instant::now());
    }

    fn reads_on(&self) -> ReadPosition {
        self.ahead.reads_on().unwrap_or(self.at)
    }
}

#[test]
fn ordinary_records_are_never_paused() {
    let queue = Queue::default();
    let mut reader = Reader::new(&queue);
    for _ in 0..100 {
        queue.comes(500, |_| 500);
        reader.read(64);
    }
    assert_eq!((queue.0.borrow().pauses, reader.ahead.taken.len()), (0, 0));
}

#[test]
fn beside_far_more_partitions_than_expected_little_is_fetched_ahead() {
    let queue = Queue::default();
    let mut reader = Reader::new(&queue);
    let limits = Limits::new(RECORDS * 100, BYTES * 100, 0, Some(1));
    reader.ahead = Ahead::new(queue.clone(), &limits, &Clock::real());
    queue.comes(500, |_| 50);
    reader.read(64);
    assert!(!reader.ahead.is_heavy());
    // Other members are gone.
    let others: Vec<_> = (0..99).map(|_| limits.share()).collect();
    for _ in 0..300 {
        queue.comes(500, |_| 50);
        reader.ahead.take_in();
        reader.read(64);
        let taken = reader.ahead.taken.len();
        assert!(taken <= RECORDS + AT_ONCE, "{taken} records are kept");
    }
    let side = || (queue.0.borrow().pauses, queue.0.borrow().moves);
    assert!(reader.ahead.is_heavy() && side().0 > 1 && side().1 > 0, "{:?}", side());
    // And come back.
    drop(others);
    for _ in 0..100 {
        queue.comes(500, |_| 50);
        reader.read(64);
    }
    assert!(!reader.ahead.is_heavy() && !queue.is_paused());
}

#[test]
fn heavy_records_are_fetched_in_helpings_and_go_on_where_half_is_used() {
    let queue = Queue::default();
    let mut reader = Reader::new(&queue);
    queue.comes(1_000, |_| LARGE);
    reader.read(16);
    assert!(queue.is_paused(), "more than enough was there");
    let taken = reader.ahead.taken.len();
    assert!(taken * LARGE >= BYTES && taken * LARGE <= 3 * BYTES, "{taken} are kept");
    while reader.ahead.takes() > BYTES / 2 {
        assert!(queue.is_paused());
        reader.read(1);
    }
    assert!(!queue.is_paused(), "half of it is used");
    let left = reader.ahead.taken.len();
    assert_eq!(queue.0.borrow().next, reader.at.next + left as i64, "behind what was taken");
    for _ in 0..50 {
        queue.comes(4, |_| LARGE);
        reader.ahead.take_in();
    }
    assert!(queue.is_paused(), "enough came");
    let most = BYTES + 4 * (LARGE + 10);
    assert!(reader.ahead.takes() <= most, "{} of {most}", reader.ahead.takes());
}

#[test]
fn a_partition_whose_records_are_light_again_is_fetched_freely() {
    let queue = Queue::default();
    let mut reader = Reader::new(&queue);
    queue.comes(100, |_| LARGE);
    reader.read(16);
    assert!(reader.ahead.is_heavy());
    for _ in 0..200 {
        queue.comes(16, |_| 20);
        reader.read(16);
    }
    assert!(!reader.ahead.is_heavy() && !queue.is_paused());
    reader.read(256);
    assert!(reader.ahead.taken.is_empty(), "what was taken comes before what is in the queue");
}

/// What stands behind it in the queue is read anew, and nothing more is taken until then.
#[test]
fn what_was_taken_behind_a_broken_batch_is_thrown_away() {
    let queue = Queue::default();
    let mut reader = Reader::new(&queue);
    queue.comes(20, |_| LARGE);
    reader.read(5);
    assert!(reader.ahead.is_heavy() && !queue.is_paused());
    reader.ahead.clear();
    assert!(queue.is_paused());
    queue.comes(20, |_| LARGE);
    reader.ahead.take_in();
    assert_eq!(reader.reads_on(), reader.at);
    reader.read(5);
    assert!(!queue.is_paused(), "whoever reads again has it fetched");
    queue.comes(20, |_| LARGE);
    reader.read(5);
    assert_eq!(reader.at.next, 10);
}

/// The end of the log, which is no record, says where the partition is read as little as nothing does.
#[test]
fn what_was_thrown_away_does_not_say_where_the_partition_is_read_on() {
    let queue = Queue::default();
    let mut reader = Reader::new(&queue);
    queue.comes(20, |_| LARGE);
    reader.read(5);
    assert!(reader.ahead.is_heavy() && reader.reads_on().next == 20);
    // It is another log, which ends at once.
    reader.ahead.clear();
    reader.at = ReadPosition { next: 2, epoch: -1 };
    reader.read(5);
    queue.0.borrow_mut().queue.push_back(Err(NoRecord::End(2)));
    reader.ahead.take_in();
    assert_eq!(reader.ahead.taken.len(), 1);
    assert_eq!(reader.reads_on(), reader.at);
}

/// An end that was taken alone lies behind what was read last, not behind what was taken before it.
#[test]
fn what_was_read_since_counts_for_where_the_partition_is_read_on() {
    let queue = Queue::default();
    let mut reader = Reader::new(&queue);
    queue.comes(20, |_| LARGE);
    reader.read(5);
    assert!(reader.ahead.is_heavy());
    while reader.ahead.is_heavy() || reader.at.next < 300 {
        queue.comes(20, |_| 20);
        reader.read(20);
    }
    while !(queue.0.borrow().queue.is_empty() && reader.ahead.taken.is_empty()) {
        reader.read(1_000);
    }
    queue.comes(1, |_| LARGE);
    queue.0.borrow_mut().queue.push_back(Err(NoRecord::End(reader.at.next + 1)));
    reader.read(1);
    assert_eq!((reader.ahead.is_heavy(), reader.ahead.taken.len()), (true, 1));
    assert_eq!(reader.reads_on(), reader.at);
}

/// librdkafka drops a pause that one of its own threads overtakes, and fetches on.
#[test]
fn a_partition_that_is_fetched_on_in_spite_of_a_pause_is_paused_again() {
    let queue = Queue::default();
    let mut reader = Reader::new(&queue);
    queue.0.borrow_mut().lost_pauses = 2;
    queue.comes(1_000, |_| LARGE);
    reader.read(16);
    assert!(!queue.is_paused());
    let taken = reader.ahead.taken.len();
    for _ in 0..50 {
        queue.comes(20, |_| LARGE);
        reader.ahead.take_in();
    }
    assert!(queue.is_paused(), "it is paused");
    assert_eq!(reader.ahead.taken.len(), taken, "what came meanwhile is not kept");
    while reader.at.next < 300 {
        queue.comes(20, |_| LARGE);
        reader.read(5);
    }
}

/// Handlers that hold all workers keep its lane from reading it.
#[test]
fn a_partition_that_is_not_read_becomes_heavy_as_well() {
    let queue = Queue::default();
    let mut reader = Reader::new(&queue);
    queue.comes(3, |_| 20);
    for _ in 0..200 {
        queue.comes(20, |_| LARGE);
        reader.ahead.sample();
        reader.ahead.take_in();
    }
    assert!(reader.ahead.is_heavy() && queue.is_paused());
    let most = BYTES + AT_ONCE * (LARGE + 10);
    assert!(reader.ahead.takes() <= most, "{} of {most}", reader.ahead.takes());
    while reader.at.next < 300 {
        queue.comes(20, |_| LARGE);
        reader.read(5);
    }
}

#[test]
fn little_is_taken_to_be_looked_at() {
    let queue = Queue::default();
    let mut reader = Reader::new(&queue);
    for _ in 0..10_000 {
        queue.comes(20, |_| 20);
        reader.ahead.sample();
    }
    assert!(reader.ahead.counted <= BYTES / SAMPLED + 10, "{} bytes", reader.ahead.counted);
    assert!(!reader.ahead.is_heavy());
    reader.read(1_000);
    assert!(reader.at.next > 0 && reader.ahead.taken.is_empty(), "they come first");
}

/// An answer that takes longer is thrown away with what is asked anew: with one wait for ever, each would be.
#[test]
fn a_partition_of_which_nothing_comes_is_read_anew_more_and_more_rarely() {
    let queue = Queue::default();
    let mut reader = Reader::new(&queue);
    queue.comes(5, |_| LARGE);
    reader.read(5);
    assert!(reader.ahead.is_heavy() && reader.ahead.taken.is_empty());
    let at = reader.reads_on();
    let read_anew = |reader: &mut Reader, hours: u64| {
        let (from, before) = (Instant::now(), queue.0.borrow().moves);
        for seconds in 0..=hours * 3_600 {
            reader.ahead.fetch_on(at, from + Duration::from_secs(seconds));
        }
        queue.0.borrow().moves - before
    };
    // After 10, 20, 40, 80, 160 seconds, and then each 300.
    assert_eq!(read_anew(&mut reader, 1), 5 + (3_600 - 310) / 300);
    // The end of its log says that it is read, and nothing of how long a record takes.
    queue.0.borrow_mut().queue.push_back(Err(NoRecord::End(5)));
    reader.read(5);
    assert_eq!(reader.ahead.silent, SILENT_AT_MOST);
    queue.comes(1, |_| LARGE);
    reader.read(5);
    assert_eq!(reader.ahead.silent, SILENT, "a record came");
}

/// librdkafka says nothing of what comes while its own marks are in the queue.
#[test]
fn the_queue_of_a_paused_partition_is_emptied_all_the_same() {
    let queue = Queue::default();
    let mut reader = Reader::new(&queue);
    queue.comes(1_000, |_| LARGE);
    reader.read(16);
    assert!(queue.is_paused());
    let error = Unread { fault: Fault::of(Class::Unknown), offset: 5, reason: String::new() };
    queue.0.borrow_mut().queue.push_back(Err(NoRecord::Unread(error)));
    reader.ahead.take_in();
    assert!(queue.0.borrow().queue.is_empty());
    assert!(matches!(reader.ahead.taken.back(), Some(Err(NoRecord::Unread(_)))), "and no error is lost");
}

#[test]
fn whatever_comes_when_each_record_is_read_once() {
    for seed in 0..400 {
        let mut random = fastrand::Rng::with_seed(seed);
        // Then most of what comes is light, and read freely up to its end.
        let is_light = seed >= 200;
        let queue = Queue::default();
        let mut reader = Reader::new(&queue);
        for _ in 0..500 {
            if random.u8(..20) == 0 {
                queue.0.borrow_mut().lost_pauses = 1;
            }
            match random.u8(..100) {
                0..40 => {
                    let heavy = random.i64(1..200);
                    let all_light = is_light && random.u8(..50) > 0;
                    queue.comes(random.i64(0..60), |offset| {
                        if offset % heavy < 60 && !all_light { LARGE } else { 50 }
                    });
                    // The log ends there.
                    let mut side = queue.0.borrow_mut();
                    if !side.is_paused && random.bool() {
                        let end = side.next;
                        side.queue.push_back(Err(NoRecord::End(end)));
                    }
                }
                40..57 => reader.ahead.take_in(),
                57..60 => reader.ahead.sample(),
                60..95 => reader.read(random.usize(1..if is_light { 300 } else { 40 })),
                // A rebalance: librdkafka has gone on one too far, and is told where.
                95..98 => {
                    let (at, mut side) = (reader.reads_on(), queue.0.borrow_mut());
                    side.queue.clear();
                    side.next = at.next;
                }
                // Another log, or what a broken batch stands before.
                _ => {
                    reader.at.next += random.i64(-5..50);
                    reader.at.next = reader.at.next.max(0);
                    reader.ahead.clear();
                    let mut side = queue.0.borrow_mut();
                    side.queue.clear();
                    side.next = reader.at.next;
                }
            }
            let most = BYTES + AT_ONCE * (LARGE + 10);
            // Where light ones became heavy, what it is thought to take is more than that.
            assert!(is_light || reader.ahead.takes() <= most, "{} of {most}", reader.ahead.takes());
        }
        assert!(is_light || queue.0.borrow().pauses > 0, "seed {seed} never paused");
    }
}

/// Before the lane has read anything: a rebalance has to know that something was taken.
#[test]
fn what_was_taken_before_the_lane_read_anything_is_known() {
    let queue = Queue::default();
    let limits = Limits::new(RECORDS, BYTES * 100, 0, Some(1));
    let _others: Vec<_> = (0..99).map(|_| limits.share()).collect();
    let mut ahead = Ahead::new(queue.clone(), &limits, &Clock::real());
    assert!(ahead.is_heavy() && !ahead.has_taken());
    queue.0.borrow_mut().queue.push_back(Err(NoRecord::End(0)));
    ahead.take_in();
    assert!(ahead.has_taken() && ahead.reads_on().is_none(), "an end of the log, and no record");
    queue.comes(1, |_| 50);
    ahead.take_in();
    assert_eq!(ahead.reads_on(), Some(ReadPosition { next: 1, epoch: 7 }));
}

/// Where a lane has enough that it does not read, a share that becomes less is still seen.
#[test]
fn a_lane_that_is_not_read_is_looked_at_when_its_share_becomes_less() {
    let queue = Queue::default();
    let limits = Limits::new(RECORDS, BYTES * 100, 0, Some(1));
    let mut ahead = Ahead::new(queue.clone(), &limits, &Clock::real());
    for _ in 0..2 * RECORDS {
        queue.comes(1, |_| 50);
        ahead.sample();
    }
    assert!(!ahead.is_heavy() && ahead.taken.len() >= RECORDS, "{} were taken", ahead.taken.len());
    let _others: Vec<_> = (0..99).map(|_| limits.share()).collect();
    ahead.sample();
    assert!(ahead.is_heavy());
}
