//! The groups of a run, from its start to its end: they are stopped together, and each is waited for no
//! longer than all of them.

use std::time::Instant;

use super::group::{Group, GroupParts};
use super::lane::{BEFORE_THE_RUNTIME, Lane};

/// The running groups.
#[derive(Default)]
pub(crate) struct Groups(Vec<Group>);

impl Groups {
    /// Starts one more.
    pub(crate) fn start(&mut self, parts: GroupParts) -> Result<(), String> {
        self.0.push(Group::start(parts)?);
        Ok(())
    }

    /// Begins the end of all of them: drain until the deadline, commit, leave.
    pub(crate) fn stop(&mut self, deadline: Instant) {
        self.0.iter_mut().for_each(|group| group.stop(deadline));
    }

    /// Waits for their ends, but no longer than this; `false` where handlers did not end in time, or what
    /// they finished is not committed.
    pub(crate) async fn ended(&mut self, last: Instant) -> bool {
        let mut drained = true;
        for group in &mut self.0 {
            drained &= group.ended(last).await;
        }
        drained
    }

    /// Why librdkafka gave up, where it did.
    pub(crate) fn fatal(&self) -> Option<String> {
        self.0.iter().find_map(Group::fatal)
    }

    /// Whether one of them was halted.
    pub(crate) fn is_halted(&self) -> bool {
        self.0.iter().any(|group| group.stats().is_halted())
    }
}

impl Drop for Groups {
    /// Where nobody has waited for the end, nothing more is handled: the runtime, too, may be dropped next,
    /// and what handlers would then come to is no failure of theirs. So the lanes end here, all at once, and
    /// their futures are dropped while it is still there.
    fn drop(&mut self) {
        let lanes: Vec<_> = self.0.iter_mut().flat_map(Group::abandon).collect();
        Lane::close(&lanes, BEFORE_THE_RUNTIME);
        // What is left of them is to end at once: no time is left for it.
        self.0.iter_mut().for_each(Group::stop_now);
    }
}
