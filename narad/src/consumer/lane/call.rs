//! A call into a handler, as the watchdog and views see it.

use std::time::{Instant, SystemTime};

/// A call into a handler that a worker is inside of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(super) number: u64,
    /// Of its record.
    pub(crate) offset: i64,
    /// When it was met first.
    pub(crate) met: Instant,
    pub(crate) met_at: SystemTime,
}
