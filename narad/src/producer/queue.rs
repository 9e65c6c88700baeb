//! What cannot go out at once waits here, first in, first out: for a broker, for its topic, for room in librdkafka's queue.

use std::collections::VecDeque;
use std::sync::Arc;

use tracing::subscriber::NoSubscriber;

use super::ack::Call;
use super::failure::Failure;
use super::{Outgoing, Sent};

/// Whose record it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// The application's: development mode and `NotConnected` apply.
    Application,
    /// Narad's (dead letters, returned events): waits for a real acknowledgement.
    Narad,
}

/// The records of one call.
pub(super) enum Records {
    One(Outgoing),
    Many(Vec<Outgoing>),
}

impl Records {
    pub(super) fn as_slice(&self) -> &[Outgoing] {
        match self {
            Self::One(record) => std::slice::from_ref(record),
            Self::Many(records) => records,
        }
    }
}

/// A call that waits, from its record `next` on.
pub(super) struct Waiting {
    pub(super) call: Arc<Call>,
    pub(super) records: Records,
    pub(super) next: usize,
    pub(super) sender: Sender,
}

impl Waiting {
    /// The records that wait are not sent.
    pub(super) fn fail(&self, failure: impl Fn() -> Failure) {
        for index in self.next..self.records.as_slice().len() {
            self.call.resolve(index, Err(failure()));
        }
    }

    /// Development mode without a broker: says what would be sent.
    pub(super) fn pretend(&self) {
        let unheard = tracing::dispatcher::get_default(|subscriber| subscriber.is::<NoSubscriber>());
        for (index, record) in self.records.as_slice().iter().enumerate().skip(self.next) {
            let topic = self.call.topic();
            let value = record.payload.as_deref().map_or("null".into(), String::from_utf8_lossy);
            if unheard {
                crate::logging::say(format_args!("[DEV] Would send to {topic}: {value}"));
            } else {
                tracing::info!(target: "narad", "[DEV] Would send to {topic}: {value}");
            }
            self.call.resolve(index, Ok(Sent { topic: Arc::clone(topic), partition: None, offset: None }));
        }
    }
}

/// The calls that wait, in their order.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) calls: VecDeque<Waiting>,
    /// The client ended: nothing would ever be taken out.
    pub(super) ended: bool,
    /// Why brokers let no producer begin, until the next client is made.
    pub(super) refused: Option<&'static str>,
}

impl Queue {
    /// Takes out the calls of these senders, in their order.
    pub(super) fn take(&mut self, of: impl Fn(Sender) -> bool) -> Vec<Waiting> {
        let calls = std::mem::take(&mut self.calls);
        let (taken, left) = calls.into_iter().partition::<Vec<_>, _>(|waiting| of(waiting.sender));
        self.calls = left.into();
        taken
    }
}
