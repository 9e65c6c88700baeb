//! The topics of the cluster as they were read last, for the patterns of all groups.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The topics of the cluster as they were read last.
#[derive(Debug)]
pub(crate) struct ClusterTopics(Mutex<Read>);

#[derive(Debug)]
struct Read {
    topics: Arc<BTreeSet<String>>,
    /// How often they were read.
    number: u64,
}

impl ClusterTopics {
    /// Those that the start found.
    pub(crate) fn new(found: Arc<BTreeSet<String>>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Read { topics: found, number: 1 })))
    }

    /// The topics, where they were read since the read of this number, and the number of that read.
    pub(super) fn since(&self, seen: u64) -> Option<(u64, Arc<BTreeSet<String>>)> {
        let read = self.lock();
        (read.number > seen).then(|| (read.number, read.topics.clone()))
    }

    /// Another read.
    pub(crate) fn tell(&self, topics: BTreeSet<String>) {
        let mut read = self.lock();
        read.topics = Arc::new(topics);
        read.number += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Read> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
