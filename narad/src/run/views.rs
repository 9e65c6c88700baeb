//! What a running application tells of itself.

use std::sync::{Arc, PoisonError};

use super::{Narad, Shared};
use crate::consumer::GroupStats;
use crate::view::GroupView;

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
        self.shared().stats().iter().map(|group| group.view()).collect()
    }
}

impl Shared {
    pub(super) fn stats(&self) -> Vec<Arc<GroupStats>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
