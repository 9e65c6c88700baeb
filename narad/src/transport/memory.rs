//! A transport in memory, for tests: partitions that are there at once, a group with one member, producers
//! that are acknowledged on the spot. Nothing of librdkafka is in it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::admin::{Admin, NewTopic, Refused, Topic};
use super::consume::{Asked, Batch, Filled, GroupEvents, Member, PartitionQueue, Queue, Sent, Transport};
use super::fault::{Class, Fault};
use super::membership::{CommitError, Membership, Verdict};
use super::message::{Outgoing, OwnedMessage};
use super::position::{Begin, End, Partition, Position, ReadPosition, Which};
use super::produce::{Asks, BadCertificate, Call, Deliveries, ProducerClient, Producers, Seen};
use super::properties::ClientProperties;
use super::signal::Signal;
use super::unread::{NoRecord, Unread};
use crate::error::Result as NaradResult;

type Place = (String, i32);

/// The cluster. Clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Their partitions, and the records of each.
    topics: BTreeMap<String, Vec<Vec<OwnedMessage>>>,
    committed: BTreeMap<Place, Position>,
    /// How the next commits are answered; taken where there is no answer left to give.
    answers: VecDeque<Option<Fault>>,
    commits: usize,
    /// Topics that take nothing, and why.
    denied: BTreeMap<String, Fault>,
    denials: usize,
    /// Where a partition cannot be read, once.
    broken: BTreeMap<(String, i32, i64), Fault>,
    /// What is read of each partition, by whoever has its queue.
    cursors: BTreeMap<Place, Cursor>,
    filled: HashMap<Place, Arc<Filled>>,
}

#[derive(Default)]
struct Cursor {
    next: i64,
    paused: bool,
    /// That the log ends there was said.
    said: bool,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, State> {
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

    /// The member of a group.
    pub(crate) fn join(&self, events: Arc<dyn GroupEvents>) -> Arc<MemoryMember> {
        Arc::new_cyclic(|this| MemoryMember {
            this: this.clone(),
            memory: self.clone(),
            events,
            signal: Arc::default(),
            group: Mutex::default(),
        })
    }
}

impl Transport for Memory {
    fn member(&self, _: &ClientProperties, events: Arc<dyn GroupEvents>) -> Result<Arc<dyn Member>, String> {
        Ok(self.join(events))
    }

    fn admin(&self, _: &ClientProperties) -> NaradResult<Box<dyn Admin>> {
        Ok(Box::new(self.clone()))
    }
}

impl Admin for Memory {
    fn topics(&self) -> NaradResult<Vec<Topic>> {
        let topic = |(name, logs): (&String, &Vec<_>)| Topic { name: name.clone(), partitions: logs.len() };
        Ok(self.lock().topics.iter().map(topic).collect())
    }

    fn names(&self) -> NaradResult<BTreeSet<String>> {
        Ok(self.lock().topics.keys().cloned().collect())
    }

    fn group_members(&self, groups: &[&str]) -> BTreeMap<String, usize> {
        groups.iter().map(|group| ((*group).to_owned(), 1)).collect()
    }

    fn is_denied(&self, topic: &str) -> bool {
        self.lock().denied.contains_key(topic)
    }

    fn create(&self, topics: &[NewTopic]) -> NaradResult<()> {
        self.request(topics).map(drop)
    }

    fn request(&self, topics: &[NewTopic]) -> NaradResult<Vec<Refused>> {
        for topic in topics {
            self.lock().topics.entry(topic.name.clone()).or_insert_with(|| vec![Vec::new()]);
        }
        Ok(Vec::new())
    }

    fn max_message_bytes(&self, _: &[&str]) -> NaradResult<HashMap<String, u64>> {
        Ok(HashMap::new())
    }
}

/// The one member of a group: it is given all partitions of what it subscribes to.
pub(crate) struct MemoryMember {
    this: Weak<Self>,
    memory: Memory,
    events: Arc<dyn GroupEvents>,
    signal: Arc<Signal>,
    group: Mutex<Group>,
}

#[derive(Default)]
struct Group {
    /// `None`: nothing waits to be served.
    waiting: Option<Change>,
    assigned: Vec<Place>,
    generation: i32,
    lost: bool,
}

enum Change {
    To(Vec<String>),
    Lost,
}

impl MemoryMember {
    fn group(&self) -> MutexGuard<'_, Group> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changes(&self, change: Change) {
        self.group().waiting = Some(change);
        self.signal.give();
    }

    /// Others have its partitions by now.
    pub(crate) fn loses(&self) {
        self.group().lost = true;
        self.changes(Change::Lost);
    }

    fn gives_back(&self, lost: bool) {
        let member: Arc<dyn Member> = self.this.upgrade().expect("it is alive");
        let places = std::mem::take(&mut self.group().assigned);
        let partitions: Vec<_> = places.iter().map(partition).collect();
        match lost {
            true => self.events.lost(&member, &partitions),
            false if partitions.is_empty() => {}
            false => self.events.revoked(&member, &partitions),
        }
    }
}

fn partition((topic, number): &Place) -> Partition {
    Partition { topic: topic.clone(), partition: *number, begin: Begin::Committed }
}

impl fmt::Debug for MemoryMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryMember")
    }
}

impl Member for MemoryMember {
    fn signal(&self) -> &Arc<Signal> {
        &self.signal
    }

    fn subscribe(&self, topics: &[&str]) -> Result<(), String> {
        self.changes(Change::To(topics.iter().map(|topic| (*topic).to_owned()).collect()));
        Ok(())
    }

    fn unsubscribe(&self) {
        self.changes(Change::To(Vec::new()));
    }

    fn unsubscribe_unless_named(&self) {
        self.unsubscribe();
    }

    fn poll(&self, timeout: Duration) {
        if !self.has_waiting() {
            self.signal.wait(timeout);
        }
        self.serve();
    }

    fn serve(&self) -> bool {
        let Some(change) = self.group().waiting.take() else { return false };
        self.events.paused(self);
        let Change::To(topics) = change else {
            self.gives_back(true);
            return true;
        };
        self.gives_back(false);
        let mut partitions: Vec<_> = {
            let state = self.memory.lock();
            let places = topics.iter().flat_map(|topic| {
                let count = state.topics.get(topic).map_or(0, Vec::len) as i32;
                (0..count).map(|number| (topic.clone(), number))
            });
            places.map(|place| partition(&place)).collect()
        };
        let mut group = self.group();
        (group.generation, group.lost) = (group.generation + 1, false);
        drop(group);
        let member: Arc<dyn Member> = self.this.upgrade().expect("it is alive");
        self.events.assigned(&member, &mut partitions);
        let mut state = self.memory.lock();
        for partition in partitions {
            let place = (partition.topic, partition.partition);
            let next = match partition.begin {
                Begin::Nowhere => continue,
                Begin::Beginning => 0,
                Begin::At(at) => at.next.max(0),
                Begin::Committed => state.committed.get(&place).map_or(0, |position| position.next),
            };
            state.cursors.insert(place.clone(), Cursor { next, ..Cursor::default() });
            self.group().assigned.push(place);
        }
        drop(state);
        self.events.began();
        true
    }

    fn has_waiting(&self) -> bool {
        self.group().waiting.is_some()
    }

    fn membership(&self) -> Option<Membership> {
        Some(Membership { member: "the member".to_owned(), generation: self.group().generation })
    }

    fn is_assignment_lost(&self) -> bool {
        self.group().lost
    }

    fn cluster_id(&self, _: Duration) -> Option<String> {
        Some("memory".to_owned())
    }

    fn partitions(&self, topic: &str, _: Duration) -> Result<usize, String> {
        Ok(self.memory.lock().topics.get(topic).map_or(0, Vec::len))
    }

    fn answers(&self, _: (&str, i32), _: Duration) -> bool {
        true
    }

    fn committed(
        &self,
        partitions: &[(&str, i32)],
        _: Duration,
    ) -> Result<Vec<Option<Position>>, CommitError> {
        Ok(partitions.iter().map(|(topic, number)| self.memory.committed(topic, *number)).collect())
    }

    fn commit(self: Arc<Self>, positions: Vec<(Place, Position)>) -> Result<Box<dyn Sent>, Fault> {
        let mut state = self.memory.lock();
        state.commits += 1;
        let refusal = state.answers.pop_front().flatten();
        let verdict = |(place, position): (Place, Position)| {
            let verdict = match refusal {
                Some(fault) => Err(fault),
                None if !state.topics.contains_key(&place.0) => Err(Fault::of(Class::UnknownTopic)),
                None => {
                    state.committed.insert(place.clone(), position.clone());
                    Ok(())
                }
            };
            (place, position, verdict)
        };
        Ok(Box::new(Answered(positions.into_iter().map(verdict).collect())))
    }

    fn ask<'a>(&'a self, partitions: &'a [(&'a str, i32)], which: Which, _: Duration) -> Box<dyn Asked + 'a> {
        let state = self.memory.lock();
        let end = |(topic, number): &(&str, i32)| {
            let log = state.topics.get(*topic).and_then(|logs| logs.get(*number as usize));
            let offset = |log: &Vec<_>| if which == Which::Next { log.len() as i64 } else { 0 };
            log.map(|log| End { offset: offset(log), epoch: -1 }).ok_or(Fault::of(Class::UnknownTopic))
        };
        Box::new(Told(partitions.iter().map(end).collect()))
    }

    fn queue(self: Arc<Self>, topic: &str, number: i32, filled: Filled) -> Option<PartitionQueue> {
        let place = (topic.to_owned(), number);
        self.memory.lock().filled.insert(place.clone(), Arc::new(filled));
        Some(PartitionQueue::new(MemoryQueue { memory: self.memory.clone(), place }))
    }

    fn read_from(&self, _: &[(&str, i32)], all: &[(&str, i32, ReadPosition)]) -> Result<(), String> {
        all.iter().for_each(|(topic, number, at)| self.seek(topic, *number, *at));
        Ok(())
    }

    fn seek(&self, topic: &str, number: i32, at: ReadPosition) {
        self.memory.lock().go_on(&(topic.to_owned(), number), at);
    }

    fn seek_read(&self, topic: &str, number: i32, at: ReadPosition) -> Result<bool, String> {
        self.seek(topic, number, at);
        Ok(true)
    }

    fn pause(&self, places: &[(&str, i32)]) {
        let mut state = self.memory.lock();
        places.iter().for_each(|(topic, number)| state.pause(&((*topic).to_owned(), *number)));
    }

    fn close(self: Arc<Self>, _: Duration) {
        self.gives_back(false);
    }
}

impl State {
    fn go_on(&mut self, place: &Place, at: ReadPosition) {
        let cursor = self.cursors.entry(place.clone()).or_default();
        *cursor = Cursor { next: at.next.max(0), ..Cursor::default() };
    }

    fn pause(&mut self, place: &Place) {
        self.cursors.entry(place.clone()).or_default().paused = true;
    }
}

struct Answered(Vec<Verdict>);

impl Sent for Answered {
    fn answer(self: Box<Self>, _: &dyn Fn() -> bool) -> Result<Vec<Verdict>, Box<dyn Sent>> {
        Ok(self.0)
    }
}

struct Told(Vec<Result<End, Fault>>);

impl Asked for Told {
    fn answers_while(self: Box<Self>, _: &dyn Fn()) -> Vec<Result<End, Fault>> {
        self.0
    }
}

struct MemoryQueue {
    memory: Memory,
    place: Place,
}

impl Queue for MemoryQueue {
    fn read(&mut self, max: usize) -> Batch<'_> {
        let mut state = self.memory.lock();
        let State { topics, cursors, broken, .. } = &mut *state;
        let cursor = cursors.entry(self.place.clone()).or_default();
        let log = &topics[&self.place.0][self.place.1 as usize];
        let mut entries = Vec::new();
        while !cursor.paused && entries.len() < max && (cursor.next as usize) < log.len() {
            let offset = cursor.next;
            if let Some(fault) = broken.remove(&(self.place.0.clone(), self.place.1, offset)) {
                let reason = "it was broken by a test".to_owned();
                entries.push(Err(NoRecord::Unread(Unread { fault, offset, reason })));
                continue;
            }
            entries.push(Ok(log[offset as usize].clone()));
            cursor.next += 1;
        }
        let more = entries.len() == max;
        if !cursor.paused && !more && !std::mem::replace(&mut cursor.said, true) {
            entries.push(Err(NoRecord::End(cursor.next)));
        }
        Batch::Owned(entries, more)
    }

    fn pause(&self) {
        self.memory.lock().pause(&self.place);
    }

    fn go_on(&self, at: ReadPosition) {
        self.memory.lock().go_on(&self.place, at);
    }
}

impl Drop for MemoryQueue {
    fn drop(&mut self) {
        self.memory.lock().filled.remove(&self.place);
    }
}

impl<D: Deliveries> Producers<D> for Memory {
    fn producer(&self, _: &ClientProperties, deliveries: D) -> Result<Arc<dyn ProducerClient<D>>, String> {
        Ok(Arc::new(MemoryProducer { memory: self.clone(), deliveries }))
    }

    fn second(&self, _: &ClientProperties) -> Option<Box<dyn Asks>> {
        None
    }

    fn bad_certificate(&self, _: &ClientProperties, _: Duration) -> Option<BadCertificate> {
        None
    }

    fn create(&self, _: &ClientProperties, topic: &NewTopic) -> NaradResult<Vec<Refused>> {
        self.request(std::slice::from_ref(topic))
    }

    fn create_embedded(&self, topic: &str) -> NaradResult<()> {
        Admin::create(self, &[NewTopic::named(topic)])
    }
}

struct MemoryProducer<D> {
    memory: Memory,
    deliveries: D,
}

impl<D: Deliveries> Asks for MemoryProducer<D> {
    fn ask(&self, _: Duration) -> Result<Vec<String>, Fault> {
        Ok(Vec::new())
    }
}

impl<D: Deliveries> ProducerClient<D> for MemoryProducer<D> {
    fn deliveries(&self) -> &D {
        &self.deliveries
    }

    fn cluster_id(&self) -> Option<String> {
        Some("memory".to_owned())
    }

    fn enqueue(&self, call: &Arc<D::Call>, records: &mut [Outgoing], from: usize) -> usize {
        let topic = call.topic().to_str().expect("a name");
        for (index, record) in records.iter().enumerate().skip(from) {
            let ticket = call.ticket(index, record);
            let denied = self.memory.lock().denied.get(topic).copied();
            if let Some(fault) = denied {
                self.memory.lock().denials += 1;
                self.deliveries.failed(ticket, fault);
                continue;
            }
            let partition = record.partition.unwrap_or(0);
            let message = OwnedMessage {
                key: record.key.clone(),
                payload: record.payload.clone(),
                headers: record.headers.clone(),
                ..OwnedMessage::default()
            };
            let offset = self.memory.append(topic, partition, message);
            self.deliveries.written(ticket, partition, offset);
        }
        records.len()
    }

    fn serve(&self, patience: Duration) {
        std::thread::sleep(patience);
    }

    fn in_flight(&self) -> usize {
        0
    }

    fn gave_up(&self) -> Option<(Fault, String)> {
        None
    }

    fn purge(&self) {}

    fn look(&self, topic: &str, _: Duration) -> Result<Seen, String> {
        let is_there = self.memory.lock().topics.contains_key(topic);
        Ok(if is_there { Seen::There } else { Seen::Not(Fault::of(Class::UnknownTopic)) })
    }

    fn await_leaders(&self, _: &str, _: Duration) -> bool {
        true
    }
}
