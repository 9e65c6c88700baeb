//! What a lane is made of, and what others tell it.

use std::fmt;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Wake, Waker};

use tokio::sync::watch;

use super::call::Call;
use super::inlet::{Inlet, Inside, Mail};
use super::looks::Looks;
use super::position::Positions;
use super::schedule::Schedule;
use super::share::Limits;
use super::state::State;
use super::woken::{Mark, Woken};
use crate::consumer::commit_gate::{Place, Positioned, Told};
use crate::consumer::counts::{Counters, Untaken};
use crate::consumer::life::{Life, Phase};
use crate::consumer::plan::TopicPlan;
use crate::consumer::ready::Ready;
use crate::consumer::stats::{Blocked, GroupStats};
use crate::context::Scope;
use crate::engine::{Bound, MemoryBudget, NextOffset, Note, OffsetTracker, Partition, Reservation};
use crate::producer::Producer;
use crate::record::Source;
use crate::transport::{OwnedMessage, ReadPosition, Unread};

/// A lane that did something tells its position so often: once with what it did, and again so that what a
/// storm grew is given back after it.
const MOVED: u8 = 3;

/// The lanes that have something to do.
pub(crate) type ReadyLanes = Ready<Arc<Lane>>;

/// The lane of one assigned partition.
///
/// One worker at a time runs it, and has its [`State`] meanwhile; everybody else has the rest, and calls
/// nothing but what this file and `read`, `watched`, `looked` and `close` offer them. Its methods stand where
/// they belong on a record's way, each file knowing those before it only:
///
/// ```text
/// parts    what it is made of, and what others tell it
/// watched  what the watchdog sees of it
/// looked   what views show of it
/// read     from its queue into its partition
/// run      runs that did not finish at once, polled and brought to their end
/// start    a record to its handlers
/// batch    records gathered, handed over, and apart again
/// step     the next thing to be done
/// close    its end, and what is dropped then
/// broken   its end after a panic
/// turn     a worker's turn with it: all of these
/// ```
pub(crate) struct Lane {
    pub(super) source: Arc<Source>,
    pub(super) plan: Arc<TopicPlan>,
    /// Of the plan's handlers, each a copy of the lane's own: contexts count their references, and lanes that
    /// run at once on two processors would take the counter from each other with every record.
    pub(super) scopes: Vec<Arc<Scope>>,
    /// What is counted of the plan's handlers, and of what none of them takes.
    pub(super) counters: Vec<Arc<Counters>>,
    pub(super) untaken: Arc<Untaken>,
    pub(super) stats: Arc<GroupStats>,
    pub(super) producer: Producer,
    pub(super) ready: Arc<ReadyLanes>,
    pub(super) schedule: Schedule,
    pub(super) life: Life,
    pub(super) woken: Woken,
    pub(super) inlet: Inlet,
    /// The queue has something that was not read.
    pub(super) filled: AtomicBool,
    /// What librdkafka may fetch ahead, and whether what comes is to be taken in at once, see [`Ahead`].
    pub(super) limits: Limits,
    pub(super) heavy: AtomicBool,
    /// Tells the group what could not be read.
    pub(super) read_error: Box<dyn Fn(Unread) + Send + Sync>,
    /// Tells the group that there is something to look after again.
    pub(super) stirred: Box<dyn Fn() + Send + Sync>,
    /// A broken batch stands next in the log, and nothing is read until it is read anew; and whether one was
    /// met not long ago.
    pub(super) stands: AtomicBool,
    pub(super) met_broken: AtomicBool,
    pub(super) positions: Positions,
    /// How often the position is told before the lane is left alone: [`MOVED`] once something was done.
    /// Written by the worker that runs the lane.
    pub(super) moved: AtomicU8,
    /// Records were left in it when its last turn ended.
    pub(super) holds: AtomicBool,
    pub(super) bound: Bound,
    /// Calls into handlers so far, odd while one is under way, and the offset of that one: for the watchdog.
    pub(super) calls: AtomicU64,
    pub(super) called_at: AtomicI64,
    /// The call that somebody who looked has met last.
    pub(super) met: Mutex<Option<Call>>,
    /// What the watchdog asks for where it does not get at the state, in milliseconds, and what it was told.
    pub(super) patience: AtomicU64,
    pub(super) overdue: Mutex<Vec<(String, i64)>>,
    pub(super) drained: watch::Sender<bool>,
    /// Set when all that it held was dropped: the handlers that had not finished.
    pub(super) gone: OnceLock<Vec<String>>,
    /// Set when it broke off; health counts it as long as it is there.
    pub(super) broken: OnceLock<Blocked>,
    /// What views ask of the worker.
    pub(super) looks: Looks,
    pub(super) state: Mutex<State>,
}

/// Wakes the lane itself, when a batch has waited long enough.
impl Wake for Lane {
    fn wake(self: Arc<Self>) {
        self.make_ready();
    }
}

/// Everything a lane is made of.
pub(crate) struct LaneParts {
    pub(crate) source: Arc<Source>,
    pub(crate) plan: Arc<TopicPlan>,
    pub(crate) stats: Arc<GroupStats>,
    pub(crate) producer: Producer,
    pub(crate) ready: Arc<ReadyLanes>,
    pub(crate) budget: Arc<MemoryBudget>,
    /// What librdkafka may fetch ahead of it.
    pub(crate) limits: Limits,
    pub(crate) start: NextOffset,
    /// The leader epoch that was committed with it; below zero it is not known.
    pub(crate) epoch: i32,
    pub(crate) note: Note,
    /// What its notes are made for.
    pub(crate) bound: Bound,
    /// Called with what could not be read.
    pub(crate) read_error: Box<dyn Fn(Unread) + Send + Sync>,
    /// Called when the lane, which was at rest, has something to do: who looks after it may be asleep.
    pub(crate) stirred: Box<dyn Fn() + Send + Sync>,
}

#[cfg(test)]
impl LaneParts {
    /// A lane that begins at the first offset of its partition, and tells nobody of anything.
    pub(super) fn of_tests(source: Arc<Source>, plan: TopicPlan, producer: &Producer) -> Self {
        Self {
            bound: Bound::new("group", &source.topic, source.partition, None, crate::handler::Ordering::Key),
            source,
            plan: Arc::new(plan),
            stats: GroupStats::new("group", Arc::default(), crate::clock::Clock::real()),
            producer: producer.clone(),
            ready: Arc::new(ReadyLanes::new()),
            budget: Arc::default(),
            limits: Limits::of(&crate::transport::ClientProperties::default(), None),
            start: NextOffset(0),
            epoch: -1,
            note: Note::default(),
            read_error: Box::new(|_| {}),
            stirred: Box::new(|| {}),
        }
    }
}

impl Lane {
    /// A lane that begins at an offset; it reads nothing until it has its queue.
    pub(crate) fn new(parts: LaneParts) -> Arc<Self> {
        let LaneParts {
            source,
            plan,
            stats,
            producer,
            ready,
            budget,
            limits,
            start,
            epoch,
            note,
            bound,
            read_error,
            stirred,
        } = parts;
        let partition = Partition::new(OffsetTracker::new(start, note), plan.options.ordering);
        let position = partition.position(&bound, epoch);
        let state = State::new(partition, plan.options.concurrency as usize, Reservation::new(budget));
        let scopes = plan.handlers.iter().map(|handler| Arc::new(Scope::clone(&handler.scope))).collect();
        let counts = stats.counts();
        let counters = plan.handlers.iter().map(|handler| counts.of(&handler.name, &source.topic)).collect();
        let untaken = counts.untaken(&source.topic);
        let now = stats.clock().wall();
        let positions = Positions::new(Told { position, finished: 0 });
        Arc::new(Self {
            source,
            plan,
            scopes,
            counters,
            untaken,
            stats,
            producer,
            ready,
            schedule: Schedule::new(),
            life: Life::new(),
            woken: Woken::new(),
            inlet: Inlet::new(ReadPosition { next: start.0, epoch }),
            filled: AtomicBool::new(true),
            limits,
            heavy: AtomicBool::new(false),
            read_error,
            stirred,
            stands: AtomicBool::new(false),
            met_broken: AtomicBool::new(false),
            positions,
            moved: AtomicU8::new(0),
            holds: AtomicBool::new(false),
            bound,
            calls: AtomicU64::new(0),
            called_at: AtomicI64::new(0),
            met: Mutex::default(),
            patience: AtomicU64::new(0),
            overdue: Mutex::default(),
            drained: watch::Sender::new(false),
            gone: OnceLock::new(),
            broken: OnceLock::new(),
            looks: Looks::new(&state, now),
            state: Mutex::new(state),
        })
    }

    pub(crate) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    pub(crate) fn place(&self) -> Place {
        (self.source.topic.to_string(), self.source.partition)
    }

    /// What its notes are made for.
    pub(crate) fn bound(&self) -> Bound {
        self.bound
    }

    /// As whom the partition was assigned to this process.
    pub(crate) fn member(&self) -> &str {
        &self.source.assignment.membership.member
    }

    /// A record of this partition that came another way.
    pub(crate) fn stray(self: &Arc<Self>, message: OwnedMessage) {
        let mut inside = self.inlet.open();
        inside.at.next = inside.at.next.max(message.offset + 1);
        self.inlet.leave(&mut inside, Mail::Stray(message));
        drop(inside);
        self.make_ready();
    }

    /// Where the partition is to be read anew, before a broken batch; `None` where none stands in the way.
    pub(crate) fn broken(&self) -> Option<i64> {
        self.stands.load(Acquire).then(|| self.reading().at.next)
    }

    /// Reads on: the partition is read anew from the broken batch, and what stood behind it in the queue is
    /// gone.
    pub(crate) fn goes_on(self: &Arc<Self>) {
        self.stands.store(false, Release);
        self.filled();
    }

    /// What librdkafka says of the partition's range is to be believed again.
    pub(crate) fn is_mended(&self) {
        self.met_broken.store(false, Relaxed);
    }

    /// Whether nothing that stands behind this in the queue may be read: it is read anew, see
    /// [`Unread::is_broken_batch`]. And librdkafka 2.12 skips a batch with a wrong checksum to a place that
    /// is not its end (`rd_kafka_buf_skip_to` in its `rd_kafka_msgset_reader_v2`): what it makes of the bytes
    /// there may be an offset that it then finds out of range.
    pub(super) fn stands_before(&self, unread: &Unread) -> bool {
        let broken = unread.is_broken_batch();
        if !broken && (!unread.is_of_another_log() || !self.met_broken.load(Relaxed)) {
            return false;
        }
        self.met_broken.store(true, Relaxed);
        self.stands.store(true, Release);
        true
    }

    /// Makes the lane ready: a worker will run it, once, however often this is called.
    pub(crate) fn make_ready(self: &Arc<Self>) {
        if self.schedule.ask() {
            self.ready.push(self.clone());
        }
    }

    /// The waker of a place for runs.
    pub(super) fn waker(self: &Arc<Self>, run: usize, mark: Arc<Mark>) -> Waker {
        Waker::from(Arc::new(RunWaker { lane: self.clone(), run, mark }))
    }

    /// Whether a turn panicked, so that the partition needs another lane.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.get().is_some()
    }

    /// Asks for a fresh position; it is there when the lane has run next. The one that was told last is as
    /// fresh where nothing was done since: idle lanes are left alone.
    pub(crate) fn ask_position(self: &Arc<Self>) {
        if self.moved.load(Acquire) == 0 {
            return;
        }
        self.positions.ask();
        self.make_ready();
    }

    /// Something was done, or is to be. Called by the worker that runs the lane.
    pub(super) fn stirs(&self) {
        let rested = self.moved.load(Relaxed) == 0;
        self.moved.store(MOVED, Release);
        if rested {
            (self.stirred)();
        }
    }

    /// Whether its position may be another one than the one that was told last.
    pub(crate) fn moves(&self) -> bool {
        self.moved.load(Acquire) > 0
    }

    /// Whether nothing is done in it, and nothing is to be: whoever looks after it is told when that ends.
    pub(crate) fn rests(&self) -> bool {
        !self.moves()
            && !self.holds.load(Relaxed)
            && !self.has_unread()
            && !self.is_inside()
            && !self.is_broken()
            && !self.is_heavy()
    }

    /// Whether the position that was asked for is not there yet.
    pub(crate) fn is_asked(&self) -> bool {
        self.positions.is_asked()
    }

    /// Begins the end: what runs is finished, nothing new is started.
    pub(crate) fn drain(self: &Arc<Self>) {
        self.enter(Phase::Draining);
        self.make_ready();
    }

    /// Tells whether all that ran is finished.
    pub(crate) fn drained(&self) -> watch::Receiver<bool> {
        self.drained.subscribe()
    }

    /// The partition is somebody else's: nothing more is started, and nothing committed. Waits for nothing.
    pub(crate) fn fence(&self) {
        self.enter(Phase::Closed);
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.life.enter(phase);
        if phase == Phase::Closed {
            self.source.assignment.end();
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.life.phase()
    }

    /// Goes on at another offset, from the next turn on: the log no longer has what was to come, and
    /// librdkafka reads nothing of it.
    pub(crate) fn restart(self: &Arc<Self>, start: NextOffset) {
        let mut inside = self.inlet.open();
        let mail = if start.0 >= inside.at.next { Mail::GoesOn(start) } else { Mail::GoesBack(start) };
        self.inlet.leave(&mut inside, mail);
        inside.restart(start);
        drop(inside);
        self.filled();
    }

    /// Whether its queue may hold something that it has no room for.
    pub(crate) fn has_unread(&self) -> bool {
        self.filled.load(Relaxed)
    }

    /// Whether what comes into its queue is to be taken out at once, see [`Ahead`].
    pub(crate) fn is_heavy(&self) -> bool {
        self.heavy.load(Acquire)
    }

    /// Takes out of its queue what came, where it is heavy. A worker does so, too, and may be long in coming.
    pub(crate) fn take_in(&self) {
        self.inlet.open().take_in();
    }

    /// The queue went from empty to not empty; or somebody wants to be sure that nothing was missed.
    pub(crate) fn filled(self: &Arc<Self>) {
        self.filled.store(true, Release);
        self.make_ready();
    }

    /// How far the queue was read. Nothing is read of it until this is dropped.
    pub(crate) fn reading(&self) -> MutexGuard<'_, Inside> {
        self.inlet.open()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes one run of a lane.
struct RunWaker {
    lane: Arc<Lane>,
    run: usize,
    mark: Arc<Mark>,
}

impl Wake for RunWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.lane.woken.add(self.run, &self.mark);
        self.lane.make_ready();
    }
}

impl Positioned for Lane {
    fn told(&self) -> Told {
        self.positions.last()
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lane({}, {:?})", self.source, self.phase())
    }
}
