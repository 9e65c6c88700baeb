//! The group: who is a member, who has which partition, and what each is to be told.
//!
//! It is shared out as a cooperative group is: what somebody has to give up is taken back first, and the next
//! generation begins when all of it was given back.

use std::collections::{BTreeMap, VecDeque};

use super::cluster::Place;

/// What a member is told when it is polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Assign(Vec<Place>),
    Revoke(Vec<Place>),
}

#[derive(Debug, Default)]
pub(super) struct Group {
    generation: i32,
    members: BTreeMap<u64, Joined>,
    /// Who has a partition, or is about to be told so.
    owners: BTreeMap<Place, u64>,
}

#[derive(Debug, Default)]
struct Joined {
    topics: Vec<String>,
    told: VecDeque<Change>,
    /// What it was told to give back, and has not.
    revoked: Vec<Place>,
}

impl Group {
    pub(super) fn generation(&self) -> i32 {
        self.generation
    }

    pub(super) fn has(&self, member: u64) -> bool {
        self.members.contains_key(&member)
    }

    /// Whether there is something to tell a member.
    pub(super) fn waits(&self, member: u64) -> bool {
        self.members.get(&member).is_some_and(|joined| !joined.told.is_empty())
    }

    pub(super) fn next(&mut self, member: u64) -> Option<Change> {
        self.members.get_mut(&member)?.told.pop_front()
    }

    /// A member subscribes to these; to nothing, it leaves when all that it has is given back.
    pub(super) fn subscribes(&mut self, member: u64, topics: Vec<String>) {
        let leaves = topics.is_empty();
        if !leaves || self.has(member) {
            self.members.entry(member).or_default().topics = topics;
        }
        if leaves {
            self.leaves(member);
        }
    }

    /// A member has given these back.
    pub(super) fn gave_back(&mut self, member: u64, places: &[Place]) {
        self.owners.retain(|place, owner| *owner != member || !places.contains(place));
        let Some(joined) = self.members.get_mut(&member) else { return };
        joined.revoked.retain(|place| !places.contains(place));
        if joined.topics.is_empty() {
            self.leaves(member);
        }
    }

    fn leaves(&mut self, member: u64) {
        let Some(joined) = self.members.get_mut(&member).filter(|joined| joined.revoked.is_empty()) else {
            return;
        };
        let has = self.owners.iter().filter(|(_, owner)| **owner == member);
        joined.revoked = has.map(|(place, _)| place.clone()).collect();
        if joined.revoked.is_empty() {
            self.members.remove(&member);
        } else {
            joined.told.push_back(Change::Revoke(joined.revoked.clone()));
        }
    }

    /// Throws a member out. Whatever it had is others' before it knows.
    pub(super) fn evicts(&mut self, member: u64) {
        self.members.remove(&member);
        self.owners.retain(|_, owner| *owner != member);
    }

    /// Shares out what is there: who has too much is to give it back, and when nothing is to be given back
    /// any more, what is free is given out.
    pub(super) fn shares_out(&mut self, partitions: &BTreeMap<String, usize>) {
        let active: Vec<u64> =
            self.members.iter().filter(|(_, joined)| !joined.topics.is_empty()).map(|(id, _)| *id).collect();
        if active.is_empty() {
            return;
        }
        let wanted = |member: &u64, topic: &String| self.members[member].topics.contains(topic);
        let places: Vec<Place> = partitions
            .iter()
            .filter(|(topic, _)| active.iter().any(|member| wanted(member, topic)))
            .flat_map(|(topic, count)| (0..*count as i32).map(|number| (topic.clone(), number)))
            .collect();
        let most = places.len().div_ceil(active.len());
        for member in &active {
            let has: Vec<_> = places.iter().filter(|place| self.owners.get(*place) == Some(member)).collect();
            let Some(joined) = self.members.get_mut(member) else { continue };
            if joined.revoked.is_empty() && has.len() > most {
                joined.revoked = has[most..].iter().map(|place| (*place).clone()).collect();
                joined.told.push_back(Change::Revoke(joined.revoked.clone()));
            }
        }
        if self.members.values().any(|joined| !joined.revoked.is_empty()) {
            return;
        }
        let mut given: BTreeMap<u64, Vec<Place>> =
            active.iter().map(|member| (*member, Vec::new())).collect();
        for place in places.iter().filter(|place| !self.owners.contains_key(*place)).collect::<Vec<_>>() {
            let has = |member: &u64| self.owners.values().filter(|owner| *owner == member).count();
            let Some(member) = active.iter().min_by_key(|member| has(member)).copied() else { continue };
            self.owners.insert(place.clone(), member);
            given.entry(member).or_default().push(place.clone());
        }
        if given.values().all(Vec::is_empty) {
            return;
        }
        self.generation += 1;
        for (member, places) in given {
            if let Some(joined) = self.members.get_mut(&member) {
                joined.told.push_back(Change::Assign(places));
            }
        }
    }
}
