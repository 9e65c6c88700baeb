//! What a parameter takes.

use crate::codec::Shape;
use crate::state::Wanted;

/// What a parameter takes, for dispatch and for the checks at start.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Takes {
    /// The event, of this shape.
    Event(EventKind, &'static Shape),
    /// Of several records what this is of one.
    Batch(fn() -> Takes),
    /// The record as it is: also one that has nothing to dispatch on.
    Record,
    /// The value as JSON.
    Json,
    /// A state that the application has to give.
    State(Wanted),
    /// A type of the application's own, which sees the record as it is.
    Own,
    /// What stands beside the value.
    Other,
}

impl Takes {
    /// Nothing of the value: a parameter that is made of headers.
    pub fn beside() -> Self {
        Self::Other
    }
}

/// In which form a handler takes its event.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    Plain,
    Optional,
    Envelope,
}
