//! What a running application tells of itself.

use std::sync::{Arc, PoisonError};

use super::{Narad, Shared};
use crate::consumer::Shown;
use crate::view::{GroupView, HandlerView, LaneView};

impl Narad {
    /// The groups that run here: where each stands and why, its partitions, its rebalances and commits. No
    /// I/O. Before [`run`](Self::run) there are none; after it they are [`Ended`](crate::GroupState::Ended).
    ///
    /// ```
    /// # fn show(narad: &narad::Narad) {
    /// for group in narad.groups().iter().filter(|group| !group.ready) {
    ///     println!("{group}");
    /// }
    /// # }
    /// ```
    pub fn groups(&self) -> Vec<GroupView> {
        self.shared().shown().iter().map(|group| group.group()).collect()
    }

    /// The handlers of the groups that run here: what became of the records that each was given since the
    /// start, and of its attempts. No I/O. Before [`run`](Self::run) there are none.
    ///
    /// ```
    /// # fn show(narad: &narad::Narad) {
    /// for handler in narad.handlers() {
    ///     println!("{} of {}: {} dead-lettered", handler.name, handler.group, handler.settled().dead_lettered);
    /// }
    /// # }
    /// ```
    pub fn handlers(&self) -> Vec<HandlerView> {
        self.shared().shown().iter().flat_map(|group| group.handlers()).collect()
    }

    /// The partitions that this process has of its groups: how far each was read and committed, and what its
    /// offset waits for. No I/O, and no wait for a handler: while a worker does not come out of one, what it
    /// told last is shown, and the call that it is inside of.
    ///
    /// ```
    /// # fn show(narad: &narad::Narad) {
    /// for partition in narad.partitions().iter().filter(|partition| partition.uncommitted.is_some()) {
    ///     println!("{partition}");
    /// }
    /// # }
    /// ```
    pub fn partitions(&self) -> Vec<LaneView> {
        self.shared().shown().iter().flat_map(|group| group.partitions()).collect()
    }
}

impl Shared {
    pub(super) fn shown(&self) -> Vec<Arc<Shown>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
