//! Where the logs of a group's partitions end, as it was told last, and whether somebody looks.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Clock;

/// So often the leaders are asked while somebody looks.
const EVERY: Duration = Duration::from_secs(10);
/// So long after a look somebody is taken to look: longer than Prometheus' usual minute between two.
const LOOKS: Duration = Duration::from_secs(150);
/// What is older is not shown: where nobody has looked for long, or leaders do not answer.
const KEPT: Duration = Duration::from_secs(30);

/// The ends of a group's partitions, as they were told last.
#[derive(Debug, Default)]
pub(super) struct LogEnds(Mutex<HashMap<(String, i32), LogEnd>>);

/// The end of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LogEnd {
    /// The next offset that a committed record will have.
    pub(super) offset: i64,
    /// When it was told.
    told: Instant,
    /// Since when there are records beyond those that are finished; `None` where there are none.
    pub(super) behind: Option<Instant>,
}

/// What the leader of a partition told of its end.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) place: (String, i32),
    /// `None` where it did not answer.
    pub(super) end: Option<i64>,
    /// The offset that may be committed.
    pub(super) finished: Option<i64>,
}

impl LogEnds {
    /// The end of a partition; `None` where it was not told lately.
    pub(super) fn of(&self, topic: &str, partition: i32, now: Instant) -> Option<LogEnd> {
        let end = *self.lock().get(&(topic.to_owned(), partition))?;
        (now.saturating_duration_since(end.told) <= KEPT).then_some(end)
    }

    /// Leaders have told these ends, each of a partition that is finished up to an offset. What is known of
    /// other partitions is of no use any more, unless their leaders did not answer.
    pub(super) fn told(&self, ends: Vec<Told>, now: Instant) {
        let mut known = self.lock();
        let before = std::mem::take(&mut *known);
        for Told { place, end, finished } in ends {
            let was = before.get(&place).copied();
            let is = match end {
                Some(offset) => {
                    let behind = (finished.unwrap_or(0) < offset)
                        .then(|| was.and_then(|was| was.behind).unwrap_or(now));
                    Some(LogEnd { offset, told: now, behind })
                }
                None => was,
            };
            known.extend(is.map(|is| (place, is)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, i32), LogEnd>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether somebody looks at an application's partitions.
#[derive(Debug, Default)]
pub(crate) struct Onlookers {
    state: Mutex<Looking>,
    sign: Condvar,
}

#[derive(Debug, Default)]
struct Looking {
    last: Option<Instant>,
    over: bool,
}

impl Onlookers {
    /// Somebody looks now.
    pub(super) fn look(&self, now: Instant) {
        self.lock().last = Some(now);
        self.sign.notify_all();
    }

    /// Nobody is told anything any more: whoever waits goes on.
    pub(super) fn over(&self) {
        self.lock().over = true;
        self.sign.notify_all();
    }

    /// Waits until the leaders are to be asked; `false` where the run is over.
    pub(super) fn wait(&self, clock: &Clock, asked: Option<Instant>) -> bool {
        let mut looking = self.lock();
        loop {
            if looking.over {
                return false;
            }
            let now = clock.now();
            let due = asked.map_or(now, |asked| asked + EVERY);
            let is_seen = looking.last.is_some_and(|last| now.saturating_duration_since(last) < LOOKS);
            looking = match is_seen {
                true if due <= now => return true,
                true => self.sign.wait_timeout(looking, due - now).unwrap_or_else(PoisonError::into_inner).0,
                // Nobody looks: an idle process wakes up for nothing.
                false => self.sign.wait(looking).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Looking> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_behind_since_its_end_was_first_seen_beyond_what_is_finished() {
        let (ends, begun) = (LogEnds::default(), Instant::now());
        let at = |second| begun + Duration::from_secs(second);
        let tell = |second, end, finished| {
            ends.told(vec![Told { place: ("orders".to_owned(), 0), end, finished }], at(second));
            ends.of("orders", 0, at(second)).map(|end| (end.offset, end.behind))
        };
        assert_eq!(tell(0, None, Some(0)), None, "nobody told");
        assert_eq!(tell(1, Some(10), Some(10)), Some((10, None)));
        assert_eq!(tell(11, Some(12), Some(10)), Some((12, Some(at(11)))));
        assert_eq!(tell(21, Some(15), Some(11)), Some((15, Some(at(11)))), "it never came to the end");
        assert_eq!(tell(31, None, Some(11)), Some((15, Some(at(11)))), "no answer changes nothing");
        assert_eq!(tell(41, Some(15), Some(15)), Some((15, None)));
        assert_eq!(tell(51, Some(16), Some(15)), Some((16, Some(at(51)))));
        assert_eq!(ends.of("orders", 0, at(82)), None, "it is old");
        ends.told(vec![Told { place: ("orders".to_owned(), 1), end: Some(1), finished: None }], at(52));
        assert_eq!(ends.of("orders", 0, at(52)), None, "it is another process's now");
        assert_eq!(ends.of("orders", 1, at(52)).and_then(|end| end.behind), Some(at(52)));
    }
}
