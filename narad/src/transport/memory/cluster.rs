//! The cluster: its logs, what is committed, and what a test has it refuse.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::group::Group;
use crate::transport::consume::Filled;
use crate::transport::fault::{Class, Fault};
use crate::transport::membership::Verdict;
use crate::transport::message::OwnedMessage;
use crate::transport::position::{Position, ReadPosition};

pub(super) type Place = (String, i32);

/// A partition, and the member that reads it.
pub(super) type Reader = (u64, Place);

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
    /// Topics of which nobody tells anything, and those whose records are not acknowledged.
    pub(super) silent: BTreeSet<String>,
    pub(super) kept: BTreeSet<String>,
    /// Where a partition cannot be read, once.
    pub(super) broken: BTreeMap<(String, i32, i64), Fault>,
    /// What is read of each partition, by whoever has its queue.
    pub(super) cursors: BTreeMap<Reader, Cursor>,
    pub(super) filled: BTreeMap<Reader, Arc<Filled>>,
    pub(super) group: Group,
    /// How many members there were.
    pub(super) joined: u64,
    /// Commits that the coordinator has not looked at, as a slow network has them.
    pub(super) on_way: Vec<OnWay>,
    pub(super) is_slow: bool,
    /// Everything that was committed, in its order.
    pub(super) history: Vec<(Place, Position)>,
}

/// A commit on its way: whose, as whom, and what.
pub(super) struct OnWay {
    pub(super) number: usize,
    pub(super) member: u64,
    pub(super) positions: Vec<(Place, Position)>,
    pub(super) verdicts: Option<Vec<Verdict>>,
}

#[derive(Default)]
pub(super) struct Cursor {
    pub(super) next: i64,
    pub(super) paused: bool,
    /// That the log ends there was said.
    pub(super) said: bool,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        let ends: Vec<_> = state
            .topics
            .iter()
            .map(|(topic, logs)| (topic, logs.iter().map(Vec::len).collect::<Vec<_>>()))
            .collect();
        let State { committed, group, is_slow, .. } = &*state;
        write!(f, "{ends:?}, committed {committed:?}, {group:?}, slow: {is_slow}")
    }
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
        let read = state.cursors.iter_mut().filter(|((_, read), _)| *read == place);
        read.for_each(|(_, cursor)| cursor.said = false);
        let filled: Vec<_> = state
            .filled
            .iter()
            .filter(|((_, read), _)| *read == place)
            .map(|(_, filled)| filled.clone())
            .collect();
        drop(state);
        filled.iter().for_each(|filled| filled());
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

    /// From now on the coordinator looks at commits only when it is [told to](Self::delivers).
    pub(crate) fn is_slow(&self, is_slow: bool) {
        self.lock().is_slow = is_slow;
        if !is_slow {
            self.delivers();
        }
    }

    /// The coordinator looks at the commits that are on their way.
    pub(crate) fn delivers(&self) {
        self.lock().deliver(|_| true);
    }

    /// Everything that was committed, in its order.
    pub(crate) fn history(&self) -> Vec<(Place, Position)> {
        self.lock().history.clone()
    }

    /// The topic takes no record.
    pub(crate) fn deny(&self, topic: &str, fault: Fault) {
        self.lock().denied.insert(topic.to_owned(), fault);
    }

    /// Whether nobody tells of the topic whether it is there.
    pub(crate) fn silences(&self, topic: &str, is_silent: bool) {
        let mut state = self.lock();
        if is_silent {
            state.silent.insert(topic.to_owned());
        } else {
            state.silent.remove(topic);
        }
    }

    /// Nobody says what becomes of the topic's records.
    pub(crate) fn keeps(&self, topic: &str) {
        self.lock().kept.insert(topic.to_owned());
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
    /// What is not assigned is not read, and cannot be moved.
    pub(super) fn go_on(&mut self, reader: &Reader, at: ReadPosition) {
        if let Some(cursor) = self.cursors.get_mut(reader) {
            *cursor = Cursor { next: at.next.max(0), ..Cursor::default() };
        }
    }

    pub(super) fn pause(&mut self, reader: &Reader) {
        if let Some(cursor) = self.cursors.get_mut(reader) {
            cursor.paused = true;
        }
    }

    pub(super) fn shares_out(&mut self) {
        let partitions = self.topics.iter().map(|(topic, logs)| (topic.clone(), logs.len())).collect();
        self.group.shares_out(&partitions);
    }

    /// The coordinator looks at what is on its way from these. It asks who the member is, and not whose the
    /// partitions are: the broker does not either.
    pub(super) fn deliver(&mut self, of: impl Fn(u64) -> bool) {
        let mut on_way = std::mem::take(&mut self.on_way);
        for request in on_way.iter_mut().filter(|request| request.verdicts.is_none() && of(request.member)) {
            let refusal = match self.group.has(request.member) {
                true => self.answers.pop_front().flatten(),
                false => Some(Fault::of(Class::NotMember)),
            };
            let positions = std::mem::take(&mut request.positions).into_iter();
            let verdicts = positions.map(|(place, position)| {
                let verdict = match refusal {
                    Some(fault) => Err(fault),
                    None if !self.topics.contains_key(&place.0) => Err(Fault::of(Class::UnknownTopic)),
                    None => {
                        self.committed.insert(place.clone(), position.clone());
                        self.history.push((place.clone(), position.clone()));
                        Ok(())
                    }
                };
                (place, position, verdict)
            });
            request.verdicts = Some(verdicts.collect());
        }
        self.on_way = on_way;
    }
}
