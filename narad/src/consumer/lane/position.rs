//! What may be committed of a lane: asked for by who commits, told by the worker that runs the lane.

use std::sync::PoisonError;

use crate::consumer::commit_gate::Told;
use crate::sync::Mutex;
use crate::sync::atomic::AtomicBool;
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Release};

/// The last position that was told, and whether a fresh one is wanted.
#[derive(Debug)]
pub(crate) struct Positions {
    asked: AtomicBool,
    told: Mutex<Told>,
}

impl Positions {
    pub(crate) fn new(start: Told) -> Self {
        Self { asked: AtomicBool::new(false), told: Mutex::new(start) }
    }

    /// Asks for a position that has everything finished before this.
    pub(crate) fn ask(&self) {
        self.asked.store(true, Release);
    }

    /// Whether the one that was asked for is not there yet.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Acquire)
    }

    /// Tells the position of now. What is asked for meanwhile is answered the next time.
    pub(crate) fn answer(&self, told: impl FnOnce() -> Told) {
        let mut last = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        self.asked.swap(false, AcqRel);
        *last = told();
    }

    /// What may be committed, as of the last time that it was told.
    pub(crate) fn last(&self) -> Told {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
