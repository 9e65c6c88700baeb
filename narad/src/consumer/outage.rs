//! A topic that takes nothing: said once for all the records that wait for it, and once when it takes them
//! again.

use std::sync::Arc;

use super::outages::Why;
use super::stats::{Blocked, GroupStats};

/// One record that waits for a topic.
#[derive(Debug)]
pub(super) struct Outage {
    group: Arc<GroupStats>,
    why: Why,
    _blocked: Blocked,
}

impl Outage {
    /// The record waits from now on; true where it is the first one, so that the outage has to be said.
    pub(super) fn begin(group: &Arc<GroupStats>, topic: &str, cause: String) -> (Self, bool) {
        let why = (topic.to_owned(), cause);
        let first = group.outages().begin(&why);
        (Self { group: group.clone(), why, _blocked: group.blocked() }, first)
    }

    /// Whether it is still for the same cause.
    pub(super) fn is_for(&self, cause: &str) -> bool {
        self.why.1 == cause
    }

    /// The topic took the record.
    pub(super) fn end(self) {
        // The others that wait find nothing to end.
        if self.group.outages().end(&self.why) {
            tracing::info!(
                topic = self.why.0,
                group = self.group.name(),
                "the topic takes records again; those that wait for it go on"
            );
        }
    }
}

impl Drop for Outage {
    fn drop(&mut self) {
        self.group.outages().leave(&self.why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn begin(group: &Arc<GroupStats>, cause: &str) -> (Outage, bool) {
        Outage::begin(group, "orders.dlq", cause.to_owned())
    }

    #[test]
    fn an_outage_is_said_by_its_first_record_alone() {
        let group = GroupStats::new("g", Arc::default(), Clock::real());
        let (first, said) = begin(&group, "denied");
        let (second, again) = begin(&group, "denied");
        let (other, other_cause) = begin(&group, "too large");
        assert_eq!((said, again, other_cause, group.blocked_records()), (true, false, true, 3));
        first.end();
        second.end();
        // A record that no write mends does not make the others' outage go on.
        assert!(begin(&group, "denied").1);
        drop(other);
        assert_eq!(group.blocked_records(), 0);
    }

    #[test]
    fn records_that_are_let_go_end_it_without_a_word() {
        let group = GroupStats::new("g", Arc::default(), Clock::real());
        let waiting = [begin(&group, "denied"), begin(&group, "denied")];
        drop(waiting);
        assert!(begin(&group, "denied").1);
    }
}
