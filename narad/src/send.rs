//! Sending, as the application sees it.

use std::borrow::Cow;

use serde::Serialize;

use crate::application::Narad;
use crate::codec::{EncodeError, Encoder};
use crate::error::{Error, Result};
use crate::event::{Event, EventKey, TopicEvent};
use crate::health::Health;
use crate::producer::{Producer, Sending, SendingAll, encoded, unwritable};
use crate::publish::{IdPlace, Parts, parts};
use crate::transport::Outgoing;

/// All sends encode at once and give back a future that is `Send + 'static`. Dropping it does not take the
/// record back, unless there was no room for it: up to 32 MiB wait inside of the producer; above that a send
/// enters when its future is polled, and the next ones to its topic after it: await it, spawn it, or drop it
/// (see [`Sending`]).
impl Narad {
    /// Publishes an event to its topic, and resolves when all in-sync replicas have it.
    ///
    /// # Errors
    /// [`Error::NotConnected`] if no broker answers and nothing was enqueued; [`Error::DeliveryUnknown`] if
    /// no acknowledgement came in time; [`Error::Send`] if the broker refused it, it cannot be written, or
    /// there was no room in time: its [`kind()`](crate::SendError::kind) says which; [`Error::Start`] if the
    /// event's topic has a `${VAR}` that is not set.
    ///
    /// ```no_run
    /// # use narad::prelude::*;
    /// # #[derive(Event)]
    /// # #[event(topic = "user.events.login", key = user_id)]
    /// # struct UserLogin { user_id: String }
    /// # async fn example(narad: narad::Narad) -> narad::Result<()> {
    /// let sent = narad.publish(&UserLogin { user_id: "123".into() }).await?;
    /// println!("{} {:?}", sent.topic(), sent.offset());
    /// # Ok(()) }
    /// ```
    pub fn publish<E: TopicEvent>(&self, event: &E) -> Sending {
        self.producer().publish(event)
    }

    /// Publishes an event to a topic of the caller's choice.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn publish_to<E: Event>(&self, topic: &str, event: &E) -> Sending {
        self.producer().publish_to(topic, event)
    }

    /// Publishes several events to their topic; events with the same key keep their order.
    ///
    /// # Errors
    /// [`Error::SendAll`] with each one's outcome where one was not acknowledged; [`Error::Send`] of the kind
    /// [`Encode`](crate::SendErrorKind::Encode) where a value cannot be written: its
    /// [`index()`](crate::SendError::index) says which, and nothing of the call was sent.
    pub fn publish_all<'e, E: TopicEvent + 'e>(&self, events: impl IntoIterator<Item = &'e E>) -> SendingAll {
        self.producer().publish_all(events)
    }

    /// Publishes an event, and sets its id, key, headers, partition, timestamp or topic at the call. End with
    /// [`send`](EventBuilder::send).
    pub fn event<E: Event>(&self, event: &E) -> EventBuilder {
        let encoded = encoded("", event, &mut Encoder::new(self.producer().client_id()));
        let topic = E::SHAPE
            .topic
            .map(|topic| self.producer().settings().attribute_topic(topic).map(Cow::into_owned));
        EventBuilder { producer: self.producer().clone(), outgoing: encoded, topic, parts: Parts::default() }
    }

    /// Sends any serde value as it is, without an envelope.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn send(&self, topic: &str, value: impl Serialize) -> Sending {
        self.message(topic, value).send()
    }

    /// Sends several serde values as they are, in their order.
    ///
    /// # Errors
    /// [`Error::SendAll`] with each one's outcome where one was not acknowledged; [`Error::Send`] of the kind
    /// [`Encode`](crate::SendErrorKind::Encode) where a value cannot be written: its
    /// [`index()`](crate::SendError::index) says which, and nothing of the call was sent.
    pub fn send_all<V: Serialize>(&self, topic: &str, values: impl IntoIterator<Item = V>) -> SendingAll {
        let plain = |(index, value)| plain(topic, &value).map_err(|error| error.at(index));
        let records = values.into_iter().enumerate().map(plain).collect::<Result<Vec<_>>>();
        match records {
            Ok(records) => self.producer().send_all(topic, records),
            Err(error) => SendingAll::refused(error),
        }
    }

    /// Sends any serde value, and sets its key, headers, partition, timestamp or id. End with
    /// [`send`](MessageBuilder::send).
    pub fn message(&self, topic: &str, value: impl Serialize) -> MessageBuilder {
        MessageBuilder {
            producer: self.producer().clone(),
            outgoing: plain(topic, &value),
            parts: Parts::default(),
        }
    }

    /// Sends bytes as they are, with the same settings as [`message`](Self::message). End with
    /// [`send`](MessageBuilder::send). Narad adds nothing to them, and no header says what they are: a
    /// handler reads them with [`Record`](crate::Record).
    ///
    /// ```no_run
    /// # async fn example(narad: narad::Narad, image: Vec<u8>) -> narad::Result<()> {
    /// narad.raw("images", image).key("cat").header("content-type", "image/png").send().await?;
    /// # Ok(()) }
    /// ```
    pub fn raw(&self, topic: &str, bytes: impl Into<Vec<u8>>) -> MessageBuilder {
        let outgoing =
            Outgoing { topic: topic.to_owned(), payload: Some(bytes.into()), ..Outgoing::default() };
        MessageBuilder { producer: self.producer().clone(), outgoing: Ok(outgoing), parts: Parts::default() }
    }

    /// Sends a null value for a key (a tombstone): on a compacted topic the key is deleted.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn tombstone(&self, topic: &str, key: impl EventKey) -> Sending {
        let key = key.to_key().map(|key| key.into_owned());
        self.producer().send(Outgoing { topic: topic.to_owned(), key, ..Outgoing::default() })
    }

    /// Waits until a broker answers. In development mode it is also `Ok` if none answers.
    ///
    /// # Errors
    /// After `KAFKA_CONNECTION_TIMEOUT`: names the brokers and the cause.
    pub fn connect(&self) -> impl Future<Output = Result<()>> + Send + 'static + use<> {
        self.producer().connect()
    }

    /// Whether a broker answered within the last 5 s.
    pub fn is_connected(&self) -> bool {
        self.producer().is_connected()
    }

    /// The state of the application; no I/O.
    pub fn health(&self) -> Health {
        self.shared().health()
    }

    /// Ends the application: a run finishes the records in flight, commits and returns, within its
    /// `NARAD_SHUTDOWN_TIMEOUT`. Then the sends on their way are finished, and the producer ends. Later sends
    /// fail with [`Error::NotConnected`], and a later run is an error. A handler must not wait for this,
    /// because the drain waits for the handler: on the application of a [context](crate::Context::narad) it
    /// starts the end and resolves at once.
    ///
    /// # Errors
    /// None today; the `Result` is there for errors of later versions.
    ///
    /// # Cancel safety
    /// The call itself starts the end. If the future is dropped during a run, the producer ends with the run.
    pub fn disconnect(&self) -> impl Future<Output = Result<()>> + Send + 'static + use<> {
        let (shared, producer) = (self.shared().clone(), self.producer().clone());
        // Handlers that are being drained publish yet.
        let idle = shared.stop().then(|| producer.disconnect());
        let inside = self.is_of_a_context();
        async move {
            if inside {
                return Ok(());
            }
            shared.stopped().await;
            match idle {
                Some(ended) => ended.await,
                None => producer.disconnect().await,
            }
        }
    }
}

fn plain(topic: &str, value: &impl Serialize) -> Result<Outgoing> {
    let payload = Encoder::plain(value).map_err(|error| unwritable(Some(topic), error))?;
    Ok(Outgoing { topic: topic.to_owned(), payload: Some(payload), ..Outgoing::default() })
}

/// An event to publish, with settings that replace the event's own.
#[must_use = "nothing is sent before `send`"]
#[derive(Debug)]
pub struct EventBuilder {
    producer: Producer,
    outgoing: Result<Outgoing, EncodeError>,
    topic: Option<Result<String>>,
    parts: Parts,
}

impl EventBuilder {
    parts!();

    /// The event's id, instead of a fresh UUIDv7. If you send an event again with the same id, readers can
    /// recognise the copy.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.parts.id(id.into());
        self
    }

    /// The topic, instead of the event's.
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(Ok(topic.into()));
        self
    }

    /// Sends the event.
    ///
    /// # Errors
    /// As [`Narad::publish`]; [`Error::Send`] if neither the event nor the call names a topic, or the
    /// timestamp is below 1.
    pub fn send(self) -> Sending {
        let no_topic = || Error::send("the event has no topic: name one with .topic(…)".to_owned());
        match (self.outgoing, self.topic.ok_or_else(no_topic).flatten()) {
            (Ok(outgoing), Ok(topic)) => {
                let place = IdPlace::of_event(&outgoing);
                send(&self.producer, Outgoing { topic, ..outgoing }, place, self.parts)
            }
            (Ok(_), Err(error)) => Sending::refused(error),
            (Err(error), topic) => Sending::refused(unwritable(topic.ok().as_deref(), error)),
        }
    }
}

fn send(producer: &Producer, mut outgoing: Outgoing, place: IdPlace, parts: Parts) -> Sending {
    match parts.put_into(&mut outgoing, place) {
        Ok(()) => producer.send(outgoing),
        Err(error) => Sending::refused(error),
    }
}

/// A value, or bytes, to send as it is.
#[must_use = "nothing is sent before `send`"]
#[derive(Debug)]
pub struct MessageBuilder {
    producer: Producer,
    outgoing: Result<Outgoing>,
    parts: Parts,
}

impl MessageBuilder {
    parts!();

    /// The record's id, in the header `narad-id`; without this call the record has no id.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.parts.id(id.into());
        self
    }

    /// Sends the value.
    ///
    /// # Errors
    /// As [`Narad::publish`]; [`Error::Send`] if the timestamp is below 1.
    pub fn send(self) -> Sending {
        match self.outgoing {
            Ok(outgoing) => send(&self.producer, outgoing, IdPlace::Header, self.parts),
            Err(error) => Sending::refused(error),
        }
    }
}
