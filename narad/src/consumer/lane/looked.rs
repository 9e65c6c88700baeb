//! What a view shows of a lane that only the worker which runs it knows. Who asks waits for no worker: where
//! one is inside of the lane it is told at the end of the turn, for the next time, and what was told last
//! counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::parts::Lane;
use super::state::{Run, State};
use crate::consumer::life::Phase;
use crate::consumer::progress::{Doing, Done};
use crate::engine::Stage;
use crate::record::Record;
use crate::view::{CallView, LanePhase, LaneView, OldestRecord, RecordStage, WaitingRecords};

/// So often a view looks whether a worker is through with the lane.
const PATIENCE: usize = 64;

/// What the worker told.
#[derive(Clone, Debug)]
pub(crate) struct Looked {
    pub(crate) next_commit: i64,
    pub(crate) oldest: Option<OldestRecord>,
    pub(crate) in_flight: usize,
    pub(crate) parked_keys: usize,
    pub(crate) waiting: WaitingRecords,
    pub(crate) backlog: usize,
    pub(crate) held_bytes: usize,
    /// How many records each handler has.
    pub(crate) with: BTreeMap<String, usize>,
    pub(crate) as_of: SystemTime,
}

/// Whether somebody has asked, and what was told last.
#[derive(Debug)]
pub(super) struct Looks {
    asked: AtomicBool,
    told: Mutex<Looked>,
}

impl Looks {
    pub(super) fn new(state: &State) -> Self {
        Self { asked: AtomicBool::new(false), told: Mutex::new(Looked::of(state)) }
    }
}

impl Looked {
    fn of(state: &State) -> Self {
        let runs = || state.runs.iter().flatten();
        let mut with = BTreeMap::new();
        let (key, parked_keys) = state.partition.waiting();
        let mut waiting = WaitingRecords { key, ..WaitingRecords::default() };
        for run in runs() {
            let records = run.records.len();
            if let Some(handler) = &run.handler {
                *with.entry(handler.name.clone()).or_default() += records;
            }
            match run.progress.now().doing {
                Doing::Backoff | Doing::NotYet => waiting.retry += records,
                Doing::DeadLetter | Doing::Blocked => waiting.dead_letter += records,
                Doing::Publish => waiting.publish += records,
                Doing::Attempt | Doing::Nothing => {}
            }
        }
        Self {
            next_commit: state.partition.next_offset().0,
            oldest: state.partition.oldest().map(|oldest| oldest_record(oldest, runs())),
            in_flight: state.partition.in_flight(),
            parked_keys,
            waiting,
            backlog: state.partition.unread(),
            held_bytes: state.bytes(),
            with,
            as_of: SystemTime::now(),
        }
    }
}

/// The oldest record, with the handler that is not through with it: of several the one that was begun first.
fn oldest_record<'r>(
    (offset, at, record): (i64, Stage, Option<&Record>),
    runs: impl Iterator<Item = &'r Run>,
) -> OldestRecord {
    let is_of = |run: &&Run| run.records.iter().any(|(record, _)| record.offset() == offset);
    let run = runs.filter(is_of).max_by_key(|run| run.progress.now().elapsed);
    let Some(run) = run else {
        let stage = match at {
            Stage::Queued => RecordStage::Backlog,
            Stage::WaitingForKey => RecordStage::Key,
            Stage::Gathered => RecordStage::Gathered,
            Stage::Running | Stage::Retrying | Stage::Settled => RecordStage::Attempt,
            Stage::Left => RecordStage::Abandoned,
        };
        let timestamp = record.and_then(written_at);
        return OldestRecord { offset, timestamp, handler: None, stage, attempt: 0, since: None };
    };
    let Done { doing, attempt, elapsed } = run.progress.now();
    let stage = match doing {
        Doing::Attempt | Doing::Nothing => RecordStage::Attempt,
        Doing::Backoff => RecordStage::Backoff,
        Doing::Publish => RecordStage::Publish,
        Doing::DeadLetter => RecordStage::DeadLetter,
        Doing::Blocked => RecordStage::Blocked,
        Doing::NotYet => RecordStage::NotYet,
    };
    let since = (doing != Doing::Nothing).then(|| SystemTime::now().checked_sub(elapsed)).flatten();
    let handler = run.handler.as_ref().map(|handler| handler.name.clone());
    let mut records = run.records.iter().map(|(record, _)| record);
    let timestamp = records.find(|record| record.offset() == offset).and_then(written_at);
    OldestRecord { offset, timestamp, handler, stage, attempt, since }
}

fn written_at(record: &Record) -> Option<SystemTime> {
    let millis = u64::try_from(record.timestamp()?).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}

impl Lane {
    /// What the worker knows, as of now; where one is inside of a handler, as of the end of a turn.
    pub(crate) fn look(&self) -> Looked {
        // Who lets a lane go takes a state that it does not get at for one that a handler holds.
        for _ in 0..PATIENCE {
            if self.phase() == Phase::Closed {
                break;
            }
            match self.state.try_lock() {
                Ok(state) => return Looked::of(&state),
                Err(_) if self.is_inside() => break,
                // A worker comes through.
                Err(_) => std::thread::yield_now(),
            }
        }
        self.looks.asked.store(true, Relaxed);
        let mut told = self.looks.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Who commits is told more often.
        told.next_commit = told.next_commit.max(self.positions.last().position.next);
        told.oldest = told.oldest.filter(|oldest| oldest.offset >= told.next_commit);
        told
    }

    /// Answers what was asked during the turn.
    pub(super) fn tell_looks(&self, state: &State) {
        if self.looks.asked.load(Relaxed) {
            self.looks.asked.store(false, Relaxed);
            *self.looks.told.lock().unwrap_or_else(PoisonError::into_inner) = Looked::of(state);
        }
    }

    /// What is shown of it, but for what is committed.
    pub(crate) fn view(&self, group: &str) -> LaneView {
        let looked = self.look();
        let known = |offset: i64| (offset >= 0).then_some(offset);
        LaneView {
            group: group.to_owned(),
            topic: self.source.topic.to_string(),
            partition: self.source.partition,
            phase: match self.phase() {
                _ if self.is_broken() => LanePhase::Broken,
                Phase::Running => LanePhase::Running,
                Phase::Draining => LanePhase::Draining,
                Phase::Closed => LanePhase::Closed,
            },
            next_read: known(self.reading().at.next),
            next_commit: known(looked.next_commit),
            committed: None,
            committed_at: None,
            uncommitted: None,
            oldest: looked.oldest,
            call: self.inside().map(|call| CallView { offset: call.offset, since: call.met_at }),
            in_flight: looked.in_flight,
            parked_keys: looked.parked_keys,
            waiting: looked.waiting,
            backlog: looked.backlog,
            held_bytes: looked.held_bytes,
            as_of: looked.as_of,
        }
    }
}
