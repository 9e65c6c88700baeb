//! What is done about a failure, and how batches are gathered: as the options of a handler say.

use std::time::Duration;

/// How often, and how long apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retry {
    pub(crate) attempts: u32,
    pub(crate) backoff: Backoff,
}

/// How records are gathered for a batch handler.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchPolicy {
    pub(crate) max: usize,
    pub(crate) wait: Duration,
}

/// How long an attempt's failure is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Backoff {
    pub(crate) fn of_milliseconds((first, longest): (u64, u64)) -> Self {
        Self { first: Duration::from_millis(first), longest: Duration::from_millis(longest) }
    }

    /// The most that is waited after this many failed attempts: doubled each time, up to the longest.
    pub(crate) fn ceiling(&self, failed: u32) -> Duration {
        let factor = 1u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.checked_mul(factor).unwrap_or(self.longest).min(self.longest)
    }

    /// Full jitter: anything up to the ceiling, so that records that failed together do not come back
    /// together; `chance` is drawn from 0 to 1.
    /// (aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter)
    pub(crate) fn jittered(&self, failed: u32, chance: f64) -> Duration {
        self.ceiling(failed).mul_f64(chance)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn backoff_doubles_up_to_the_longest(first in 1u64..10_000, longest in 1u64..100_000, failed in 1u32..100, chance in 0.0..1.0) {
            let backoff = Backoff { first: Duration::from_millis(first), longest: Duration::from_millis(longest) };
            let naive = (0..failed - 1).fold(u128::from(first), |wait, _| (wait * 2).min(1 << 100)).min(u128::from(longest));
            prop_assert_eq!(backoff.ceiling(failed).as_millis(), naive);
            prop_assert!(backoff.jittered(failed, chance) <= backoff.ceiling(failed));
        }
    }
}
