//! The topics that are sent to: what all senders to one of them share.

use std::collections::HashMap;
use std::ffi::CString;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::load::Sum;

/// What all senders to one topic share.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Tells it from any other of the process.
    pub(super) id: u64,
    topic: Arc<str>,
    /// Its name as librdkafka takes it.
    native: CString,
    /// What it holds of the room.
    pub(super) share: Sum,
    /// A call of it waits for room, or did.
    pub(super) wants_room: AtomicBool,
    /// It is known to be there, and nothing waits for it: a send goes past its line. The line's owner opens
    /// and shuts it.
    open: AtomicBool,
    /// Another one has its name now, or will have. Written and read under the lock of what waits.
    forgotten: AtomicBool,
}

impl Gate {
    pub(super) fn new(topic: &str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            topic: Arc::from(topic),
            // What is no topic's name for C is none for Kafka, and found so when it is checked.
            native: CString::new(topic).unwrap_or_default(),
            share: Sum::default(),
            wants_room: AtomicBool::new(false),
            open: AtomicBool::new(false),
            forgotten: AtomicBool::new(false),
        }
    }

    pub(crate) fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    pub(super) fn native(&self) -> &CString {
        &self.native
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    pub(super) fn is_forgotten(&self) -> bool {
        self.forgotten.load(Ordering::Relaxed)
    }

    /// Before it opens, all that waited is with librdkafka: a later send of another thread is behind it.
    pub(super) fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::Release);
    }
}

/// Of so many topics even those are remembered that nothing can be sent to.
const MANY: usize = 4_096;

/// All of them, by name.
#[derive(Debug)]
pub(super) struct Gates {
    many: usize,
    by_name: RwLock<HashMap<Arc<str>, Arc<Gate>>>,
}

impl Default for Gates {
    fn default() -> Self {
        Self::new(MANY)
    }
}

impl Gates {
    pub(super) fn new(many: usize) -> Self {
        Self { many, by_name: RwLock::default() }
    }

    pub(super) fn of(&self, topic: &str) -> Arc<Gate> {
        if let Some(gate) = self.by_name.read().unwrap_or_else(PoisonError::into_inner).get(topic) {
            return Arc::clone(gate);
        }
        let mut gates = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(topic) {
            return Arc::clone(gate);
        }
        let gate = Arc::new(Gate::new(topic));
        gates.insert(Arc::clone(gate.topic()), Arc::clone(&gate));
        gate
    }

    /// Nothing can be sent to it, and nothing waits for it: names that somebody made up take no memory for
    /// ever. True where it is forgotten: a sender that has it by then lines nothing up with it any more.
    pub(super) fn forget(&self, gate: &Gate) -> bool {
        let mut gates = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        let forgotten =
            gates.len() > self.many && gates.get(gate.topic()).is_some_and(|known| known.id == gate.id);
        if forgotten {
            gates.remove(gate.topic());
            gate.forgotten.store(true, Ordering::Relaxed);
        }
        forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_once_more_takes_no_later_one_of_its_name_along() {
        let gates = Gates::new(8);
        let first = gates.of("made up");
        assert!(!gates.forget(&first), "there are few");
        (0..8).for_each(|number| drop(gates.of(&format!("topic-{number}"))));
        assert!(gates.forget(&first) && first.is_forgotten());
        let second = gates.of("made up");
        assert!(!gates.forget(&first));
        assert!(Arc::ptr_eq(&second, &gates.of("made up")));
    }
}
