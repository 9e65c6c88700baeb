//! What an orchestrator asks: is it ready, and is it alive.

use std::time::{Duration, SystemTime};

use crate::application::Narad;
use crate::view::{GroupState, GroupView};

/// Why it does not do its work, a line each; empty where it does. A group without partitions is ready.
pub(super) fn unready(narad: &Narad) -> Vec<String> {
    let health = narad.health();
    let mut causes = Vec::new();
    if !health.is_connected() {
        causes.push(format!("no broker of {} answers", health.brokers().join(", ")));
    }
    for group in health.groups().iter().filter(|group| !group.is_ready()) {
        let cause = group.cause().map(|cause| format!(": {cause}")).unwrap_or_default();
        causes.push(format!("the group {} is {}{cause}", group.group(), group.state()));
    }
    if health.blocked() > 0 {
        causes.push(format!("{} records wait that neither handler nor dead letter takes", health.blocked()));
    }
    causes.extend(health.stuck().iter().cloned());
    if health.is_draining() {
        causes.push("the application is stopping".to_owned());
    }
    causes
}

/// Why only a restart would mend it, a line each; empty where none would.
///
/// A restart mends no broker that is away, no coordinator that refuses, and no handler that takes its time:
/// a probe that failed for these would restart all processes of a service at once, when a cluster is down
/// already.
pub(super) fn dead(narad: &Narad) -> Vec<String> {
    let mut causes: Vec<_> = narad.shared().supervision.failures();
    if narad.is_connected() {
        let (now, patience) = (narad.producer().clock().wall(), narad.shared().about.max_poll_interval);
        causes.extend(narad.groups().iter().filter_map(|group| joins_for_ever(group, now, patience)));
    }
    causes
}

/// A client that asks to be let in for longer than a rebalance may take has lost its way: no rebalance takes
/// longer than `max.poll.interval.ms`, since the coordinator waits for no member longer than that.
fn joins_for_ever(group: &GroupView, now: SystemTime, patience: Duration) -> Option<String> {
    let since = now.duration_since(group.since).unwrap_or_default();
    let is_joining = group.state == GroupState::Joining && group.cause.is_none();
    (is_joining && since > patience).then(|| {
        format!("the group {} has been joining for {} s, though brokers answer", group.group, since.as_secs())
    })
}
