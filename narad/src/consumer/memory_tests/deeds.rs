//! What handlers did, and what has to hold of it: nothing is lost, records of a key go one after the other in
//! their order, and nothing is committed that was not handled.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::transport::Position;

/// As which member, and in which generation, a partition was assigned.
pub(super) type Epoch = (String, i32);

/// A handler at work: the epoch, the partition, the offset.
pub(super) type Deed = (Epoch, i32, i64);

#[derive(Default)]
pub(super) struct Deeds {
    /// Of each partition the keys of its records, in their order.
    logs: BTreeMap<i32, Vec<String>>,
    handled: BTreeMap<i32, BTreeSet<i64>>,
    running: BTreeSet<Deed>,
    /// What was begun last of a key in an epoch.
    begun: HashMap<(Epoch, i32, String), i64>,
    /// Of what was committed so much was looked at.
    looked: usize,
    committed: BTreeMap<i32, i64>,
    pub(super) attempts: usize,
}

impl Deeds {
    pub(super) fn written(&mut self, partition: i32, key: &str, offset: i64) {
        let log = self.logs.entry(partition).or_default();
        assert_eq!(log.len() as i64, offset);
        log.push(key.to_owned());
    }

    /// Where each log ends.
    pub(super) fn ends(&self) -> Vec<(i32, i64)> {
        self.logs.iter().map(|(partition, log)| (*partition, log.len() as i64)).collect()
    }

    fn key(&self, partition: i32, offset: i64) -> String {
        self.logs[&partition][offset as usize].clone()
    }

    pub(super) fn begins(&mut self, epoch: Epoch, partition: i32, offset: i64) -> Deed {
        let key = self.key(partition, offset);
        let is_of_key = |(of, number, at): &&Deed| {
            *of == epoch && *number == partition && self.logs[number][*at as usize] == key
        };
        let beside = self.running.iter().find(is_of_key);
        assert_eq!(beside, None, "two records of key {key} at once: {offset} of {partition}");
        let last = self.begun.insert((epoch.clone(), partition, key.clone()), offset);
        assert!(last < Some(offset), "key {key} of {partition} goes back from {last:?} to {offset}");
        self.attempts += 1;
        let deed = (epoch, partition, offset);
        self.running.insert(deed.clone());
        deed
    }

    pub(super) fn done(&mut self, deed: &Deed) {
        let (epoch, partition, offset) = deed;
        let (log, handled) = (&self.logs[partition], self.handled.entry(*partition).or_default());
        let key = &log[*offset as usize];
        let before = (0..*offset).filter(|at| log[*at as usize] == *key);
        for at in before {
            assert!(
                handled.contains(&at),
                "{epoch:?} has handled {offset} of {partition} before {at}: {key}"
            );
        }
        handled.insert(*offset);
    }

    /// It is done, or was dropped.
    pub(super) fn ends_of(&mut self, deed: &Deed) {
        self.running.remove(deed);
    }

    pub(super) fn is_handled(&self, partition: i32, offset: i64) -> bool {
        self.handled.get(&partition).is_some_and(|handled| handled.contains(&offset))
    }

    /// Looks at what was committed since the last time.
    pub(super) fn checks(&mut self, history: &[((String, i32), Position)]) {
        for ((_, partition), position) in &history[self.looked..] {
            let open = (0..position.next).find(|offset| !self.is_handled(*partition, *offset));
            assert_eq!(open, None, "committed {} of {partition} with this one open", position.next);
            let before = self.committed.insert(*partition, position.next);
            assert!(before <= Some(position.next), "a commit of {partition} went back from {before:?}");
        }
        self.looked = history.len();
    }
}
