//! The watchdog: an attempt that takes longer than a group's members may be silent is named, and health is
//! told.
//!
//! An `async fn` that waits and a handler that holds its thread look different from outside. The lane says of
//! the first when its attempt began; the second shows as a lane that has been inside the same call for all
//! that time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lane::Lane;
use super::stats::GroupStats;

/// Looks after the lanes of one group, from its control thread.
#[derive(Debug)]
pub(super) struct Watchdog {
    patience: Duration,
    /// Since when each lane has been inside the same call.
    inside: BTreeMap<(Arc<str>, i32), (u64, Instant)>,
}

impl Watchdog {
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, inside: BTreeMap::new() }
    }

    /// Names what is stuck, each once, and gives the group's health all of it.
    pub(super) fn look(&mut self, lanes: &[Arc<Lane>], stats: &GroupStats) {
        let now = Instant::now();
        let mut stuck = Vec::new();
        let mut inside = BTreeMap::new();
        for lane in lanes {
            let source = lane.source();
            if let Some((call, offset)) = lane.inside() {
                let place = (source.topic.clone(), source.partition);
                let since = self
                    .inside
                    .get(&place)
                    .filter(|(seen, _)| *seen == call)
                    .map_or(now, |(_, since)| *since);
                if now.duration_since(since) >= self.patience {
                    stuck.push(format!(
                        "a handler of group {} holds its thread at {source} offset {offset}",
                        stats.name()
                    ));
                }
                inside.insert(place, (call, since));
            } else {
                let waiting = lane.overdue(self.patience).into_iter();
                stuck.extend(waiting.map(|(handler, offset)| {
                    format!("{handler} of group {} at {source} offset {offset}", stats.name())
                }));
            }
        }
        self.inside = inside;
        stats.set_stuck(stuck, self.patience);
    }
}
