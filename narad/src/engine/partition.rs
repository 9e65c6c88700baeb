//! The records of one assigned partition, from the queue to the commit.

mod batches;

use std::collections::VecDeque;

use super::dispatch::{Route, Routes};
use super::gathering::Gathering;
use super::held::Held;
use super::isolation::Isolation;
use super::keys::key_hash;
use super::ledger::{Ledger, Place};
use super::next_offset::NextOffset;
use super::note::Bound;
use super::offsets::OffsetTracker;
use super::pending::{Pending, Way};
use super::settled::{Settled, Tally, Unhandled};
use super::stage::{Event, Stage};
use crate::codec::Outline;
use crate::handler::{Ordering, Rejection, Reply};
use crate::record::Record;
use crate::transport::Position;

/// What is known of the records of one assigned partition: which were read, which wait for what, which are in
/// flight, and what may be committed. Who runs them asks it what to do, and tells what happened. What is of
/// batches only stands in `partition/batches.rs`.
pub(crate) struct Partition {
    ordering: Ordering,
    /// Read and not looked at, in the partition's order.
    backlog: VecDeque<Record>,
    /// Where the log ended when it was last read up to its end, or where it goes on: all that was read lies
    /// below.
    end: Option<NextOffset>,
    gathering: Gathering,
    isolation: Isolation,
    ledger: Ledger,
    /// Of the records that were started; nothing above it is, once the partition drains.
    highest_started: Option<i64>,
}

/// A handler of batches has its topic to itself: its place among those of the topic.
const BATCH: usize = 0;

/// What the partition's next record came to.
pub(crate) enum Next {
    /// Nothing was read that nobody has looked at.
    Nothing,
    /// No handler gets it: it is settled.
    Passed(Record),
    /// It waits behind its key, or is gathered.
    Waits,
    /// It is to be started.
    Due(Pending),
    /// It is to be started by itself, and does not fit its handler.
    Unfit(Box<(Pending, Rejection)>),
}

/// Records that are followed under this number until their handlers are through with them.
pub(crate) type Id = u64;

/// Records of a batch that came apart, which go on together by this reply.
pub(crate) struct Retried {
    pub(crate) id: Id,
    pub(crate) records: Vec<(Record, Outline)>,
    pub(crate) reply: Reply,
}

impl Partition {
    pub(crate) fn new(tracker: OffsetTracker, ordering: Ordering) -> Self {
        Self {
            ordering,
            backlog: VecDeque::new(),
            end: None,
            gathering: Gathering::default(),
            isolation: Isolation::default(),
            ledger: Ledger::new(tracker),
            highest_started: None,
        }
    }

    /// A record was read, and is to be [counted](Self::count_read).
    #[inline]
    pub(crate) fn read(&mut self, record: Record) {
        self.backlog.push_back(record);
    }

    /// How many records were read that nobody has looked at.
    pub(crate) fn unread(&self) -> usize {
        self.backlog.len()
    }

    /// What was read and not looked at, from this place on.
    pub(crate) fn read_from(&self, place: usize) -> impl DoubleEndedIterator<Item = &Record> {
        self.backlog.range(place..)
    }

    /// Counts what was read: the backlog from this place on.
    pub(crate) fn count_read(&mut self, place: usize) {
        let Some(last) = self.backlog.back().filter(|_| self.backlog.len() > place) else { return };
        let one = last.bytes_detached();
        let bytes = self.backlog.range(place..).map(Record::bytes).sum();
        self.ledger.held.read(self.backlog.len() - place, bytes, one);
    }

    /// The log ended here, or goes on here: what lies below and never came is no record, or gone.
    pub(crate) fn ends_at(&mut self, end: NextOffset) {
        self.end = Some(end);
    }

    pub(crate) fn end(&self) -> Option<NextOffset> {
        self.end
    }

    /// The records from this offset on were written by a later leader than all that earlier owners have read.
    pub(crate) fn written_anew_from(&mut self, offset: NextOffset) {
        self.ledger.tracker.written_anew_from(offset);
    }

    pub(crate) fn held(&self) -> &Held {
        &self.ledger.held
    }

    /// How many records may be read at once, where so many would be.
    pub(crate) fn helping(&self, most: usize) -> usize {
        self.ledger.held.helping(most)
    }

    /// Whether nothing is in flight.
    pub(crate) fn is_idle(&self) -> bool {
        self.ledger.is_idle()
    }

    /// How many records are finished by what was done about them here.
    pub(crate) fn finished(&self) -> u64 {
        self.ledger.finished()
    }

    /// Tells what records came to since the last time: for each handler, by its place among those of the
    /// topic, and as those that none takes.
    pub(crate) fn tell_counts(&mut self, tell: impl FnMut(Option<usize>, &Tally)) {
        self.ledger.tell_counts(tell);
    }

    /// The next offset to commit.
    pub(crate) fn next_offset(&self) -> NextOffset {
        self.ledger.tracker.next()
    }

    /// The lowest offset that is not finished, with the stage of its record, and the record where it is not
    /// in flight.
    pub(crate) fn oldest(&self) -> Option<(i64, Stage, Option<&Record>)> {
        let Some(offset) = self.ledger.tracker.oldest() else {
            return self.backlog.front().map(|record| (record.offset(), Stage::Queued, Some(record)));
        };
        if let Some(stage) = self.ledger.stage_of(offset) {
            return Some((offset, stage, None));
        }
        let waits = self.ledger.order.find(offset).or_else(|| self.gathering.find(offset));
        Some(waits.map_or((offset, Stage::Left, None), |next| (offset, next.stage, Some(&next.record))))
    }

    /// How many records are with their handlers.
    pub(crate) fn in_flight(&self) -> usize {
        self.ledger.in_flight()
    }

    /// How many records wait behind their keys, and of how many keys.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        self.ledger.order.waiting()
    }

    /// What may be committed now.
    pub(crate) fn position(&self, bound: &Bound, epoch: i32) -> Position {
        let next = self.next_offset();
        let note = self.ledger.tracker.note(bound.ordering());
        Position { next: next.0, metadata: bound.write(next, note), epoch }
    }

    /// What decides which records wait for which.
    #[inline]
    fn key(&self, record: &Record) -> u64 {
        match self.ordering {
            Ordering::Key => key_hash(record.key()),
            Ordering::Partition => 0,
            // Every record is a key of its own.
            Ordering::None => record.offset() as u64,
        }
    }

    /// The next record to start: older ones first, those that waited behind their key. One that is draining
    /// starts what lies below what it has started, and no more. `nobody` is told of a record that no
    /// handler takes, and its type.
    pub(crate) fn next(
        &mut self,
        routes: &Routes,
        drains: bool,
        nobody: impl FnOnce(Option<&str>, &Record),
    ) -> Next {
        let highest = self.highest_started;
        if let Some(next) = self.ledger.order.start_next(|front| !drains || Some(front.offset()) <= highest) {
            return Next::Due(next);
        }
        if drains { Next::Nothing } else { self.look_at_next(routes, nobody) }
    }

    /// Takes the partition's next record. One that is finished already, or that nobody takes, is settled; one
    /// whose key is closed waits.
    #[inline]
    fn look_at_next(&mut self, routes: &Routes, nobody: impl FnOnce(Option<&str>, &Record)) -> Next {
        let Some(record) = self.backlog.pop_front() else { return Next::Nothing };
        let offset = record.offset();
        if self.ledger.tracker.has_note_of(offset)
            && self.ledger.tracker.finished_before(offset, self.key(&record))
        {
            return self.pass(record, Settled::FinishedBefore);
        }
        let body = routes.look_at(&record);
        let outline = body.outline;
        let way = match routes.route(&body) {
            Route::Handlers(targets) => Way::Handlers(targets),
            Route::GroupDeadLetter(why, cause) => Way::GroupDeadLetter(why, cause),
            Route::Nobody(why) => {
                if why == Unhandled::UnknownType {
                    nobody(body.unknown_type().as_deref(), &record);
                }
                return self.pass(record, Settled::Unhandled(why));
            }
        };
        let key = self.key(&record);
        let next = Pending { record, outline, key, way, stage: Stage::Queued };
        if self.ledger.order.is_closed(key) {
            self.ledger.wait(next);
            return Next::Waits;
        }
        Next::Due(next)
    }

    fn pass(&mut self, record: Record, settled: Settled) -> Next {
        let place = Place::Fresh { offset: record.offset() };
        self.ledger.count_unhandled(settled);
        self.ledger.settle(&[place], record.bytes(), false);
        Next::Passed(record)
    }

    /// A record is handed to its handlers.
    #[inline]
    pub(crate) fn starts(&mut self, record: &Pending) {
        self.highest_started = self.highest_started.max(Some(record.offset()));
    }

    /// These handlers finished a record as soon as they had it, and nobody follows it.
    #[inline]
    pub(crate) fn finished_in_place(&mut self, record: &Pending, bytes: usize, handlers: &[usize]) {
        let offset = record.offset();
        let place = if record.has_waited() {
            Place::Open { offset, key: record.key }
        } else {
            Place::Fresh { offset }
        };
        self.ledger.count_handled(handlers);
        self.ledger.settle(&[place], bytes, true);
    }

    /// Follows a record that some of its handlers did not finish at once: `open` of them, after those that
    /// did.
    pub(crate) fn follow(&mut self, record: &Pending, bytes: usize, handled: &[usize], open: usize) -> Id {
        let (offset, key) = (record.offset(), record.key);
        self.ledger.close_key(offset, key, record.has_waited());
        let mut stage = record.stage;
        stage.moves(Event::Started);
        let id = self.ledger.open(vec![Place::Open { offset, key }], bytes, stage, open);
        handled.iter().for_each(|handler| self.ledger.handled(id, *handler));
        id
    }

    /// Follows a record that goes on from where it was: to a dead letter, which no handler gets, or alone to
    /// the handler of the batch in which it failed.
    pub(crate) fn follow_on(&mut self, record: &Pending) -> Id {
        let (offset, key) = (record.offset(), record.key);
        self.ledger.close_key(offset, key, record.has_waited());
        let mut stage = record.stage;
        stage.moves(Event::Retried);
        self.ledger.open(vec![Place::Open { offset, key }], record.record.bytes(), stage, 1)
    }

    /// A handler did not finish these with its first attempt.
    pub(crate) fn retries(&mut self, id: Id) {
        self.ledger.retries(id);
    }

    /// A handler is through with these, and they came to this; `None` where it left them unfinished. Of those
    /// that no handler gets the group's dead letter is.
    pub(crate) fn through(&mut self, id: Id, handler: Option<usize>, came_to: Option<Tally>) {
        self.ledger.through(id, handler, came_to.as_ref());
    }

    /// What is left of a read waits for as long as the handlers do, and is not to pin what it was fetched
    /// with: a broker gives whole batches, up to 1 MB of each partition.
    pub(crate) fn unpin_backlog(&mut self) {
        // It was read at once, and is copied at once.
        if self.backlog.back().is_some_and(Record::pins) {
            for record in &mut self.backlog {
                self.ledger.held.detach(record);
            }
        }
    }

    /// The record in memory of its own, and counted as that.
    pub(crate) fn detached(&mut self, mut record: Record) -> Record {
        self.ledger.held.detach(&mut record);
        record
    }

    /// The same for one that is in flight.
    pub(crate) fn detached_in_flight(&mut self, id: Id, record: Record) -> Record {
        self.ledger.detach(id, record)
    }

    /// Where nothing is left of what was read, the partition is done up to the end that its log had: what
    /// lies before it and never came is no record.
    pub(crate) fn reach_end(&mut self) -> bool {
        if !self.backlog.is_empty() {
            return false;
        }
        let end = self.end.take();
        end.into_iter().for_each(|end| self.ledger.tracker.skip_to(end));
        end.is_some()
    }

    /// Goes on below what was read: from there on the log is another one. No offset of before says anything
    /// of it, what has not begun is not in it, and what runs finishes for nothing. What lies below is still
    /// to be finished.
    pub(crate) fn go_back_to(&mut self, start: NextOffset) {
        self.end = None;
        self.highest_started = self.highest_started.min(Some(start.0 - 1));
        // Both are in the partition's order.
        self.isolation.take_from(start.0);
        let kept = self.backlog.partition_point(|record| record.offset() < start.0);
        let mut gone: Vec<Record> = self.backlog.split_off(kept).into();
        let waiting =
            self.gathering.take_from(start.0).into_iter().chain(self.ledger.order.take_from(start.0));
        gone.extend(waiting.map(|waiting| waiting.moves(Event::Left).record));
        self.ledger.leave(gone.len(), gone.iter().map(Record::bytes).sum());
        self.ledger.go_back_to(start);
    }

    /// All that is there is dropped, unfinished.
    pub(crate) fn clear(&mut self) {
        self.backlog.clear();
        self.gathering.clear();
        self.isolation.clear();
        self.ledger.clear();
    }

    /// Gives back what a storm grew: what was held at most since the last time is room enough, which it
    /// returns.
    pub(crate) fn shrink(&mut self) -> usize {
        let room = 2 * self.ledger.held.take_most();
        self.backlog.shrink_to(room);
        self.gathering.shrink_to(room);
        self.isolation.shrink_to(room);
        self.ledger.shrink_to(room);
        room
    }
}

#[cfg(test)]
#[path = "partition_model.rs"]
mod model;
#[cfg(test)]
#[path = "partition_tests.rs"]
mod tests;
