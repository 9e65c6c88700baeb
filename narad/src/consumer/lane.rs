//! The lane of one assigned partition: what was read of it, what runs, what is finished.
//!
//! A lane belongs to one assignment; the next assignment of the same partition has a lane of its own, so that whatever ends late in an old
//! lane commits nothing (this is the epoch). One worker at a time runs a lane and owns its state meanwhile; all others send it a sign and
//! make it ready.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU8};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Poll, Wake, Waker};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Sleep;

use super::dispatch::{Route, Targets};
use super::keys::key_hash;
use super::offsets::{NextOffset, OffsetTracker};
use super::plan::{BatchPolicy, Handler, TopicPlan};
use super::resume::Resume;
use super::retry::{Fate, Pursuit, poll_attempt};
use super::stats::GroupStats;
use super::workers::ReadyLanes;
use crate::codec::{Body, Head};
use crate::handler::{Input, Ordering, Reply, Slot};
use crate::outcome::{Cause, OutcomeKind};
use crate::producer::Producer;
use crate::record::{Record, Source};
use crate::transport::{Message, OwnedMessage, PartitionQueue, Position, QueueError};

/// So many records a lane holds at most besides those that run: past it the partition is not read.
const MOST_HELD: usize = 4096;
/// So many bytes of records a lane holds at most.
const MOST_HELD_BYTES: usize = 8 << 20;
/// A lane gives its worker back after so many records, so that others have their turn.
const TURN: usize = 512;

/// How far the assignment of a lane is on its way to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Reads and runs.
    Running,
    /// Finishes what runs; starts nothing but what lies below it.
    Draining,
    /// Let go: whatever is still there is dropped, and nothing more is committed.
    Closed,
}

/// The lane of one assigned partition.
pub(crate) struct Lane {
    source: Arc<Source>,
    plan: Arc<TopicPlan>,
    stats: Arc<GroupStats>,
    producer: Producer,
    ready: Arc<ReadyLanes>,
    /// Whether it stands in the queue of ready lanes, or runs.
    schedule: AtomicU8,
    phase: watch::Sender<Phase>,
    /// Runs whose wakers were called.
    woken: Mutex<Vec<usize>>,
    /// The queue has something that was not read.
    filled: AtomicBool,
    /// Set by who wants a fresh position.
    asked: AtomicBool,
    /// Tells the group that the offset to read from is not in the log.
    out_of_range: Box<dyn Fn() + Send + Sync>,
    position: Mutex<Position>,
    drained: watch::Sender<bool>,
    state: Mutex<State>,
}

const IDLE: u8 = 0;
const QUEUED: u8 = 1;
const RUNNING: u8 = 2;
const AGAIN: u8 = 3;

/// What the worker that runs the lane owns.
struct State {
    queue: Option<PartitionQueue>,
    /// Records that did not come through the queue; they are older than what is in it.
    strays: VecDeque<OwnedMessage>,
    /// Read and not looked at, in the partition's order.
    backlog: VecDeque<Record>,
    /// What waits behind each key that has a record in flight.
    keys: HashMap<u64, VecDeque<Waiting>>,
    /// Keys that are free again and have something waiting.
    freed: VecDeque<u64>,
    runs: Vec<Option<Run>>,
    vacant: Vec<usize>,
    wakers: Vec<Waker>,
    records: HashMap<u64, InFlight>,
    next_record: u64,
    tracker: OffsetTracker,
    permits: Arc<Semaphore>,
    held: usize,
    held_bytes: usize,
    highest_started: i64,
    /// Slots that are free again.
    spare: Vec<Slot>,
    /// The batch that is being gathered, and how long more is waited for.
    gathered: Vec<(Record, Head)>,
    linger: Option<Pin<Box<Sleep>>>,
}

/// A record that waits behind its key.
struct Waiting {
    record: Record,
    head: Head,
    route: Waits,
}

/// What is to become of a record whose turn has not come.
enum Waits {
    Handlers(Targets),
    GroupDeadLetter(Cause),
}

/// One record that is with its handlers; for a batch, all of its records.
struct InFlight {
    offsets: Vec<i64>,
    key: u64,
    bytes: usize,
    open: usize,
    abandoned: bool,
}

/// One handler at work on one record.
struct Run {
    record: u64,
    handler: Option<Arc<Handler>>,
    records: Vec<(Record, Head)>,
    /// The record's place among those that run at once; a pursuit has taken it over.
    permit: Permit,
    work: Work,
}

/// Shared by the handlers of one record.
type Permit = Option<Arc<OwnedSemaphorePermit>>;

enum Work {
    /// The first attempt.
    Attempt(Slot),
    /// Everything after it.
    Pursuit(Pin<Box<dyn Future<Output = Fate> + Send>>),
}

/// Wakes the lane itself, when a batch has waited long enough.
impl Wake for Lane {
    fn wake(self: Arc<Self>) {
        self.make_ready();
    }
}

struct RunWaker {
    lane: Arc<Lane>,
    run: usize,
}

impl Wake for RunWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.lane.woken.lock().unwrap_or_else(PoisonError::into_inner).push(self.run);
        self.lane.make_ready();
    }
}

/// Everything a lane is made of.
pub(crate) struct LaneParts {
    pub(crate) source: Arc<Source>,
    pub(crate) plan: Arc<TopicPlan>,
    pub(crate) stats: Arc<GroupStats>,
    pub(crate) producer: Producer,
    pub(crate) ready: Arc<ReadyLanes>,
    pub(crate) start: NextOffset,
    pub(crate) resume: Resume,
    /// Called where the offset to read from is not in the log.
    pub(crate) out_of_range: Box<dyn Fn() + Send + Sync>,
}

impl Lane {
    /// A lane that begins at an offset; it reads nothing until it has its queue.
    pub(crate) fn new(parts: LaneParts) -> Arc<Self> {
        let LaneParts { source, plan, stats, producer, ready, start, resume, out_of_range } = parts;
        let state = State {
            queue: None,
            strays: VecDeque::new(),
            backlog: VecDeque::new(),
            keys: HashMap::new(),
            freed: VecDeque::new(),
            runs: Vec::new(),
            vacant: Vec::new(),
            wakers: Vec::new(),
            records: HashMap::new(),
            next_record: 0,
            tracker: OffsetTracker::new(start, resume),
            permits: Arc::new(Semaphore::new(plan.concurrency)),
            held: 0,
            held_bytes: 0,
            highest_started: i64::MIN,
            spare: Vec::new(),
            gathered: Vec::new(),
            linger: None,
        };
        let position = Mutex::new(state.position(plan.ordering));
        Arc::new(Self {
            source,
            plan,
            stats,
            producer,
            ready,
            schedule: AtomicU8::new(IDLE),
            phase: watch::Sender::new(Phase::Running),
            woken: Mutex::default(),
            filled: AtomicBool::new(true),
            asked: AtomicBool::new(false),
            out_of_range,
            position,
            drained: watch::Sender::new(false),
            state: Mutex::new(state),
        })
    }

    /// Gives the lane the queue of its partition.
    pub(crate) fn attach(self: &Arc<Self>, queue: PartitionQueue) {
        self.state().queue = Some(queue);
        self.make_ready();
    }

    pub(crate) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// A record of this partition that came another way.
    pub(crate) fn stray(self: &Arc<Self>, message: OwnedMessage) {
        self.state().strays.push_back(message);
        self.make_ready();
    }

    /// Makes the lane ready: a worker will run it, once, however often this is called.
    pub(crate) fn make_ready(self: &Arc<Self>) {
        let mut seen = self.schedule.load(Acquire);
        loop {
            let next = match seen {
                IDLE => QUEUED,
                RUNNING => AGAIN,
                _ => return,
            };
            match self.schedule.compare_exchange_weak(seen, next, AcqRel, Acquire) {
                Ok(_) if next == QUEUED => return self.ready.push(self.clone()),
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Asks for a fresh position; it is there when the lane has run next.
    pub(crate) fn ask_position(self: &Arc<Self>) {
        self.asked.store(true, Release);
        self.make_ready();
    }

    /// Whether the position that was asked for is not there yet.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Acquire)
    }

    /// What may be committed, as of the last time that the lane was asked.
    pub(crate) fn position(&self) -> Position {
        self.position.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins the end: what runs is finished, nothing new is started.
    pub(crate) fn drain(self: &Arc<Self>) {
        self.advance(Phase::Draining);
    }

    /// Tells whether all that ran is finished.
    pub(crate) fn drained(&self) -> watch::Receiver<bool> {
        self.drained.subscribe()
    }

    /// Lets the partition go: futures are dropped, nothing is committed any more. Names the handlers that hold their thread, if any.
    pub(crate) fn close(self: &Arc<Self>) -> Closed {
        self.advance(Phase::Closed);
        // A worker that is inside a handler closes the lane when it comes out.
        match self.state.try_lock() {
            Ok(mut state) => Closed::Now { dropped: self.clear(&mut state) },
            Err(TryLockError::Poisoned(poisoned)) => Closed::Now { dropped: self.clear(&mut poisoned.into_inner()) },
            Err(TryLockError::WouldBlock) => Closed::Later,
        }
    }

    fn advance(self: &Arc<Self>, phase: Phase) {
        self.phase.send_if_modified(|now| {
            let later = phase > *now;
            *now = (*now).max(phase);
            later
        });
        self.make_ready();
    }

    fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Drops all that is there, the queue first; the handlers whose records were not finished.
    fn clear(&self, state: &mut State) -> Vec<String> {
        state.queue = None;
        state.backlog.clear();
        state.strays.clear();
        state.keys.clear();
        state.freed.clear();
        state.gathered.clear();
        state.linger = None;
        let mut dropped: Vec<String> = Vec::new();
        for run in state.runs.iter_mut().filter_map(Option::take) {
            if let Some((record, _)) = run.records.first() {
                let handler = run.handler.as_ref().map_or("", |handler| handler.name.as_str());
                dropped.push(format!("{handler} at {}/{} offset {}", record.topic(), record.partition(), record.offset()));
            }
            // The drop of a user's future may panic.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(run)));
        }
        state.runs.clear();
        state.vacant.clear();
        state.records.clear();
        // Wakers hold the lane.
        state.wakers.clear();
        dropped
    }

    /// Runs the lane: called by one worker at a time.
    pub(super) fn run(self: Arc<Self>) {
        self.schedule.store(RUNNING, SeqCst);
        let more = self.turn();
        if more {
            self.schedule.store(QUEUED, Release);
            return self.ready.clone().push(self);
        }
        if self.schedule.compare_exchange(RUNNING, IDLE, AcqRel, Acquire).is_err() {
            self.schedule.store(QUEUED, Release);
            self.ready.clone().push(self);
        }
    }

    /// One turn; `true` where there is more to do at once.
    fn turn(self: &Arc<Self>) -> bool {
        let mut state = self.state();
        let state = &mut *state;
        let phase = self.phase();
        if phase == Phase::Closed {
            self.clear(state);
            return false;
        }
        self.poll_woken(state);
        let mut budget = TURN;
        let mut more = false;
        loop {
            if self.phase() == Phase::Closed {
                self.clear(state);
                return false;
            }
            if budget == 0 {
                more = true;
                break;
            }
            let Some(progress) = self.step(state) else { break };
            budget = budget.saturating_sub(progress);
            if self.asked.load(Acquire) {
                self.publish(state);
            }
            self.poll_woken(state);
        }
        if self.asked.load(Acquire) {
            self.publish(state);
        }
        if self.phase() == Phase::Draining && state.records.is_empty() && !more {
            self.publish(state);
            self.drained.send_replace(true);
        }
        more
    }

    /// Starts the next record; how much work that was, or `None` where nothing can be started now.
    fn step(self: &Arc<Self>, state: &mut State) -> Option<usize> {
        if let Some((handler, policy)) = &self.plan.batch {
            return self.step_batch(state, handler, *policy);
        }
        if !state.records.is_empty() && state.permits.available_permits() == 0 {
            return None;
        }
        let draining = self.phase() == Phase::Draining;
        // Older records first: those that waited behind their key.
        while let Some(key) = state.freed.pop_front() {
            let Some(waiting) = state.keys.get_mut(&key) else { continue };
            let Some(front) = waiting.front() else {
                state.keys.remove(&key);
                continue;
            };
            if draining && front.record.offset() > state.highest_started {
                // Left to the next owner, with all that waits behind it.
                continue;
            }
            let Some(Waiting { record, head, route }) = waiting.pop_front() else { continue };
            self.start(state, record, head, key, route);
            return Some(1);
        }
        if draining {
            return None;
        }
        if state.backlog.is_empty() && !self.read(state) {
            return None;
        }
        let Some(record) = state.backlog.pop_front() else { return Some(1) };
        let key = match self.plan.ordering {
            Ordering::Key => key_hash(record.key()),
            Ordering::Partition => 0,
            // Every record is a key of its own.
            Ordering::None => record.offset() as u64,
        };
        let offset = record.offset();
        if state.tracker.finished_before(offset, key) {
            state.release(1, record.bytes());
            return Some(1);
        }
        let body = Body::new(&record);
        let head = body.head;
        let route = match self.plan.routes.route(&body) {
            Route::Handlers(targets) => Waits::Handlers(targets),
            Route::GroupDeadLetter(cause) => Waits::GroupDeadLetter(cause),
            Route::Nobody(r#type) => {
                self.stats.nobody_takes(&self.source.topic, r#type.as_deref());
                state.tracker.finish_at_once(offset);
                state.release(1, record.bytes());
                return Some(1);
            }
        };
        if let Some(waiting) = state.keys.get_mut(&key) {
            state.tracker.deliver(offset, key);
            // It may wait for long, and is not to pin what it was fetched with.
            waiting.push_back(Waiting { record: record.detached(), head, route });
            return Some(1);
        }
        self.start(state, record, head, key, route);
        Some(1)
    }

    /// Hands a record to its handlers.
    fn start(self: &Arc<Self>, state: &mut State, record: Record, head: Head, key: u64, route: Waits) {
        let offset = record.offset();
        let waited = state.keys.contains_key(&key);
        state.highest_started = state.highest_started.max(offset);
        let targets = match route {
            Waits::Handlers(targets) => targets,
            Waits::GroupDeadLetter(cause) => {
                let id = state.open(vec![offset], key, record.bytes(), 1);
                state.busy(offset, key, waited);
                let record = record.detached();
                let permit = state.permit();
                let pursuit = self.pursuit(state, vec![(record.clone(), head)], permit);
                let work = Work::Pursuit(Box::pin(pursuit.group_dead_letter(cause)));
                return self.launch(state, Run { record: id, handler: None, records: vec![(record, head)], permit: None, work });
            }
        };
        let bytes = record.bytes();
        let mut id = None;
        let mut permit = None;
        let count = targets.as_slice().len();
        for (started, place) in targets.as_slice().iter().enumerate() {
            let handler = self.plan.routes.handler(*place);
            let waits = handler.waits.load(Relaxed);
            let record = if waits { record.detached() } else { record.clone() };
            let mut slot = state.spare.pop().unwrap_or_else(Slot::new);
            let context = crate::context::Context::new(record.clone(), head, handler.scope.clone(), 1);
            handler.start(&mut slot, Input::One(context));
            let place = state.place(self);
            let waker = state.wakers[place].clone();
            let work = match poll_attempt(&mut slot, &mut std::task::Context::from_waker(&waker)) {
                Poll::Ready(reply) if is_plain_success(&reply) => {
                    state.spare.push(slot);
                    state.vacant.push(place);
                    if let Some(id) = id {
                        self.finish_run(state, id, false);
                    }
                    continue;
                }
                Poll::Ready(reply) => {
                    state.spare.push(slot);
                    Err(reply)
                }
                Poll::Pending => {
                    handler.saw_it_wait();
                    Ok(slot)
                }
            };
            // Only what does not finish at once is followed.
            let id = *id.get_or_insert_with(|| {
                state.busy(offset, key, waited);
                // Handlers of this record that are not started yet count as open.
                state.open(vec![offset], key, bytes, count - started)
            });
            if permit.is_none() {
                permit = state.permit();
            }
            match work {
                Ok(slot) => {
                    let run = Run {
                        record: id,
                        handler: Some(handler.clone()),
                        records: vec![(record, head)],
                        permit: permit.clone(),
                        work: Work::Attempt(slot),
                    };
                    state.runs[place] = Some(run);
                }
                Err(reply) => {
                    let kept = vec![(record.detached(), head)];
                    let work = self.pursue(state, handler.clone(), kept.clone(), permit.clone(), reply);
                    state.runs[place] = Some(Run { record: id, handler: Some(handler.clone()), records: kept, permit: None, work });
                    self.poll_run(state, place);
                }
            }
        }
        if id.is_none() {
            // Finished in place.
            self.stats.handled(1);
            state.release(1, bytes);
            if waited {
                state.tracker.finish(offset);
                state.free_key(key);
            } else {
                state.tracker.finish_at_once(offset);
            }
        }
    }

    /// The pursuit of what an attempt did not finish.
    fn pursue(&self, state: &State, handler: Arc<Handler>, records: Vec<(Record, Head)>, permit: Permit, reply: Reply) -> Work {
        Work::Pursuit(Box::pin(self.pursuit(state, records, permit).run(handler, reply)))
    }

    fn pursuit(&self, state: &State, records: Vec<(Record, Head)>, permit: Permit) -> Pursuit {
        let (group, producer) = (self.stats.clone(), self.producer.clone());
        Pursuit { group, producer, records, phase: self.phase.subscribe(), permits: state.permits.clone(), permit }
    }

    fn launch(self: &Arc<Self>, state: &mut State, run: Run) {
        let place = state.place(self);
        state.runs[place] = Some(run);
        self.poll_run(state, place);
    }

    /// Polls the runs whose wakers were called.
    fn poll_woken(self: &Arc<Self>, state: &mut State) {
        loop {
            let woken = std::mem::take(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner));
            if woken.is_empty() {
                return;
            }
            for place in woken {
                self.poll_run(state, place);
            }
        }
    }

    fn poll_run(self: &Arc<Self>, state: &mut State, place: usize) {
        let waker = match state.wakers.get(place) {
            Some(waker) => waker.clone(),
            None => return,
        };
        let mut cx = std::task::Context::from_waker(&waker);
        loop {
            let Some(Some(run)) = state.runs.get_mut(place) else { return };
            match &mut run.work {
                Work::Attempt(slot) => match poll_attempt(slot, &mut cx) {
                    Poll::Pending => return,
                    Poll::Ready(reply) => {
                        let Some(Run { record, handler, records, permit, work }) = state.runs[place].take() else { return };
                        if let Work::Attempt(slot) = work {
                            state.spare.push(slot);
                        }
                        if is_plain_success(&reply) {
                            self.stats.handled(records.len() as u64);
                            state.vacant.push(place);
                            return self.finish_run(state, record, false);
                        }
                        let Some(handler) = handler else { return };
                        let kept: Vec<_> = records.iter().map(|(record, head)| (record.detached(), *head)).collect();
                        let work = self.pursue(state, handler.clone(), kept.clone(), permit, reply);
                        state.runs[place] = Some(Run { record, handler: Some(handler), records: kept, permit: None, work });
                    }
                },
                Work::Pursuit(pursuit) => {
                    let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pursuit.as_mut().poll(&mut cx)));
                    let fate = match polled {
                        Ok(Poll::Pending) => return,
                        Ok(Poll::Ready(fate)) => fate,
                        Err(_) => {
                            tracing::error!(partition = %self.source, "a record's retry broke off; the record is left to the next owner of the partition");
                            Fate::Abandoned
                        }
                    };
                    let Some(run) = state.runs[place].take() else { return };
                    state.vacant.push(place);
                    if fate == Fate::Finished && run.handler.is_some() {
                        self.stats.handled(run.records.len() as u64);
                    }
                    return self.finish_run(state, run.record, fate != Fate::Finished);
                }
            }
        }
    }

    /// One handler is through with a record.
    fn finish_run(self: &Arc<Self>, state: &mut State, id: u64, abandoned: bool) {
        let Some(record) = state.records.get_mut(&id) else { return };
        record.open -= 1;
        record.abandoned |= abandoned;
        if record.open > 0 {
            return;
        }
        let Some(record) = state.records.remove(&id) else { return };
        state.release(record.offsets.len(), record.bytes);
        if record.abandoned {
            // Unfinished: its key stays closed, and what waits behind it is for the next owner.
            return;
        }
        for offset in &record.offsets {
            state.tracker.finish(*offset);
        }
        state.free_key(record.key);
    }

    /// Reads the partition's queue where there is room; `true` where something may have come.
    fn read(&self, state: &mut State) -> bool {
        if state.held >= MOST_HELD + self.plan.concurrency || state.held_bytes >= MOST_HELD_BYTES {
            // What finishes makes the lane ready again.
            return false;
        }
        let before = state.backlog.len();
        while let Some(message) = state.strays.pop_front() {
            state.backlog.push_back(Record::new(self.source.clone(), Message::Owned(message)));
        }
        // Taken before the read: what comes meanwhile sets it again. librdkafka tells only of an empty queue that fills, so what may be left
        // in the queue is remembered here.
        if self.filled.swap(false, AcqRel)
            && let Some(queue) = &mut state.queue
        {
            let backlog = &mut state.backlog;
            let source = &self.source;
            let mut out_of_range = false;
            let more = queue.read(256, |message| match message {
                Ok(message) => backlog.push_back(Record::new(source.clone(), Message::Kafka(message))),
                // Neither the committed offset nor the next one is in the log any more.
                Err(QueueError::AutoOffsetReset) => out_of_range = true,
                Err(error) => tracing::debug!(partition = %source, %error, "while reading"),
            });
            if more {
                self.filled.store(true, Release);
            }
            if out_of_range {
                (self.out_of_range)();
            }
        }
        for record in state.backlog.iter().skip(before) {
            state.held += 1;
            state.held_bytes += record.bytes();
        }
        state.backlog.len() > before || self.filled.load(Acquire)
    }

    /// Begins again at another offset: the log no longer has what was to come. What runs still finishes; nothing of before is committed.
    pub(crate) fn restart(self: &Arc<Self>, start: NextOffset) {
        let mut state = self.state();
        state.tracker = OffsetTracker::new(start, Resume::default());
        state.highest_started = i64::MIN;
        drop(state);
        self.filled();
    }

    /// The queue went from empty to not empty; or somebody wants to be sure that nothing was missed.
    pub(crate) fn filled(self: &Arc<Self>) {
        self.filled.store(true, Release);
        self.make_ready();
    }

    /// Gathers a batch, and hands it to its handler when it is full or has waited long enough.
    fn step_batch(self: &Arc<Self>, state: &mut State, handler: &Arc<Handler>, policy: BatchPolicy) -> Option<usize> {
        if !state.records.is_empty() || self.phase() != Phase::Running {
            return None;
        }
        while state.gathered.len() < policy.max {
            if state.backlog.is_empty() && !self.read(state) {
                break;
            }
            let Some(record) = state.backlog.pop_front() else { continue };
            let offset = record.offset();
            let body = Body::new(&record);
            let head = body.head;
            match self.plan.routes.route(&body) {
                Route::Handlers(_) => {
                    state.tracker.deliver(offset, BATCHED);
                    state.gathered.push((record, head));
                }
                Route::Nobody(r#type) => {
                    self.stats.nobody_takes(&self.source.topic, r#type.as_deref());
                    state.tracker.finish_at_once(offset);
                    state.release(1, record.bytes());
                }
                Route::GroupDeadLetter(cause) => {
                    self.start(state, record, head, BATCHED, Waits::GroupDeadLetter(cause));
                    return Some(1);
                }
            }
        }
        if state.gathered.is_empty() {
            return None;
        }
        if state.gathered.len() < policy.max {
            let linger = state.linger.get_or_insert_with(|| Box::pin(tokio::time::sleep(policy.wait)));
            if linger.as_mut().poll(&mut std::task::Context::from_waker(&Waker::from(self.clone()))).is_pending() {
                return None;
            }
        }
        state.linger = None;
        let records: Vec<_> = std::mem::take(&mut state.gathered).into_iter().map(|(record, head)| (record.detached(), head)).collect();
        let offsets: Vec<i64> = records.iter().map(|(record, _)| record.offset()).collect();
        state.highest_started = state.highest_started.max(*offsets.last()?);
        let bytes = records.iter().map(|(record, _)| record.bytes()).sum();
        let work = records.len();
        let id = state.open(offsets, BATCHED, bytes, 1);
        let mut slot = state.spare.pop().unwrap_or_else(Slot::new);
        handler.start(&mut slot, handler.input(&records, 1));
        let permit = state.permit();
        self.launch(state, Run { record: id, handler: Some(handler.clone()), records, permit, work: Work::Attempt(slot) });
        Some(work)
    }

    fn publish(&self, state: &mut State) {
        *self.position.lock().unwrap_or_else(PoisonError::into_inner) = state.position(self.plan.ordering);
        self.asked.store(false, Release);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A free place for a run, with its waker.
    fn place(&mut self, lane: &Arc<Lane>) -> usize {
        self.vacant.pop().unwrap_or_else(|| {
            let run = self.runs.len();
            self.runs.push(None);
            self.wakers.push(Waker::from(Arc::new(RunWaker { lane: lane.clone(), run })));
            run
        })
    }

    /// Follows a record that does not finish in place.
    fn open(&mut self, offsets: Vec<i64>, key: u64, bytes: usize, open: usize) -> u64 {
        let id = self.next_record;
        self.next_record += 1;
        self.records.insert(id, InFlight { offsets, key, bytes, open, abandoned: false });
        id
    }

    /// A place among those that run at once; `None` where more run than there are places, which a step does not let happen.
    fn permit(&self) -> Permit {
        self.permits.clone().try_acquire_owned().ok().map(Arc::new)
    }

    /// Closes a key until its record is finished. A record that waited behind its key is delivered already.
    fn busy(&mut self, offset: i64, key: u64, waited: bool) {
        if !waited {
            self.tracker.deliver(offset, key);
            self.keys.entry(key).or_default();
        }
    }

    fn free_key(&mut self, key: u64) {
        match self.keys.get(&key) {
            Some(waiting) if waiting.is_empty() => {
                self.keys.remove(&key);
            }
            Some(_) => self.freed.push_back(key),
            None => {}
        }
    }

    fn release(&mut self, records: usize, bytes: usize) {
        self.held -= records;
        self.held_bytes -= bytes;
    }

    /// What may be committed now.
    fn position(&self, ordering: Ordering) -> Position {
        let metadata = match ordering {
            Ordering::Key => self.tracker.resume_by_key(),
            Ordering::None => self.tracker.resume_by_offset(),
            Ordering::Partition => self.tracker.resume_none(),
        }
        .encode();
        Position { next: self.tracker.next().0, metadata }
    }
}

/// The key of all records of a batch handler: one batch after the other.
const BATCHED: u64 = 0;

/// What became of a lane that was let go.
#[derive(Debug)]
pub(crate) enum Closed {
    /// It is gone; these handlers were dropped before they had finished.
    Now { dropped: Vec<String> },
    /// A handler holds its thread: the lane goes when it comes back.
    Later,
}

fn is_plain_success(reply: &Reply) -> bool {
    reply.outcome.kind() == OutcomeKind::Done && reply.events.is_empty() && reply.unfit.is_empty()
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lane({}, {:?})", self.source, self.phase())
    }
}
