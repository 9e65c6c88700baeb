//! How many records of a group wait for each topic that takes nothing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The topic, and why it takes nothing.
pub(super) type Why = (String, String);

/// How many records wait, by what they wait for.
#[derive(Debug, Default)]
pub(super) struct Outages(Mutex<HashMap<Why, usize>>);

impl Outages {
    /// One more waits; true where it is the first.
    pub(super) fn begin(&self, why: &Why) -> bool {
        let mut waiting = self.lock();
        let records = waiting.entry(why.clone()).or_default();
        *records += 1;
        *records == 1
    }

    /// The topic takes records again; false where that is known.
    pub(super) fn end(&self, why: &Why) -> bool {
        self.lock().remove(why).is_some()
    }

    /// One waits no longer.
    pub(super) fn leave(&self, why: &Why) {
        let mut waiting = self.lock();
        if let Some(records) = waiting.get_mut(why) {
            *records -= 1;
            if *records == 0 {
                waiting.remove(why);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Why, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
