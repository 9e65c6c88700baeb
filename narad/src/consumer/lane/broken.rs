//! A lane whose turn panicked. Handlers' panics are failed attempts: what is left are bugs of Narad's, and
//! the application's log.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::parts::Lane;
use crate::discard::quietly;

impl Lane {
    /// A turn panicked, which no handler's panic makes it do: nobody knows what it left half done. Nothing
    /// more of the lane is handled or committed; the control thread reads the partition again from the last
    /// position that was told.
    pub(super) fn break_off(self: &Arc<Self>, panic: &str) {
        if self.broken.set(self.stats.blocked()).is_err() {
            return;
        }
        // Nobody is inside of a handler any more.
        self.calls.fetch_add(self.calls.load(Relaxed) % 2, Relaxed);
        self.end();
        // What panicked may have been the log.
        let say = || {
            tracing::error!(partition = %self.source, panic, "handling the partition broke off; it \
         is read again from where it was finished")
        };
        quietly(say);
    }
}
