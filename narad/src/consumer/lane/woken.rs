//! Which runs of a lane were woken: each stands in the list once, however often its waker is called.

use std::sync::PoisonError;

use crate::sync::Mutex;
use crate::sync::atomic::AtomicBool;
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Release};

/// The runs whose wakers were called since they were polled.
#[derive(Debug)]
pub(crate) struct Woken {
    /// Looked at with every record, where the list would cost a lock.
    any: AtomicBool,
    runs: Mutex<Vec<usize>>,
}

/// Whether one run stands in the list.
#[derive(Debug)]
pub(crate) struct Mark(AtomicBool);

impl Woken {
    pub(crate) fn new() -> Self {
        Self { any: AtomicBool::new(false), runs: Mutex::new(Vec::new()) }
    }

    /// The run's waker was called. Whoever calls this makes the lane ready after it.
    pub(crate) fn add(&self, run: usize, mark: &Mark) {
        // Written also where it is set: the poll that follows has to see what was done before the waker was
        // called.
        if mark.0.swap(true, AcqRel) {
            return;
        }
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.push(run);
        self.any.store(true, Release);
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.any.load(Acquire)
    }

    /// Takes the list, for one that is empty.
    pub(crate) fn take(&self, empty: &mut Vec<usize>) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        self.any.store(false, Release);
        std::mem::swap(&mut *runs, empty);
    }
}

impl Mark {
    pub(crate) fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// The run is about to be polled: whoever wakes it from now on has it polled again.
    pub(crate) fn clear(&self) {
        self.0.swap(false, AcqRel);
    }
}
