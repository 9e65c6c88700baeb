//! The one member of a group: it is given all partitions of what it subscribes to.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::cluster::{Cursor, Memory, Place};
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

struct Answered(Vec<Verdict>);

impl Sent for Answered {
    fn answer(self: Box<Self>, _: Duration) -> Result<Vec<Verdict>, Box<dyn Sent>> {
        Ok(self.0)
    }
}

struct Told(Vec<Result<End, Fault>>);

impl Asked for Told {
    fn answers_while(self: Box<Self>, _: &dyn Fn()) -> Vec<Result<End, Fault>> {
        self.0
    }
}
