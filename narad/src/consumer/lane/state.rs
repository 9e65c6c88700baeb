//! What the worker that runs a lane owns: what was read, what waits, what runs.

use std::collections::{HashMap, HashSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Waker;
use std::time::Duration;

use super::batch::Linger;
use super::run::RunWaker;
use super::{Lane, MOST_HELD_BYTES, READ_BYTES, SMALL};
use crate::codec::Head;
use crate::consumer::handler::Handler;
use crate::consumer::retry::Fate;
use crate::consumer::watchdog::AttemptClock;
use crate::discard::discard;
use crate::engine::{Bound, Hashed, Holding, NextOffset, OffsetTracker, Targets};
use crate::handler::{Rejection, Slot};
use crate::outcome::Cause;
use crate::record::Record;
use crate::transport::Position;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What the worker that runs the lane owns.
pub(super) struct State {
    /// Read and not looked at, in the partition's order.
    pub(super) backlog: VecDeque<Record>,
    /// The keys that have a record in flight, or something waiting.
    pub(super) keys: HashMap<u64, Key>,
    /// Keys that are free again and have something waiting.
    pub(super) freed: VecDeque<u64>,
    pub(super) runs: Vec<Option<Run>>,
    pub(super) vacant: Vec<usize>,
    /// Of the places for runs.
    pub(super) wakers: Vec<(Waker, Arc<RunWaker>)>,
    /// Those that are being polled since they were woken.
    pub(super) woken: Vec<usize>,
    pub(super) records: HashMap<u64, InFlight>,
    pub(super) next_record: u64,
    pub(super) tracker: OffsetTracker,
    /// Where the log ended when it was last read up to its end, or where it goes on: all that was read lies
    /// below.
    pub(super) end: Option<NextOffset>,
    pub(super) permits: Arc<Semaphore>,
    pub(super) held: usize,
    pub(super) held_bytes: usize,
    /// What a record takes with its headers, as those that were read last did: less is read at once of larger
    /// ones.
    pub(super) typical: usize,
    /// The most records that were held since the lane was last [settled](State::settle).
    pub(super) most_held: usize,
    /// How many records nobody took since they were last counted, and the hashes of their types that the
    /// group knows.
    pub(super) skipped: usize,
    pub(super) skipped_types: HashSet<u64, Hashed>,
    /// Bytes of returned events that wait for their acknowledgement.
    pub(super) awaited: Arc<AtomicUsize>,
    pub(super) holding: Holding,
    pub(super) highest_started: i64,
    /// How many records are finished, beside those in place that were not counted yet.
    pub(super) finished: u64,
    /// How many records finished in place since they were last counted.
    pub(super) in_place: u64,
    /// Handled, and to be given back together: librdkafka's thread takes the memory of the next ones out of
    /// the same heap, and whoever meets it there sleeps.
    pub(super) handled: Vec<Record>,
    /// Given back, for the content of the next ones: a record costs no memory of the heap's.
    pub(super) vacated: Vec<Record>,
    /// Slots that are free again.
    pub(super) spare: Vec<Slot>,
    /// The batch that is being gathered, and how long more is waited for.
    pub(super) gathered: Vec<(Record, Head)>,
    /// The records, by offset, that a batch turned out not to hold, until it is their turn.
    pub(super) unfit: HashMap<i64, Rejection>,
    pub(super) linger: Option<Linger>,
}

/// A key that is closed.
#[derive(Default)]
pub(super) struct Key {
    /// How many of its records are in flight: one, or several of one batch.
    pub(super) in_flight: usize,
    /// What waits behind them, in order.
    pub(super) waiting: VecDeque<Waiting>,
}

/// A record that waits behind its key.
pub(super) struct Waiting {
    pub(super) record: Record,
    pub(super) head: Head,
    pub(super) route: Waits,
}

/// What is to become of a record whose turn has not come.
pub(super) enum Waits {
    Handlers(Targets),
    GroupDeadLetter(Cause),
}

/// The offset of what is in flight and no longer in the log.
pub(super) const GONE: i64 = i64::MIN;

/// One record that is with its handlers; for a batch, all of its records.
pub(super) struct InFlight {
    /// Offsets and keys, in the order of the run's records.
    pub(super) records: Vec<(i64, u64)>,
    pub(super) bytes: usize,
    /// Handlers that are not through with it.
    pub(super) open: usize,
    pub(super) abandoned: bool,
}

/// One handler at work on one record.
pub(super) struct Run {
    pub(super) record: u64,
    pub(super) handler: Option<Arc<Handler>>,
    pub(super) records: Vec<(Record, Head)>,
    /// The record's place among those that run at once; a pursuit has taken it over.
    pub(super) permit: Permit,
    /// How long its attempt has run.
    pub(super) clock: AttemptClock,
    pub(super) work: Work,
}

/// Shared by the handlers of one record.
pub(super) type Permit = Option<Arc<OwnedSemaphorePermit>>;

pub(super) enum Work {
    /// The first attempt.
    Attempt(Slot),
    /// Everything after it.
    Pursuit(Pin<Box<dyn Future<Output = Fate> + Send>>),
}

impl State {
    pub(super) fn new(tracker: OffsetTracker, concurrency: usize, holding: Holding) -> Self {
        Self {
            backlog: VecDeque::new(),
            keys: HashMap::new(),
            freed: VecDeque::new(),
            runs: Vec::new(),
            vacant: Vec::new(),
            wakers: Vec::new(),
            woken: Vec::new(),
            records: HashMap::new(),
            next_record: 0,
            tracker,
            end: None,
            permits: Arc::new(Semaphore::new(concurrency)),
            held: 0,
            held_bytes: 0,
            typical: READ_BYTES / 16,
            most_held: 0,
            skipped: 0,
            skipped_types: HashSet::default(),
            awaited: Arc::default(),
            holding,
            highest_started: i64::MIN,
            finished: 0,
            in_place: 0,
            handled: Vec::new(),
            vacated: Vec::new(),
            spare: Vec::new(),
            gathered: Vec::new(),
            unfit: HashMap::new(),
            linger: None,
        }
    }

    /// A free place for a run, with its waker.
    pub(super) fn place(&mut self, lane: &Arc<Lane>) -> usize {
        self.vacant.pop().unwrap_or_else(|| {
            let run = self.runs.len();
            self.runs.push(None);
            let waker = Arc::new(RunWaker::new(lane.clone(), run));
            self.wakers.push((Waker::from(waker.clone()), waker));
            run
        })
    }

    /// Follows a record that does not finish in place.
    pub(super) fn open(&mut self, records: Vec<(i64, u64)>, bytes: usize, open: usize) -> u64 {
        let id = self.next_record;
        self.next_record += 1;
        self.records.insert(id, InFlight { records, bytes, open, abandoned: false });
        id
    }

    /// What is left of a read waits for as long as the handlers do, and is not to pin what it was fetched
    /// with: a broker gives whole batches, up to 1 MB of each partition.
    pub(super) fn unpin_backlog(&mut self) {
        // It was read at once, and is copied at once.
        if self.backlog.back().is_some_and(Record::pins) {
            for record in &mut self.backlog {
                self.held_bytes += detach(record);
            }
        }
    }

    /// The record in memory of its own, and counted as that.
    pub(super) fn detached(&mut self, mut record: Record) -> Record {
        self.held_bytes += detach(&mut record);
        record
    }

    /// The same for one that is in flight.
    pub(super) fn detached_in_flight(&mut self, id: u64, mut record: Record) -> Record {
        let more = detach(&mut record);
        if let Some(in_flight) = self.records.get_mut(&id) {
            in_flight.bytes += more;
            self.held_bytes += more;
        }
        record
    }

    /// How many records may be read at once, where so many would be.
    pub(super) fn helping(&self, most: usize) -> usize {
        most.min(READ_BYTES / self.typical.max(1)).max(1)
    }

    /// Counts what was read: the backlog from this place on.
    pub(super) fn count_read(&mut self, from: usize) {
        let read = self.backlog.len() - from;
        let Some(last) = self.backlog.back().filter(|_| read > 0) else { return };
        // One of them stands for the headers of all.
        let one = last.bytes_detached();
        let bytes: usize = self.backlog.iter().skip(from).map(Record::bytes).sum();
        self.typical = one.max(bytes / read).max(self.typical / 2);
        self.held += read;
        self.held_bytes += bytes;
        self.most_held = self.most_held.max(self.held);
    }

    /// Gives back what a storm grew: what the lane held at most since the last time is room enough. Called
    /// about once per commit.
    pub(super) fn settle(&mut self) {
        let room = 2 * std::mem::replace(&mut self.most_held, self.held);
        self.vacated.truncate(room);
        self.vacated.shrink_to(room);
        self.handled.shrink_to(room);
        self.backlog.shrink_to(room);
        self.freed.shrink_to(room);
        self.gathered.shrink_to(room);
        self.keys.shrink_to(room);
        self.keys.values_mut().for_each(|key| key.waiting.shrink_to(room));
        self.records.shrink_to(room);
        self.unfit.shrink_to(room);
        // Nobody is in them.
        self.spare.drain(room.min(self.spare.len())..).for_each(discard);
        self.spare.shrink_to(room);
        // A waker of a place that is gone wakes nobody, or whoever has the place by then once too often.
        while self.runs.len() > room && self.runs.pop_if(|run| run.is_none()).is_some() {
            self.wakers.pop();
        }
        let places = self.runs.len();
        self.vacant.retain(|place| *place < places);
        self.runs.shrink_to(room);
        self.vacant.shrink_to(room);
        self.wakers.shrink_to(room);
        self.woken.shrink_to(room);
    }

    /// A place among those that run at once; `None` where more run than there are places, which a step does
    /// not let happen.
    pub(super) fn permit(&self) -> Permit {
        self.permits.clone().try_acquire_owned().ok().map(Arc::new)
    }

    /// Closes a key until its record is finished. A record that waited behind its key is delivered already.
    pub(super) fn busy(&mut self, offset: i64, key: u64, waited: bool) {
        if !waited {
            self.tracker.deliver(offset, key);
        }
        self.keys.entry(key).or_default().in_flight += 1;
    }

    /// A record of this key is no longer in flight; one that finished in place never was.
    pub(super) fn free_key(&mut self, key: u64) {
        let Some(entry) = self.keys.get_mut(&key) else { return };
        entry.in_flight = entry.in_flight.saturating_sub(1);
        if entry.in_flight > 0 {
            return;
        }
        if entry.waiting.is_empty() {
            self.keys.remove(&key);
        } else {
            self.freed.push_back(key);
        }
    }

    /// All handlers are through with these records.
    pub(super) fn finish(&mut self, records: &[(i64, u64)], bytes: usize) {
        self.release(records.len(), bytes);
        self.finished += records.len() as u64;
        for (offset, key) in records {
            self.tracker.finish(*offset);
            self.free_key(*key);
        }
    }

    /// All bytes that the lane holds: of records, and of what they led to.
    pub(super) fn bytes(&self) -> usize {
        self.held_bytes + self.awaited.load(Relaxed)
    }

    /// Whether what handlers have returned, and no broker has acknowledged, leaves no room to start more.
    pub(super) fn awaits_too_much(&mut self) -> bool {
        let bytes = self.bytes();
        bytes > self.held_bytes && (bytes >= MOST_HELD_BYTES || !self.holding.has_room(bytes))
    }

    /// Is done with a record that no handler gets.
    pub(super) fn pass(&mut self, record: Record) {
        self.release(1, record.bytes());
        self.give_back_later(record);
    }

    /// At the end of the turn; large ones are not kept for so long.
    pub(super) fn give_back_later(&mut self, record: Record) {
        if record.bytes() <= SMALL {
            self.handled.push(record);
        }
    }

    pub(super) fn release(&mut self, records: usize, bytes: usize) {
        self.held -= records;
        self.held_bytes -= bytes;
    }

    /// Where nothing is left of what was read, the partition is done up to the end that its log had: what
    /// lies before it and never came is no record.
    pub(super) fn reach_end(&mut self) -> bool {
        if !self.backlog.is_empty() {
            return false;
        }
        let end = self.end.take();
        end.into_iter().for_each(|end| self.tracker.skip_to(end));
        end.is_some()
    }

    /// Goes on below what was read: from there on the log is another one. No offset of before says anything
    /// of it, what has not begun is not in it, and what runs finishes for nothing. What lies below is still
    /// to be finished.
    pub(super) fn go_back_to(&mut self, start: NextOffset) {
        // Both are in the partition's order.
        let kept = |record: &Record| record.offset() < start.0;
        self.tracker.go_back_to(start);
        self.end = None;
        self.highest_started = self.highest_started.min(start.0 - 1);
        let mut gone: Vec<Record> = self.backlog.split_off(self.backlog.partition_point(kept)).into();
        gone.extend(self.gathered.extract_if(.., |(record, _)| !kept(record)).map(|(record, _)| record));
        for closed in self.keys.values_mut() {
            let waits = closed.waiting.partition_point(|waiting| kept(&waiting.record));
            gone.extend(closed.waiting.split_off(waits).into_iter().map(|waiting| waiting.record));
        }
        self.release(gone.len(), gone.iter().map(Record::bytes).sum());
        self.unfit.retain(|offset, _| *offset < start.0);
        for (offset, _) in self.records.values_mut().flat_map(|record| &mut record.records) {
            if *offset >= start.0 {
                *offset = GONE;
            }
        }
    }

    /// The attempts that have waited for longer than this: their handlers and offsets.
    pub(super) fn overdue(&self, patience: Duration) -> Vec<(String, i64)> {
        let overdue = self.runs.iter().flatten().filter(|run| run.clock.elapsed() >= patience);
        overdue
            .filter_map(|run| Some((run.handler.as_ref()?.name.clone(), run.records.first()?.0.offset())))
            .collect()
    }

    /// What may be committed now.
    pub(super) fn position(&self, bound: &Bound, epoch: i32) -> Position {
        let next = self.tracker.next();
        Position { next: next.0, metadata: bound.write(next, self.tracker.note(bound.ordering())), epoch }
    }
}

/// Gives a record memory of its own; how much more it takes by that.
fn detach(record: &mut Record) -> usize {
    let before = record.bytes();
    *record = record.detached();
    record.bytes().saturating_sub(before)
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
