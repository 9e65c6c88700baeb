//! The queue of lanes that have something to do.

use std::collections::VecDeque;
use std::sync::PoisonError;

use crate::sync::{Condvar, Mutex};

/// What waits for a worker, first come first served.
#[derive(Debug)]
pub(crate) struct Ready<T> {
    state: Mutex<State<T>>,
    some: Condvar,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    idle: usize,
    /// Threads that take things out, and have not come to the end.
    workers: usize,
    closed: bool,
}

impl<T> Ready<T> {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State { waiting: VecDeque::new(), idle: 0, workers: 0, closed: false }),
            some: Condvar::new(),
        }
    }

    /// One more thread takes things out, until it is told that there are none any more.
    pub(crate) fn enlist(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).workers += 1;
    }

    /// Something has to be done. After the end, when no worker is left, it is dropped: what waits holds the
    /// queue it waits in.
    pub(crate) fn push(&self, item: T) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.closed && state.workers == 0 {
            drop(state);
            return drop(item);
        }
        state.waiting.push_back(item);
        let wake = state.idle > 0;
        drop(state);
        if wake {
            self.some.notify_one();
        }
    }

    /// The next one; waits for it. `None` after the end, when nothing is left.
    pub(crate) fn pop(&self) -> Option<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(item) = state.waiting.pop_front() {
                return Some(item);
            }
            if state.closed {
                // Whatever comes now is for those that are still at work: they look again before they end.
                state.workers = state.workers.saturating_sub(1);
                return None;
            }
            state.idle += 1;
            state = self.some.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// The next one, if there is one.
    #[cfg(test)]
    pub(crate) fn try_pop(&self) -> Option<T> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).waiting.pop_front()
    }

    /// The end.
    pub(crate) fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.some.notify_all();
    }
}
