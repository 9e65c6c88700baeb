//! Whether a lane stands in the queue of ready lanes, or runs.

use crate::sync::atomic::AtomicU8;
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Release};

const IDLE: u8 = 0;
const QUEUED: u8 = 1;
const RUNNING: u8 = 2;
const AGAIN: u8 = 3;

/// No sign is lost, and no two workers run a lane at once: whoever is told `true` puts it into the queue, and
/// nobody else does.
///
/// ```text
/// idle ──ask──► queued ──begin──► running ──end──► idle
///                 ▲                 │ ask
///                 └──────end────── again
/// ```
#[derive(Debug)]
pub(crate) struct Schedule(AtomicU8);

impl Schedule {
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(IDLE))
    }

    /// Asks for a run: one comes that begins after this. `true` where the caller has to put the lane into the
    /// queue.
    #[must_use]
    pub(crate) fn ask(&self) -> bool {
        let mut seen = self.0.load(Acquire);
        loop {
            let next = match seen {
                IDLE => QUEUED,
                RUNNING => AGAIN,
                // A run is still to begin. Written all the same: it has to see what was done before it was
                // asked for.
                _ => seen,
            };
            match self.0.compare_exchange_weak(seen, next, AcqRel, Acquire) {
                Ok(_) => return seen == IDLE,
                Err(now) => seen = now,
            }
        }
    }

    /// A worker has taken the lane out of the queue and runs it.
    pub(crate) fn begin(&self) {
        // Reads what those wrote who asked.
        self.0.swap(RUNNING, AcqRel);
    }

    /// The run is over. `true` where another one has to follow, and the caller has to put the lane into the
    /// queue.
    #[must_use]
    pub(crate) fn end(&self, more: bool) -> bool {
        if !more && self.0.compare_exchange(RUNNING, IDLE, AcqRel, Acquire).is_ok() {
            return false;
        }
        self.0.store(QUEUED, Release);
        true
    }
}
