//! Wakes the thread that serves a client: there are events for it, or somebody wants to be heard.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Given by any thread, waited for by one. One that is given before the wait counts.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    given: Mutex<bool>,
    sign: Condvar,
}

impl Signal {
    /// Ends the wait that is under way, or the next one. Librdkafka calls this with a queue locked: nothing
    /// here calls back into it.
    pub(crate) fn give(&self) {
        *self.given.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.sign.notify_one();
    }

    /// Whether it was given. It is not any more.
    pub(crate) fn take(&self) -> bool {
        std::mem::take(&mut *self.given.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until it is given, but no longer than this; whether it was.
    pub(crate) fn wait(&self, timeout: Duration) -> bool {
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |given: &mut bool| !*given;
        let (mut given, _) =
            self.sign.wait_timeout_while(given, timeout, waits).unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *given)
    }
}
