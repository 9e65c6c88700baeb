//! The questions about topics that wait to be asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::gate::Gate;

/// So many topics are asked about at once.
pub(super) const THREADS: usize = 4;

/// So many of them may be topics of which it was not known before what they are: the others are for new ones.
const AGAIN: usize = 2;

/// The questions that wait, and who asks them.
#[derive(Default)]
pub(super) struct Checks(Mutex<Questions>);

#[derive(Default)]
pub(super) struct Questions {
    pub(super) new: VecDeque<Arc<Gate>>,
    pub(super) again: VecDeque<Arc<Gate>>,
    pub(super) threads: usize,
    /// Those that ask again.
    pub(super) repeating: usize,
}

impl Questions {
    /// The next one, and whether it is asked again.
    pub(super) fn next(&mut self) -> Option<(Arc<Gate>, bool)> {
        if let Some(gate) = self.new.pop_front() {
            return Some((gate, false));
        }
        if self.repeating == AGAIN {
            return None;
        }
        let gate = self.again.pop_front()?;
        self.repeating += 1;
        Some((gate, true))
    }
}

impl Checks {
    pub(super) fn lock(&self) -> MutexGuard<'_, Questions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
