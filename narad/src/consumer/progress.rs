//! How far a run is with its records, for those who look: told by the future that goes through it, also from
//! inside of an attempt.

use std::sync::Arc;
use std::sync::atomic::{
    AtomicU8, AtomicU32, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};
use std::time::Duration;

use crate::clock::Clock;

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Doing {
    /// Its attempt is over, and nobody has decided on it yet.
    Nothing,
    /// An attempt runs.
    Attempt,
    /// It waits for its next attempt.
    Backoff,
    /// What the handler returned is being published.
    Publish,
    /// A dead letter is being written.
    DeadLetter,
    /// No attempt mends it, and there is no dead letter.
    Blocked,
    /// What it takes to read the record, or to write what it led to, is not there yet.
    NotYet,
}

/// What a run does, and since when; shared by the lane that asks and the future that does it.
#[derive(Clone, Debug)]
pub(crate) struct Progress(Arc<State>);

#[derive(Debug)]
struct State {
    clock: Clock,
    doing: AtomicU8,
    /// The number of the attempt that runs, or that ran last.
    attempt: AtomicU32,
    /// In milliseconds of the clock.
    since: AtomicU64,
}

/// What a run does, as it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) doing: Doing,
    pub(crate) attempt: u32,
    pub(crate) elapsed: Duration,
}

impl Progress {
    pub(crate) fn new(clock: &Clock) -> Self {
        Self(Arc::new(State {
            clock: clock.clone(),
            doing: AtomicU8::new(Doing::Nothing as u8),
            attempt: AtomicU32::new(0),
            since: AtomicU64::new(0),
        }))
    }

    /// An attempt begins now.
    pub(crate) fn begins(&self, attempt: u32) {
        self.0.attempt.store(attempt, Relaxed);
        // Before what is done: the time of what was done before would make it one that takes too long.
        self.0.since.store(self.millis(), Relaxed);
        self.0.doing.store(Doing::Attempt as u8, Release);
    }

    /// The attempt of this number is over.
    pub(crate) fn ends(&self, attempt: u32) {
        self.0.doing.store(Doing::Nothing as u8, Release);
        self.0.attempt.store(attempt, Relaxed);
    }

    /// What follows an attempt begins now.
    pub(crate) fn is(&self, doing: Doing) {
        self.0.doing.store(doing as u8, Release);
        self.0.since.store(self.millis(), Relaxed);
    }

    /// How long an attempt has run; nothing where none does.
    pub(crate) fn elapsed(&self) -> Duration {
        let now = self.now();
        if now.doing == Doing::Attempt { now.elapsed } else { Duration::ZERO }
    }

    pub(crate) fn now(&self) -> Done {
        let doing = match self.0.doing.load(Acquire) {
            1 => Doing::Attempt,
            2 => Doing::Backoff,
            3 => Doing::Publish,
            4 => Doing::DeadLetter,
            5 => Doing::Blocked,
            6 => Doing::NotYet,
            _ => Doing::Nothing,
        };
        let elapsed = Duration::from_millis(self.millis().saturating_sub(self.0.since.load(Relaxed)));
        Done { doing, attempt: self.0.attempt.load(Relaxed), elapsed }
    }

    fn millis(&self) -> u64 {
        self.0.clock.elapsed().as_millis() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_looks_is_told_what_was_said_last() {
        let clock = Clock::by_hand();
        let progress = Progress::new(&clock);
        assert_eq!((progress.now().doing, progress.elapsed()), (Doing::Nothing, Duration::ZERO));
        progress.begins(3);
        assert_eq!((progress.now().doing, progress.now().attempt), (Doing::Attempt, 3));
        clock.moves(Duration::from_secs(5));
        assert_eq!(progress.elapsed(), Duration::from_secs(5));
        progress.ends(3);
        for doing in [Doing::Backoff, Doing::Publish, Doing::DeadLetter, Doing::Blocked, Doing::NotYet] {
            progress.is(doing);
            assert_eq!((progress.now().doing, progress.now().attempt), (doing, 3));
            assert_eq!(progress.elapsed(), Duration::ZERO, "no attempt runs");
        }
    }
}
