//! The cluster: its logs, what is committed, and what a test has it refuse.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::transport::consume::Filled;
use crate::transport::fault::Fault;
use crate::transport::message::OwnedMessage;
use crate::transport::position::{Position, ReadPosition};

pub(super) type Place = (String, i32);

/// The cluster. Clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<State>>);

#[derive(Default)]
pub(super) struct State {
    /// Their partitions, and the records of each.
    pub(super) topics: BTreeMap<String, Vec<Vec<OwnedMessage>>>,
    pub(super) committed: BTreeMap<Place, Position>,
    /// How the next commits are answered; taken where there is no answer left to give.
    pub(super) answers: VecDeque<Option<Fault>>,
    pub(super) commits: usize,
    /// Topics that take nothing, and why.
    pub(super) denied: BTreeMap<String, Fault>,
    pub(super) denials: usize,
    /// Where a partition cannot be read, once.
    pub(super) broken: BTreeMap<(String, i32, i64), Fault>,
    /// What is read of each partition, by whoever has its queue.
    pub(super) cursors: BTreeMap<Place, Cursor>,
    pub(super) filled: HashMap<Place, Arc<Filled>>,
}

#[derive(Default)]
pub(super) struct Cursor {
    pub(super) next: i64,
    pub(super) paused: bool,
    /// That the log ends there was said.
    pub(super) said: bool,
}

impl Memory {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn topic(&self, name: &str, partitions: usize) -> &Self {
        self.lock().topics.insert(name.to_owned(), vec![Vec::new(); partitions]);
        self
    }

    /// Writes a record, and says so to whoever reads the partition.
    pub(crate) fn append(&self, topic: &str, partition: i32, mut message: OwnedMessage) -> i64 {
        let mut state = self.lock();
        let log = &mut state.topics.get_mut(topic).expect("a topic")[partition as usize];
        let offset = log.len() as i64;
        message.offset = offset;
        log.push(message);
        let place = (topic.to_owned(), partition);
        if let Some(cursor) = state.cursors.get_mut(&place) {
            cursor.said = false;
        }
        let filled = state.filled.get(&place).cloned();
        drop(state);
        if let Some(filled) = filled {
            filled();
        }
        offset
    }

    /// All records of a topic.
    pub(crate) fn records(&self, topic: &str) -> Vec<OwnedMessage> {
        self.lock().topics[topic].concat()
    }

    pub(crate) fn committed(&self, topic: &str, partition: i32) -> Option<Position> {
        self.lock().committed.get(&(topic.to_owned(), partition)).cloned()
    }

    /// How many commits came.
    pub(crate) fn commits(&self) -> usize {
        self.lock().commits
    }

    /// The next commits are answered so.
    pub(crate) fn answer_commits(&self, answers: impl IntoIterator<Item = Option<Fault>>) {
        self.lock().answers.extend(answers);
    }

    /// The topic takes no record.
    pub(crate) fn deny(&self, topic: &str, fault: Fault) {
        self.lock().denied.insert(topic.to_owned(), fault);
    }

    /// How many records were not taken.
    pub(crate) fn denials(&self) -> usize {
        self.lock().denials
    }

    /// This offset cannot be read, once.
    pub(crate) fn breaks(&self, topic: &str, partition: i32, offset: i64, fault: Fault) {
        self.lock().broken.insert((topic.to_owned(), partition, offset), fault);
    }
}

impl State {
    pub(super) fn go_on(&mut self, place: &Place, at: ReadPosition) {
        let cursor = self.cursors.entry(place.clone()).or_default();
        *cursor = Cursor { next: at.next.max(0), ..Cursor::default() };
    }

    pub(super) fn pause(&mut self, place: &Place) {
        self.cursors.entry(place.clone()).or_default().paused = true;
    }
}
