//! The records of one call that is not with librdkafka yet.

use std::sync::Arc;

use tracing::subscriber::NoSubscriber;

use super::ack::Call;
use super::failure::Failure;
use super::gate::Gate;
use super::load::Load;
use crate::sent::Sent;
use crate::transport::Outgoing;

/// The records of one call.
#[derive(Debug)]
pub(super) enum Records {
    One(Outgoing),
    Many(Vec<Outgoing>),
}

impl Records {
    /// The call for them.
    pub(super) fn call(&self, gate: Arc<Gate>) -> Arc<Call> {
        match self {
            Self::One(record) => Call::one(gate, record.bytes()),
            Self::Many(records) => Call::many(gate, records.len()),
        }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [Outgoing] {
        match self {
            Self::One(record) => std::slice::from_mut(record),
            Self::Many(records) => records,
        }
    }

    pub(super) fn as_slice(&self) -> &[Outgoing] {
        match self {
            Self::One(record) => std::slice::from_ref(record),
            Self::Many(records) => records,
        }
    }
}

/// A call that waits, from its record `next` on. Dropped, as where a thread breaks that has it in its hand,
/// what was not sent has an outcome all the same: its sender waits for one.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) call: Arc<Call>,
    pub(super) records: Records,
    pub(super) next: usize,
}

impl Waiting {
    /// How many records wait.
    pub(super) fn left(&self) -> usize {
        self.records.as_slice().len() - self.next
    }

    /// What those that wait take of the room.
    pub(super) fn load(&self) -> Load {
        let left = &self.records.as_slice()[self.next..];
        Load::new(left.len(), left.iter().map(Outgoing::bytes).sum())
    }

    /// Takes the records out: they have no outcome by this call.
    pub(super) fn take(&mut self) -> Records {
        self.next = 0;
        std::mem::replace(&mut self.records, Records::Many(Vec::new()))
    }

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
            let value = record.payload.as_deref().map_or_else(|| "null".to_owned(), shown);
            if unheard {
                crate::stderr::say(format_args!("[DEV] Would send to {topic}: {value}"));
            } else {
                tracing::info!(target: "narad", "[DEV] Would send to {topic}: {value}");
            }
            self.call.resolve(index, Ok(Sent { topic: Arc::clone(topic), partition: None, offset: None }));
        }
    }
}

/// A value for a line of the log: what would break the line or the terminal is escaped.
fn shown(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    text.chars().fold(String::with_capacity(text.len()), |mut shown, character| {
        if character.is_control() {
            shown.extend(character.escape_default())
        } else {
            shown.push(character)
        }
        shown
    })
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // The first outcome counts: what has one keeps it.
        self.fail(Failure::not_connected);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sending;
    use super::*;
    use crate::error::Error;

    #[tokio::test]
    async fn a_call_that_is_dropped_before_it_is_sent_has_an_outcome() {
        let call = Call::one(Arc::new(Gate::new("orders")), 0);
        let sending = Sending::of(Arc::clone(&call), None);
        drop(Waiting { call, records: Records::One(Outgoing::default()), next: 0 });
        assert!(matches!(sending.await, Err(Error::NotConnected)));
    }
}
