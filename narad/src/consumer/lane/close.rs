//! A partition is let go: what is still there is dropped.

use std::sync::{Arc, TryLockError};
use std::time::Duration;

use super::state::State;
use super::{Lane, Phase};

/// What became of a lane that was let go.
#[derive(Debug)]
pub(crate) enum Closed {
    /// It is gone; these handlers were dropped before they had finished.
    Now { dropped: Vec<String> },
    /// A handler holds its thread: the lane goes when it comes back.
    Later,
}

impl Lane {
    /// Lets the partition go: futures are dropped, nothing is committed any more. Names the handlers that hold their thread, if any.
    pub(crate) fn close(self: &Arc<Self>) -> Closed {
        self.enter(Phase::Closed);
        // A worker may be in the lane for a moment; one that is inside a handler closes the lane when it comes out.
        for _ in 0..50 {
            match self.state.try_lock() {
                Ok(mut state) => return Closed::Now { dropped: self.clear(&mut state) },
                Err(TryLockError::Poisoned(poisoned)) => return Closed::Now { dropped: self.clear(&mut poisoned.into_inner()) },
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        self.make_ready();
        Closed::Later
    }

    /// Drops all that is there, the queue first; the handlers whose records were not finished.
    pub(super) fn clear(&self, state: &mut State) -> Vec<String> {
        state.queue = None;
        state.backlog.clear();
        state.strays.clear();
        state.keys.clear();
        state.freed.clear();
        state.gathered.clear();
        state.unfit.clear();
        state.handled.clear();
        state.vacated.clear();
        state.linger = None;
        let mut dropped: Vec<String> = Vec::new();
        for run in state.runs.iter_mut().filter_map(Option::take) {
            if let Some((record, _)) = run.records.first() {
                let handler = run.handler.as_ref().map_or("", |handler| handler.name.as_str());
                dropped.push(format!("{handler} at {}/{} offset {}", record.topic(), record.partition(), record.offset()));
            }
            // The drop of a user's future may panic.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(run)));
        }
        state.runs.clear();
        state.vacant.clear();
        state.records.clear();
        // Wakers hold the lane.
        state.wakers.clear();
        (state.held, state.held_bytes) = (0, 0);
        state.holding.tell(0);
        dropped
    }
}
