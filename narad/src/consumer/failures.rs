//! The last failures of a group, for those who ask what goes wrong.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::view::FailureView;

/// So many are kept of each group.
const FAILURES: usize = 100;

/// The last failures, the newest last. A failure is rare beside records, and was logged before: the lock is
/// nothing beside that.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<VecDeque<FailureView>>);

impl Failures {
    pub(super) fn add(&self, failure: FailureView) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == FAILURES {
            kept.pop_front();
        }
        kept.push_back(failure);
    }

    pub(super) fn kept(&self) -> Vec<FailureView> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
