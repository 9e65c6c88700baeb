//! The members of the group: each has its share of the partitions of what it subscribes to.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::cluster::{Cursor, Memory, OnWay, Place, Reader};
use super::group::Change;
use super::queue::MemoryQueue;
use crate::error::Result as NaradResult;
use crate::transport::admin::Admin;
use crate::transport::consume::{Asked, Filled, GroupEvents, Member, PartitionQueue, Sent, Transport};
use crate::transport::fault::{Class, Fault};
use crate::transport::membership::{CommitError, Membership, Verdict};
use crate::transport::position::{Begin, End, Partition, Position, ReadPosition, Which};
use crate::transport::properties::ClientProperties;
use crate::transport::signal::Signal;

impl Transport for Memory {
    fn member(&self, _: &ClientProperties, events: Arc<dyn GroupEvents>) -> Result<Arc<dyn Member>, String> {
        Ok(self.join(events))
    }

    fn admin(&self, _: &ClientProperties) -> NaradResult<Box<dyn Admin>> {
        Ok(Box::new(self.clone()))
    }
}

impl Memory {
    /// One more member of the group.
    pub(crate) fn join(&self, events: Arc<dyn GroupEvents>) -> Arc<MemoryMember> {
        let number = {
            let mut state = self.lock();
            state.joined += 1;
            state.joined
        };
        Arc::new_cyclic(|this| MemoryMember {
            this: this.clone(),
            memory: self.clone(),
            events,
            signal: Arc::default(),
            own: Mutex::new(Own { number, ..Own::default() }),
        })
    }
}

/// A member of the group: it has its share of the partitions of what it subscribes to.
pub(crate) struct MemoryMember {
    this: Weak<Self>,
    memory: Memory,
    events: Arc<dyn GroupEvents>,
    signal: Arc<Signal>,
    own: Mutex<Own>,
}

/// What the client of a member knows of itself.
#[derive(Default)]
struct Own {
    /// Whom the coordinator knows it as; another one after it was thrown out.
    number: u64,
    topics: Vec<String>,
    assigned: Vec<Place>,
    lost: bool,
}

impl MemoryMember {
    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number(&self) -> u64 {
        self.own().number
    }

    fn reader(&self, topic: &str, number: i32) -> Reader {
        (self.number(), (topic.to_owned(), number))
    }

    /// Its session is over: others have its partitions by now, and it was not told.
    pub(crate) fn loses(&self) {
        let number = self.number();
        let mut state = self.memory.lock();
        state.group.evicts(number);
        state.shares_out();
        drop(state);
        self.own().lost = true;
        self.signal.give();
    }

    /// Whether it has none of these any more.
    fn forgets(&self, places: &[Place]) {
        let mut own = self.own();
        own.assigned.retain(|place| !places.contains(place));
        let mut state = self.memory.lock();
        for place in places {
            state.cursors.remove(&(own.number, place.clone()));
        }
    }

    fn this(&self) -> Arc<dyn Member> {
        self.this.upgrade().expect("it is alive")
    }

    fn revokes(&self, places: &[Place]) {
        self.events.revoked(&self.this(), &places.iter().map(partition).collect::<Vec<_>>());
        // It may have been thrown out meanwhile: then it is told that next.
        self.forgets(places);
        let number = self.number();
        let mut state = self.memory.lock();
        // As librdkafka does: no partition is given back before the commits on their way are answered.
        state.deliver(|member| member == number);
        state.group.gave_back(number, places);
        state.shares_out();
    }

    /// It learns that it is no member any more, and joins anew as another one.
    fn learns_of_its_loss(&self) {
        let places = self.own().assigned.clone();
        self.events.lost(&self.this(), &places.iter().map(partition).collect::<Vec<_>>());
        self.forgets(&places);
        let mut own = self.own();
        let mut state = self.memory.lock();
        state.joined += 1;
        (own.number, own.lost) = (state.joined, false);
        if !own.topics.is_empty() {
            state.group.subscribes(own.number, own.topics.clone());
            state.shares_out();
        }
    }

    fn assigns(&self, places: &[Place]) {
        let mut partitions: Vec<_> = places.iter().map(partition).collect();
        self.events.assigned(&self.this(), &mut partitions);
        let mut own = self.own();
        let mut state = self.memory.lock();
        for partition in partitions {
            let place = (partition.topic, partition.partition);
            let next = match partition.begin {
                Begin::Nowhere => continue,
                Begin::Beginning => 0,
                Begin::At(at) => at.next.max(0),
                Begin::Committed => state.committed.get(&place).map_or(0, |position| position.next),
            };
            state.cursors.insert((own.number, place.clone()), Cursor { next, ..Cursor::default() });
            own.assigned.push(place);
        }
        drop((state, own));
        self.events.began();
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
        let topics: Vec<_> = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let mut own = self.own();
        own.topics = topics.clone();
        let mut state = self.memory.lock();
        if !own.lost {
            state.group.subscribes(own.number, topics);
            state.shares_out();
        }
        drop((state, own));
        self.signal.give();
        Ok(())
    }

    fn unsubscribe(&self) {
        let _ = self.subscribe(&[]);
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
        if !self.has_waiting() {
            return false;
        }
        self.events.paused(self);
        if self.own().lost {
            self.learns_of_its_loss();
            return true;
        }
        let number = self.number();
        let change = self.memory.lock().group.next(number);
        match change {
            Some(Change::Revoke(places)) => self.revokes(&places),
            Some(Change::Assign(places)) => self.assigns(&places),
            None => {}
        }
        true
    }

    fn has_waiting(&self) -> bool {
        let own = self.own();
        own.lost || self.memory.lock().group.waits(own.number)
    }

    fn membership(&self) -> Option<Membership> {
        let number = self.number();
        let generation = self.memory.lock().group.generation();
        Some(Membership { member: format!("member {number}"), generation })
    }

    fn is_assignment_lost(&self) -> bool {
        self.own().lost
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
        let member = self.number();
        let mut state = self.memory.lock();
        state.commits += 1;
        let number = state.commits;
        state.on_way.push(OnWay { number, member, positions, verdicts: None });
        if !state.is_slow {
            state.deliver(|of| of == member);
        }
        Ok(Box::new(MemoryCommit { memory: self.memory.clone(), number }))
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
        let reader = self.reader(topic, number);
        self.memory.lock().filled.insert(reader.clone(), Arc::new(filled));
        Some(PartitionQueue::new(MemoryQueue { memory: self.memory.clone(), reader }))
    }

    fn read_from(&self, _: &[(&str, i32)], all: &[(&str, i32, ReadPosition)]) -> Result<(), String> {
        all.iter().for_each(|(topic, number, at)| self.seek(topic, *number, *at));
        Ok(())
    }

    fn seek(&self, topic: &str, number: i32, at: ReadPosition) {
        self.memory.lock().go_on(&self.reader(topic, number), at);
    }

    fn seek_read(&self, topic: &str, number: i32, at: ReadPosition) -> Result<bool, String> {
        self.seek(topic, number, at);
        Ok(true)
    }

    fn pause(&self, places: &[(&str, i32)]) {
        let readers: Vec<_> = places.iter().map(|(topic, number)| self.reader(topic, *number)).collect();
        let mut state = self.memory.lock();
        readers.iter().for_each(|reader| state.pause(reader));
    }

    fn close(self: Arc<Self>, _: Duration) {
        self.unsubscribe();
        while self.serve() {}
    }
}

struct MemoryCommit {
    memory: Memory,
    number: usize,
}

impl Sent for MemoryCommit {
    fn answer(self: Box<Self>, _: Duration) -> Result<Vec<Verdict>, Box<dyn Sent>> {
        let mut state = self.memory.lock();
        let is_answered = |sent: &OnWay| sent.number == self.number && sent.verdicts.is_some();
        let Some(place) = state.on_way.iter().position(is_answered) else {
            drop(state);
            return Err(self);
        };
        Ok(state.on_way.swap_remove(place).verdicts.unwrap_or_default())
    }
}

struct Told(Vec<Result<End, Fault>>);

impl Asked for Told {
    fn answers_while(self: Box<Self>, _: &dyn Fn()) -> Vec<Result<End, Fault>> {
        self.0
    }
}
