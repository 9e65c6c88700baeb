//! What a view shows of a lane that only the worker which runs it knows, taken from the state.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use super::state::{Run, State};
use crate::consumer::progress::{Doing, Done};
use crate::engine::Stage;
use crate::record::Record;
use crate::view::{OldestRecord, RecordStage, WaitingRecords};

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
    pub(super) asked: AtomicBool,
    pub(super) told: Mutex<Looked>,
}

impl Looks {
    pub(super) fn new(state: &State, now: SystemTime) -> Self {
        Self { asked: AtomicBool::new(false), told: Mutex::new(Looked::of(state, now)) }
    }
}

impl Looked {
    pub(super) fn of(state: &State, now: SystemTime) -> Self {
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
            oldest: state.partition.oldest().map(|oldest| oldest_record(oldest, runs(), now)),
            in_flight: state.partition.in_flight(),
            parked_keys,
            waiting,
            backlog: state.partition.unread(),
            held_bytes: state.bytes(),
            with,
            as_of: now,
        }
    }
}

/// The oldest record, with the handler that is not through with it: of several the one that was begun first.
fn oldest_record<'r>(
    (offset, at, record): (i64, Stage, Option<&Record>),
    runs: impl Iterator<Item = &'r Run>,
    now: SystemTime,
) -> OldestRecord {
    let is_of = |run: &&Run| run.records.iter().any(|(record, _)| record.offset() == offset);
    let run = runs.filter(is_of).max_by_key(|run| run.progress.now().elapsed);
    let Some(run) = run else {
        let stage = match at {
            Stage::Queued => RecordStage::Backlog,
            Stage::WaitingForKey => RecordStage::Key,
            Stage::Gathered => RecordStage::Gathered,
            Stage::Isolated => RecordStage::Isolated,
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
    let since = (doing != Doing::Nothing).then(|| now.checked_sub(elapsed)).flatten();
    let handler = run.handler.as_ref().map(|handler| handler.name.clone());
    let mut records = run.records.iter().map(|(record, _)| record);
    let timestamp = records.find(|record| record.offset() == offset).and_then(written_at);
    OldestRecord { offset, timestamp, handler, stage, attempt, since }
}

fn written_at(record: &Record) -> Option<SystemTime> {
    let millis = u64::try_from(record.timestamp()?).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}
