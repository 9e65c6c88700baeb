//! The lane of one assigned partition: what was read of it, what runs, what is finished.
//!
//! A lane belongs to one assignment; the next assignment of the same partition has a lane of its own, so that
//! whatever ends late in an old lane commits nothing (this is the epoch). One worker at a time runs a lane
//! and owns its state meanwhile; all others send it a sign and make it ready.

mod ahead;
#[cfg(test)]
mod attach_tests;
mod batch;
mod broken;
mod close;
mod inlet;
mod life;
mod position;
mod run;
mod schedule;
mod share;
mod state;
mod step;
mod watched;
mod woken;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Wake;

use tokio::sync::watch;

use self::ahead::Ahead;
pub(crate) use self::close::{BEFORE_THE_RUNTIME, Closed, MOMENT};
pub(crate) use self::inlet::Inside;
use self::inlet::{Inlet, Mail};
use self::life::Life;
pub(crate) use self::life::Phase;
use self::position::Positions;
use self::schedule::Schedule;
pub(crate) use self::share::Limits;
use self::state::State;
use self::woken::Woken;
use super::fence::{Positioned, Told};
use super::plan::TopicPlan;
use super::stats::{Blocked, GroupStats};
use super::workers::ReadyLanes;
use crate::context::Scope;
use crate::discard::{discard, panic_text};
use crate::engine::{Bound, Holding, NextOffset, Note, OffsetTracker, Room};
use crate::producer::Producer;
use crate::record::{Record, Source};
use crate::transport::{OwnedMessage, PartitionQueue, ReadPosition, Unread};

/// So many records a lane holds at most besides those that run: past it the partition is not read.
const MOST_HELD: usize = 4096;
/// So many bytes of records a lane holds at most.
const MOST_HELD_BYTES: usize = 8 << 20;
/// So many bytes of records are read at once, or one record.
const READ_BYTES: usize = 1 << 20;
/// Records up to this size are given back together, at the end of a turn.
const SMALL: usize = 4096;
/// A lane that did something tells its position so often: once with what it did, and again so that what a
/// storm grew is given back after it.
const MOVED: u8 = 3;
/// A lane gives its worker back after so many records and polls, so that others have their turn.
const TURN: usize = 512;

/// The lane of one assigned partition.
pub(crate) struct Lane {
    source: Arc<Source>,
    plan: Arc<TopicPlan>,
    /// Of the plan's handlers, each a copy of the lane's own: contexts count their references, and lanes that
    /// run at once on two processors would take the counter from each other with every record.
    scopes: Vec<Arc<Scope>>,
    stats: Arc<GroupStats>,
    producer: Producer,
    ready: Arc<ReadyLanes>,
    schedule: Schedule,
    life: Life,
    woken: Woken,
    inlet: Inlet,
    /// The queue has something that was not read.
    filled: AtomicBool,
    /// What librdkafka may fetch ahead, and whether what comes is to be taken in at once, see [`Ahead`].
    limits: Limits,
    heavy: AtomicBool,
    /// Tells the group what could not be read.
    read_error: Box<dyn Fn(Unread) + Send + Sync>,
    /// Tells the group that there is something to look after again.
    stirred: Box<dyn Fn() + Send + Sync>,
    /// A broken batch stands next in the log, and nothing is read until it is read anew; and whether one was
    /// met not long ago.
    stands: AtomicBool,
    met_broken: AtomicBool,
    positions: Positions,
    /// How often the position is told before the lane is left alone: [`MOVED`] once something was done.
    /// Written by the worker that runs the lane.
    moved: AtomicU8,
    /// Records were left in it when its last turn ended.
    holds: AtomicBool,
    bound: Bound,
    /// Calls into handlers so far, odd while one is under way, and the offset of that one: for the watchdog.
    calls: AtomicU64,
    called_at: AtomicI64,
    /// What the watchdog asks for where it does not get at the state, in milliseconds, and what it was told.
    patience: AtomicU64,
    overdue: Mutex<Vec<(String, i64)>>,
    drained: watch::Sender<bool>,
    /// Set when all that it held was dropped: the handlers that had not finished.
    gone: OnceLock<Vec<String>>,
    /// Set when it broke off; health counts it as long as it is there.
    broken: OnceLock<Blocked>,
    state: Mutex<State>,
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
    pub(crate) room: Arc<Room>,
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

impl Lane {
    /// A lane that begins at an offset; it reads nothing until it has its queue.
    pub(crate) fn new(parts: LaneParts) -> Arc<Self> {
        let LaneParts {
            source,
            plan,
            stats,
            producer,
            ready,
            room,
            limits,
            start,
            epoch,
            note,
            bound,
            read_error,
            stirred,
        } = parts;
        let state = State::new(
            OffsetTracker::new(start, note),
            plan.options.concurrency as usize,
            Holding::new(room),
        );
        let scopes = plan.handlers.iter().map(|handler| Arc::new(Scope::clone(&handler.scope))).collect();
        let positions = Positions::new(Told { position: state.position(&bound, epoch), finished: 0 });
        Arc::new(Self {
            source,
            plan,
            scopes,
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
            patience: AtomicU64::new(0),
            overdue: Mutex::default(),
            drained: watch::Sender::new(false),
            gone: OnceLock::new(),
            broken: OnceLock::new(),
            state: Mutex::new(state),
        })
    }

    /// Gives the lane the queue of its partition.
    pub(crate) fn attach(self: &Arc<Self>, queue: PartitionQueue) {
        let mut inside = self.inlet.open();
        // Where it was let go by now, the queue is given back at once.
        if self.phase() != Phase::Closed {
            inside.queue = Some(Ahead::new(queue, &self.limits));
        }
        self.tell_heavy(inside);
        // It may have filled before it was here, and librdkafka tells of an empty queue only.
        self.filled();
    }

    pub(crate) fn source(&self) -> &Arc<Source> {
        &self.source
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
    fn stands_before(&self, unread: &Unread) -> bool {
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
    fn stirs(&self) {
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
            && self.inside().is_none()
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

    fn enter(&self, phase: Phase) {
        self.life.enter(phase);
        if phase == Phase::Closed {
            self.source.assignment.end();
        }
    }

    fn phase(&self) -> Phase {
        self.life.phase()
    }

    /// Runs the lane: called by one worker at a time.
    pub(super) fn run(self: Arc<Self>) {
        self.schedule.begin();
        let more = catch_unwind(AssertUnwindSafe(|| self.turn())).unwrap_or_else(|panic| {
            self.break_off(panic_text(&*panic));
            discard(panic);
            false
        });
        if self.schedule.end(more) {
            self.ready.clone().push(self);
        }
    }

    /// One turn; `true` where there is more to do at once.
    fn turn(self: &Arc<Self>) -> bool {
        let mut state = self.state();
        let state = &mut *state;
        if self.inlet.has_mail() {
            self.take_mail(&mut self.inlet.open(), state);
        }
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
            let before = budget;
            budget = budget.saturating_sub(self.poll_woken(state));
            let step = self.step(state);
            budget = budget.saturating_sub(step.unwrap_or(0));
            if step.is_some() || budget < before {
                self.stirs();
            }
            if step.is_none() && self.woken.is_empty() {
                break;
            }
            if self.positions.is_asked() {
                self.publish(state);
            }
        }
        self.give_back(state);
        if state.reach_end() {
            self.stirs();
        }
        self.holds.store(state.held > 0, Relaxed);
        let bytes = state.bytes();
        state.holding.tell(bytes);
        if self.positions.is_asked() {
            self.publish(state);
            state.settle();
        }
        self.tell_overdue(state);
        if self.phase() == Phase::Draining && state.records.is_empty() && !more {
            self.publish(state);
            self.drained.send_replace(true);
        }
        more
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

    /// What was handled in place since the last time: counted and freed together.
    fn give_back(&self, state: &mut State) {
        if state.in_place > 0 {
            let handled = std::mem::take(&mut state.in_place);
            self.stats.handled(handled);
            state.finished += handled;
        }
        if state.skipped > 0 {
            self.stats.skipped(std::mem::take(&mut state.skipped));
        }
        let room = TURN.saturating_sub(state.vacated.len());
        state.vacated.extend(state.handled.drain(..).filter_map(Record::vacated).take(room));
    }

    fn publish(&self, state: &State) {
        self.moved.store(self.moved.load(Relaxed).saturating_sub(1), Release);
        self.positions.answer(|| {
            let position = state.position(&self.bound, self.reading().epoch_of(state.tracker.next().0));
            Told { position, finished: state.finished + state.in_place }
        });
    }

    /// How far the queue was read. Nothing is read of it until this is dropped.
    pub(crate) fn reading(&self) -> MutexGuard<'_, Inside> {
        self.inlet.open()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

/// What the races are modelled with.
#[cfg(test)]
pub(super) mod model {
    pub(crate) use super::life::{Life, Phase};
    pub(crate) use super::position::Positions;
    pub(crate) use super::schedule::Schedule;
    pub(crate) use super::woken::{Mark, Woken};
}
