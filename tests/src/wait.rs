//! Waiting for what must come, with deadlines that only a hang reaches.

use std::time::{Duration, Instant};

/// Long enough for the slowest machine under the heaviest load.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// The same for work that takes minutes.
pub const LONG: Duration = Duration::from_secs(300);

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not within [`DEADLINE`].
pub fn until(what: &str, condition: impl FnMut() -> bool) {
    until_within(DEADLINE, what, condition);
}

/// Waits until `condition` holds, for work that takes longer.
///
/// # Panics
/// When it does not within `deadline`.
pub fn until_within(deadline: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < deadline, "waited {deadline:?} in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
