//! A record whose turn has not come.

use super::dispatch::Targets;
use super::settled::Unhandled;
use super::stage::{Event, Stage};
use crate::codec::Outline;
use crate::outcome::Cause;
use crate::record::Record;

/// A record that was looked at, and that nobody has begun with.
pub(crate) struct Pending {
    pub(crate) record: Record,
    pub(crate) outline: Outline,
    /// What decides which records it waits for.
    pub(crate) key: u64,
    pub(crate) way: Way,
    pub(super) stage: Stage,
}

/// What is to become of it.
pub(crate) enum Way {
    Handlers(Targets),
    /// It goes to the group's dead letter.
    GroupDeadLetter(Unhandled, Cause),
}

impl Pending {
    pub(crate) fn offset(&self) -> i64 {
        self.record.offset()
    }

    /// Whether it has waited behind its key: it is delivered already.
    pub(crate) fn has_waited(&self) -> bool {
        self.stage == Stage::WaitingForKey
    }

    pub(super) fn moves(mut self, event: Event) -> Self {
        self.stage.moves(event);
        self
    }
}
