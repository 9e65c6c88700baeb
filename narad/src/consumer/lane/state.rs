//! What the worker that runs a lane owns: the records of its partition, and what runs for them.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Waker;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

use super::woken::Mark;
use crate::codec::Outline;
use crate::consumer::counts::count;
use crate::consumer::handler::Handler;
use crate::consumer::progress::Progress;
use crate::consumer::retry::Fate;
use crate::discard::discard;
use crate::engine::{Hashed, Id, Partition, Reservation};
use crate::handler::Slot;
use crate::outcome::Ending;
use crate::record::Record;
use crate::view::Attempts;

/// How many bytes of records a lane holds at most.
pub(super) const MOST_HELD_BYTES: usize = 8 << 20;
/// A lane gives its worker back after so many records and polls, so that others have their turn.
pub(super) const TURN: usize = 512;
/// Records up to this size are given back together, at the end of a turn.
const SMALL: usize = 4096;

/// What the worker that runs the lane owns. Nobody else touches it while a turn is under way, but for who
/// looks whether it is free ([`Lane::overdue`](super::Lane::overdue), [`Lane::close`](super::Lane::close)).
pub(super) struct State {
    /// What was read, what waits for what, and what may be committed.
    pub(super) partition: Partition,
    /// By place; `None` where the place is vacant, or its run is just being polled.
    pub(super) runs: Vec<Option<Run>>,
    pub(super) vacant: Vec<usize>,
    /// Of the places for runs.
    pub(super) wakers: Vec<(Waker, Arc<Mark>)>,
    /// Those that are being polled since they were woken.
    pub(super) woken: Vec<usize>,
    pub(super) permits: Arc<Semaphore>,
    /// Attempts of the lane's own that have ended since they were last counted, by the places of handlers.
    pub(super) attempts: Vec<Attempts>,
    /// The hashes of the types that nobody takes, and of which the group knows.
    pub(super) skipped_types: HashSet<u64, Hashed>,
    /// Bytes of returned events that wait for their acknowledgement.
    pub(super) awaited: Arc<AtomicUsize>,
    pub(super) reservation: Reservation,
    /// Handled, and to be given back together: librdkafka's thread takes the memory of the next ones out of
    /// the same heap, and whoever meets it there sleeps.
    pub(super) handled: Vec<Record>,
    /// Given back, for the content of the next ones: a record costs no memory of the heap's.
    pub(super) vacated: Vec<Record>,
    /// Slots that are free again.
    pub(super) spare: Vec<Slot>,
    /// Makes the lane ready when a batch has waited long enough.
    pub(super) alarm: Option<Alarm>,
}

/// `None` on a runtime that shuts down and has no timers any more: the control thread's tick finds out.
pub(super) type Alarm = Option<Pin<Box<Sleep>>>;

/// One handler at work on one record, or on a batch of them.
pub(super) struct Run {
    /// What the partition follows it by.
    pub(super) id: Id,
    pub(super) handler: Option<Arc<Handler>>,
    pub(super) records: Vec<(Record, Outline)>,
    /// The record's place among those that run at once; a task has taken it over.
    pub(super) permit: Permit,
    /// How long its attempt has run.
    pub(super) progress: Progress,
    pub(super) work: Work,
}

/// Shared by the handlers of one record.
pub(super) type Permit = Option<Arc<OwnedSemaphorePermit>>;

pub(super) enum Work {
    /// The first attempt.
    Attempt(Slot),
    /// Everything after it.
    Retry(Pin<Box<dyn Future<Output = Fate> + Send>>),
}

impl State {
    pub(super) fn new(partition: Partition, concurrency: usize, reservation: Reservation) -> Self {
        Self {
            partition,
            runs: Vec::new(),
            vacant: Vec::new(),
            wakers: Vec::new(),
            woken: Vec::new(),
            permits: Arc::new(Semaphore::new(concurrency)),
            attempts: Vec::new(),
            skipped_types: HashSet::default(),
            awaited: Arc::default(),
            reservation,
            handled: Vec::new(),
            vacated: Vec::new(),
            spare: Vec::new(),
            alarm: None,
        }
    }

    /// A handler's attempt ended like this.
    pub(super) fn attempted(&mut self, handler: usize, ending: Option<Ending>) {
        if handler >= self.attempts.len() {
            self.attempts.resize(handler + 1, Attempts::default());
        }
        if let Some(ending) = ending {
            count(&mut self.attempts[handler], ending);
        }
    }

    /// A free place for a run, with a waker that is made for it.
    pub(super) fn place(&mut self, waker: impl FnOnce(usize, Arc<Mark>) -> Waker) -> usize {
        self.vacant.pop().unwrap_or_else(|| {
            let run = self.runs.len();
            self.runs.push(None);
            let mark = Arc::new(Mark::new());
            self.wakers.push((waker(run, mark.clone()), mark));
            run
        })
    }

    /// A place among those that run at once; `None` where more run than there are places, which a step does
    /// not let happen.
    pub(super) fn permit(&self) -> Permit {
        self.permits.clone().try_acquire_owned().ok().map(Arc::new)
    }

    /// All bytes that the lane holds: of records, and of what they led to.
    pub(super) fn bytes(&self) -> usize {
        self.partition.held().bytes() + self.awaited.load(Relaxed)
    }

    /// Whether what handlers have returned, and no broker has acknowledged, leaves no room to start more.
    pub(super) fn awaits_too_much(&mut self) -> bool {
        let bytes = self.bytes();
        bytes > self.partition.held().bytes()
            && (bytes >= MOST_HELD_BYTES || !self.reservation.has_room(bytes))
    }

    /// At the end of the turn; large ones are not kept for so long.
    #[inline]
    pub(super) fn give_back_later(&mut self, record: Record) {
        if record.bytes() <= SMALL {
            self.handled.push(record);
        }
    }

    /// Gives back what a storm grew: what the lane held at most since the last time is room enough. Called
    /// about once per commit.
    pub(super) fn shrink(&mut self) {
        let room = self.partition.shrink();
        self.vacated.truncate(room);
        self.vacated.shrink_to(room);
        self.handled.shrink_to(room);
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

    /// Drops all that is there.
    pub(super) fn clear(&mut self) {
        self.partition.clear();
        self.handled.clear();
        self.vacated.clear();
        self.alarm = None;
        self.runs.iter_mut().filter_map(Option::take).for_each(discard);
        self.spare.drain(..).for_each(discard);
        self.runs.clear();
        self.vacant.clear();
        // Wakers hold the lane.
        self.wakers.clear();
        self.reservation.update(0);
    }

    /// The attempts that have waited for longer than this: their handlers and offsets.
    pub(super) fn overdue(&self, patience: Duration) -> Vec<(String, i64)> {
        let overdue = self.runs.iter().flatten().filter(|run| run.progress.elapsed() >= patience);
        overdue
            .filter_map(|run| Some((run.handler.as_ref()?.name.clone(), run.records.first()?.0.offset())))
            .collect()
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
