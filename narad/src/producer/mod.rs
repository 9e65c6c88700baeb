//! Sending: encode at once, enqueue, and a future for the acknowledgement.
//!
//! ```text
//! publish ─► encode ─► a broker answers, the topic is known, there is room, nothing waits ─► librdkafka ─► delivery report ─► Call ─► future
//!                  └─► the topic's line: waits for a broker, for the topic, for room ─► mover ──┘
//! ```
//! What waits, and what is to be done with it, is pure ([`outbox`], with a [`line`] for each topic; [`gate`]
//! and [`room`] are what a send looks at that does not wait). Threads of its own: one creates the client,
//! serves its delivery reports and drops it ([`serve`]); the mover does what the outbox asks, and waits for
//! nobody ([`mover`]); the courier asks for signs of life ([`courier`]); and some, while there are questions,
//! ask about topics ([`checks`]). None of this blocks an async thread.

pub(crate) mod ack;
mod advertised;
mod calls;
mod certificate_files;
mod certificates;
mod checks;
mod core;
mod courier;
mod events;
mod failure;
mod gate;
mod life;
mod line;
mod lines;
mod load;
mod mover;
mod outbox;
mod questions;
mod queue;
mod restarts;
mod room;
mod second;
mod sending;
mod serve;
mod settings;
mod step;
mod topics;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::codec::{EncodeError, Encoder, LatePayload};
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::event::{Event, TopicEvent};
use crate::publish::record_of;
use crate::transport::Outgoing;

pub(crate) use failure::{Failure, FailureClass, unwritable};
pub(crate) use sending::Delivery;
use sending::Outside;
pub use sending::{Sending, SendingAll};
pub(crate) use settings::{Settings, once};

use ack::Call;
use core::Core;
use gate::Gate;
use queue::Sender;
use waiting::Records;

/// An event as a record of a topic. One whose payload comes later is refused: an application's own send is on
/// its way since the call, or not at all.
pub(crate) fn encoded<E: Event>(
    topic: &str,
    event: &E,
    encoder: &mut Encoder<'_>,
) -> Result<Outgoing, EncodeError> {
    match encoded_or_late(topic, event, encoder)? {
        (outgoing, None) => Ok(outgoing),
        (_, Some(late)) => Err(EncodeError::new(format!("it waits for {}", late.what()))),
    }
}

/// The same, and the payload where that comes later.
pub(crate) fn encoded_or_late<E: Event>(
    topic: &str,
    event: &E,
    encoder: &mut Encoder<'_>,
) -> Result<(Outgoing, Option<LatePayload>), EncodeError> {
    event.encode(encoder, &E::SHAPE, event.event_type())?;
    Ok((record_of(topic, event.event_key(), encoder), encoder.take_late_payload()))
}

/// The one producer of an application. Cheap to clone; the client behind it begins with its first use.
///
/// When the last clone is dropped, what is on its way still goes out, in the background and as long as the
/// process lives.
#[derive(Clone, Debug)]
pub(crate) struct Producer(Arc<Handle>);

#[derive(Debug)]
struct Handle(Arc<Core>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Producer {
    pub(crate) fn new(settings: Settings) -> Self {
        Self(Arc::new(Handle(Core::new(settings))))
    }

    fn core(&self) -> &Arc<Core> {
        &self.0.0
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.core().settings
    }

    pub(crate) fn client_id(&self) -> &str {
        &self.settings().client_id
    }

    /// The cluster's id: the same from when brokers first told it. `None` before, and where they tell none.
    pub(crate) fn cluster_id(&self) -> Option<&str> {
        self.core().cluster_id()
    }

    /// Whether a broker answers, shared with the consumers: what they read are answers too.
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.core().connection
    }

    /// The application's own send of an event: development mode and `NotConnected` apply.
    pub(crate) fn publish<E: TopicEvent>(&self, event: &E) -> Sending {
        match self.settings().attribute_topic(E::TOPIC) {
            Ok(topic) => self.publish_to(&topic, event),
            Err(error) => Sending::refused(error),
        }
    }

    /// As [`publish`](Self::publish), to a topic of the caller's.
    pub(crate) fn publish_to<E: Event>(&self, topic: &str, event: &E) -> Sending {
        match encoded(topic, event, &mut Encoder::new(self.client_id())) {
            Ok(outgoing) => self.send(outgoing),
            Err(error) => Sending::refused(unwritable(Some(topic), error)),
        }
    }

    /// The application's own send of several events, in their order.
    pub(crate) fn publish_all<'e, E: TopicEvent + 'e>(
        &self,
        events: impl IntoIterator<Item = &'e E>,
    ) -> SendingAll {
        let topic = match self.settings().attribute_topic(E::TOPIC) {
            Ok(topic) => topic,
            Err(error) => return SendingAll::refused(error),
        };
        let mut encoder = Encoder::new(self.client_id());
        let encoded = events
            .into_iter()
            .enumerate()
            .map(|(index, event)| {
                encoded(&topic, event, &mut encoder)
                    .map_err(|error| unwritable(Some(&topic), error).at(index))
            })
            .collect::<Result<Vec<_>>>();
        match encoded {
            Ok(records) => self.send_all(&topic, records),
            Err(error) => SendingAll::refused(error),
        }
    }

    /// The application's own send: development mode and `NotConnected` apply.
    pub(crate) fn send(&self, outgoing: Outgoing) -> Sending {
        let gate = self.gate(&outgoing.topic);
        let (call, outside) = self.submit(gate, Records::One(outgoing), Sender::Application);
        Sending::of(call, outside)
    }

    /// As [`send`](Self::send), for several records of one topic, in their order.
    pub(crate) fn send_all(&self, topic: &str, records: Vec<Outgoing>) -> SendingAll {
        let (call, outside) = self.submit(self.gate(topic), Records::Many(records), Sender::Application);
        SendingAll::of(call, outside)
    }

    /// Narad's own send (dead letters, returned events): resolves with a real acknowledgement or why there is
    /// none; waits for a broker however long instead of failing with `NotConnected`, which here only says
    /// that the producer was closed.
    pub(crate) fn deliver(&self, outgoing: Outgoing) -> Delivery {
        let gate = self.gate(&outgoing.topic);
        let (call, outside) = self.submit(gate, Records::One(outgoing), Sender::Narad);
        Delivery::of(call, outside)
    }

    /// What all senders to a topic share.
    fn gate(&self, topic: &str) -> Arc<Gate> {
        self.core().lines.gates.of(topic)
    }

    fn submit(
        &self,
        mut gate: Arc<Gate>,
        mut records: Records,
        sender: Sender,
    ) -> (Arc<Call>, Option<Outside>) {
        loop {
            let call = records.call(gate);
            match self.core().submit(Arc::clone(&call), records, sender) {
                Ok(outside) => {
                    let outside = outside.map(|id| {
                        let (lines, call) = (Arc::clone(&self.core().lines), Arc::clone(&call));
                        Outside { lines, call, id, polled: false }
                    });
                    return (call, outside);
                }
                // The topic was forgotten in between, and has another gate now.
                Err(back) => (gate, records) = (self.gate(call.topic()), back),
            }
        }
    }

    /// Waits until a broker answers or `KAFKA_CONNECTION_TIMEOUT` is over; in development, until it is known
    /// whether one does.
    pub(crate) fn connect(&self) -> impl Future<Output = Result<()>> + Send + 'static + use<> {
        let core = Arc::clone(self.core());
        let waiting = core.connect();
        async move {
            match waiting.await {
                Ok(outcome) => outcome,
                // The client ended, or it could not be made.
                Err(_) => Err(core.broken().unwrap_or(Error::NotConnected)),
            }
        }
    }

    /// The application's clock.
    pub(crate) fn clock(&self) -> &Clock {
        self.core().clock()
    }

    /// How many records were sent and have no outcome yet, and their bytes.
    #[cfg(feature = "http")]
    pub(crate) fn waiting(&self) -> (u64, u64) {
        let held = self.core().lines.room.held();
        (held.records(), held.bytes())
    }

    /// True only while a broker answered within 5 s.
    pub(crate) fn is_connected(&self) -> bool {
        self.connection().is_connected()
    }

    /// As [`disconnect`](Self::disconnect), but what has no acknowledgement within this time is given up:
    /// those sends are `DeliveryUnknown`.
    pub(crate) fn disconnect_within(
        &self,
        patience: Duration,
    ) -> impl Future<Output = Result<()>> + Send + 'static + use<> {
        self.core().life.give_up_at(self.core().clock().now() + patience);
        self.disconnect()
    }

    /// Takes nothing more, waits until all that was taken has its outcome, and ends the client. Where no
    /// broker answers that may take until `delivery.timeout.ms`.
    pub(crate) fn disconnect(&self) -> impl Future<Output = Result<()>> + Send + 'static + use<> {
        let core = Arc::clone(self.core());
        core.close();
        async move {
            core.life.over().await;
            Ok(())
        }
    }
}

#[cfg(test)]
mod memory_tests;
#[cfg(test)]
mod step_tests;
#[cfg(test)]
mod tests;
