//! What the outbox is told, and what it asks for.

use std::sync::Arc;
use std::time::Instant;

use super::gate::Gate;
use super::queue::Entry;

/// What a broker says of a topic.
#[derive(Debug)]
pub(super) enum Checked {
    /// It is there.
    Known,
    /// Nobody could say, for this reason.
    Unanswered(String),
    /// Nothing can be sent to it.
    Refused,
}

/// What is so at the time of a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) at: Instant,
    pub(super) brokers: Brokers,
    /// There is a client that takes records.
    pub(super) client: bool,
    /// The producer ends: it takes nothing more.
    pub(super) closing: bool,
}

/// Whether a broker answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brokers {
    Answer,
    /// None answers, and calls wait for one.
    Awaited,
    /// The application's calls have waited long enough.
    GivenUp,
    /// Development: the application's calls succeed without one.
    Pretended,
}

/// Why a call ends without having been sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    NotConnected,
    Pretended,
    /// It found no room in its time.
    QueueFull,
    /// It has entered, and its topic took nothing in its time.
    NotSent(String),
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Action<C> {
    /// A broker has to be asked about the topic; `again`: not for the first time.
    Check {
        gate: Arc<Gate>,
        again: bool,
    },
    /// In this order; then [`Outbox::moved`](super::outbox::Outbox::moved).
    HandOver {
        gate: Arc<Gate>,
        entries: Vec<Entry<C>>,
    },
    End {
        gate: Arc<Gate>,
        call: C,
        why: Why,
    },
}
