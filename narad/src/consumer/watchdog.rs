//! The watchdog: an attempt that takes longer than a group's members may be silent is named, and health is
//! told.
//!
//! An `async fn` that waits and a handler that holds its thread look different from outside. The lane says of
//! the first when its attempt began; the second shows as a lane that has been inside the same call for all
//! that time.

use std::sync::Arc;
use std::time::Duration;

use super::lane::Lane;
use super::stats::GroupStats;

/// Names what is stuck, each once, and gives the group's health all of it.
pub(super) fn look(lanes: &[Arc<Lane>], stats: &GroupStats, patience: Duration) {
    let mut stuck = Vec::new();
    for lane in lanes {
        let source = lane.source();
        if let Some(call) = lane.inside() {
            if stats.clock().now().duration_since(call.met) >= patience {
                stuck.push(format!(
                    "a handler of group {} holds its thread at {source} offset {}",
                    stats.name(),
                    call.offset
                ));
            }
        } else {
            let waiting = lane.overdue(patience).into_iter();
            stuck.extend(waiting.map(|(handler, offset)| {
                format!("{handler} of group {} at {source} offset {offset}", stats.name())
            }));
        }
    }
    stats.set_stuck(stuck, patience);
}
