//! How long an attempt has run.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// When an attempt began; shared by the lane that asks and the future that runs the attempts.
#[derive(Clone, Debug, Default)]
pub(crate) struct AttemptClock(Arc<AtomicU64>);

impl AttemptClock {
    /// An attempt begins now.
    pub(crate) fn start(&self) {
        // Zero stands for no attempt.
        self.0.store(millis().max(1), Relaxed);
    }

    /// No attempt runs: a backoff, a write.
    pub(crate) fn stop(&self) {
        self.0.store(0, Relaxed);
    }

    /// How long the attempt has run.
    pub(crate) fn elapsed(&self) -> Duration {
        match self.0.load(Relaxed) {
            0 => Duration::ZERO,
            began => Duration::from_millis(millis().saturating_sub(began)),
        }
    }
}

fn millis() -> u64 {
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    ORIGIN.elapsed().as_millis() as u64
}
