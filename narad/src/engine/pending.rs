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
    /// It goes to the batch handler alone, after so many attempts together with others.
    Alone(u32),
}

impl Pending {
    pub(crate) fn offset(&self) -> i64 {
        self.record.offset()
    }

    /// Whether it has waited, behind its key or for its turn: it is delivered already.
    pub(crate) fn has_waited(&self) -> bool {
        matches!(self.stage, Stage::WaitingForKey | Stage::Isolated)
    }

    /// Whether it is to be handed over alone.
    pub(super) fn is_isolated(&self) -> bool {
        self.stage == Stage::Isolated
    }

    pub(super) fn moves(mut self, event: Event) -> Self {
        self.stage.moves(event);
        self
    }
}
