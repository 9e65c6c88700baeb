//! What a record is given beside its event, by the builders of sends and by a handler that returns an event.

use std::any::type_name;
use std::borrow::Cow;
use std::fmt;

use crate::codec::{EncodeError, Encoder, ID_HEADER, Shape, replace_id};
use crate::error::{Error, Result, SendError, SendErrorKind};
use crate::event::{Event, EventKey, TopicEvent};
use crate::transport::Outgoing;

/// What all builders may say of the record.
macro_rules! parts {
    () => {
        /// The record's key; `None` means no key, even if the event has one.
        pub fn key(mut self, key: impl EventKey) -> Self {
            self.parts.key(&key);
            self
        }

        /// Adds a header after those that are already there.
        pub fn header(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
            self.parts.header(name.into(), value.as_ref());
            self
        }

        /// The partition, instead of the one that belongs to the key.
        pub fn partition(mut self, partition: i32) -> Self {
            self.parts.partition(partition);
            self
        }

        /// The record's own timestamp, in milliseconds since 1970; a value below 1 is an error of the send.
        /// Without it, the record has the time of the send; a topic with
        /// `message.timestamp.type=LogAppendTime` has the broker's time for all records.
        pub fn timestamp(mut self, milliseconds: i64) -> Self {
            self.parts.timestamp(milliseconds);
            self
        }
    };
}
pub(crate) use parts;

/// An event that a handler returns, with another topic, key, partition or id than its own, or with further
/// headers. It may be returned wherever an event may be: alone, in an `Option`, `Vec`, array, tuple or
/// `Result`. `Publish<E>` holds one type of event; `Publish` alone holds any type, so that a `Vec<Publish>`
/// may hold several types.
///
/// ```
/// use narad::Publish;
/// use narad::prelude::*;
///
/// #[derive(Event)]
/// #[event(topic = "payments", key = order)]
/// struct Paid { order: String }
///
/// #[derive(Event)]
/// struct Note { text: String }
///
/// #[kafka_handler(topic = "payments", group = "shipping")]
/// async fn ship(paid: Paid, ctx: Context) -> Vec<Publish> {
///     let trace = ctx.header("trace").unwrap_or_default();
///     vec![
///         Publish::to("notes", Note { text: paid.order.clone() }).key(&paid.order).header("trace", trace),
///         Publish::of(paid).partition(0),
///     ]
/// }
/// ```
#[must_use = "nothing is published where the handler does not return it"]
pub struct Publish<E = AnyEvent> {
    topic: Option<String>,
    held: E,
    parts: Parts,
}

impl<P> Publish<P> {
    /// An event for its own topic.
    pub fn of<E: TopicEvent>(event: E) -> Self
    where
        P: Holds<E>,
    {
        Self { topic: None, held: P::hold(event), parts: Parts::default() }
    }

    /// An event for this topic, whether or not it has a topic of its own. The start neither creates nor
    /// checks this topic.
    pub fn to<E: Event>(topic: impl Into<String>, event: E) -> Self
    where
        P: Holds<E>,
    {
        Self { topic: Some(topic.into()), held: P::hold(event), parts: Parts::default() }
    }

    parts!();

    /// The event's id, instead of the one that is derived from the handled record (see
    /// [`kafka_handler`](macro@crate::kafka_handler)).
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.parts.id(id.into());
        self
    }

    pub(crate) fn topic(&self) -> Option<&str> {
        self.topic.as_deref()
    }

    pub(crate) fn held(&self) -> &P {
        &self.held
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }
}

impl<P> fmt::Debug for Publish<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publish").field("event", &type_name::<P>()).finish_non_exhaustive()
    }
}

/// An event of any type, in a [`Publish`] without a type.
pub struct AnyEvent(Box<dyn HeldEvent + Send>);

impl fmt::Debug for AnyEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyEvent")
    }
}

/// What a [`Publish`] holds.
#[doc(hidden)]
pub trait HeldEvent {
    /// The topic of its own, with placeholders as they are written.
    fn own_topic(&self) -> Option<&'static str>;

    fn event_key(&self) -> Option<Cow<'_, [u8]>>;

    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError>;

    /// Its shape, where that is known before there is one.
    fn declared() -> Option<&'static Shape>
    where
        Self: Sized;
}

impl<E: Event> HeldEvent for E {
    fn own_topic(&self) -> Option<&'static str> {
        E::SHAPE.topic
    }

    fn event_key(&self) -> Option<Cow<'_, [u8]>> {
        Event::event_key(self)
    }

    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        self.encode(encoder, &E::SHAPE, self.event_type())
    }

    fn declared() -> Option<&'static Shape> {
        Some(&E::SHAPE)
    }
}

impl HeldEvent for AnyEvent {
    fn own_topic(&self) -> Option<&'static str> {
        self.0.own_topic()
    }

    fn event_key(&self) -> Option<Cow<'_, [u8]>> {
        self.0.event_key()
    }

    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        self.0.write(encoder)
    }

    fn declared() -> Option<&'static Shape> {
        None
    }
}

/// What can hold an event of this type: the event itself, and [`AnyEvent`].
#[doc(hidden)]
pub trait Holds<E>: HeldEvent {
    fn hold(event: E) -> Self;
}

impl<E: Event> Holds<E> for E {
    fn hold(event: E) -> Self {
        event
    }
}

impl<E: Event + Send + 'static> Holds<E> for AnyEvent {
    fn hold(event: E) -> Self {
        Self(Box::new(event))
    }
}

/// What was encoded, as a record of a topic.
pub(crate) fn record_of(topic: &str, key: Option<Cow<'_, [u8]>>, encoder: &mut Encoder<'_>) -> Outgoing {
    Outgoing {
        topic: topic.to_owned(),
        key: key.map(Cow::into_owned),
        payload: Some(encoder.take_payload()),
        headers: encoder
            .headers
            .drain(..)
            .map(|(name, value)| (name.into_owned().into_bytes(), Some(value)))
            .collect(),
        ..Outgoing::default()
    }
}

/// What differs from what an event or a value would be sent with.
#[derive(Clone, Default)]
pub(crate) struct Parts {
    /// `Some(None)` is no key, whatever the event's own is.
    key: Option<Option<Vec<u8>>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    partition: Option<i32>,
    timestamp: Option<i64>,
    id: Option<String>,
}

/// Without what is in it.
impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("partition", &self.partition).finish_non_exhaustive()
    }
}

impl Parts {
    pub(crate) fn key(&mut self, key: &impl EventKey) {
        self.key = Some(key.to_key().map(|key| key.into_owned()));
    }

    pub(crate) fn header(&mut self, name: String, value: &[u8]) {
        self.headers.push((name.into_bytes(), Some(value.to_vec())));
    }

    pub(crate) fn partition(&mut self, partition: i32) {
        self.partition = Some(partition);
    }

    pub(crate) fn timestamp(&mut self, milliseconds: i64) {
        self.timestamp = Some(milliseconds);
    }

    pub(crate) fn id(&mut self, id: String) {
        self.id = Some(id);
    }

    pub(crate) fn has_id(&self) -> bool {
        self.id.is_some()
    }

    /// Puts them into a record; `place` is where that has its id.
    ///
    /// # Errors
    /// A timestamp that no record can have.
    pub(crate) fn put_into(self, outgoing: &mut Outgoing, place: IdPlace) -> Result<()> {
        if let Some(timestamp) = self.timestamp.filter(|timestamp| *timestamp < 1) {
            let text = format!(
                "topic {}: timestamp {timestamp}: a record's timestamp is in milliseconds since 1970, from 1 on",
                outgoing.topic
            );
            return Err(Error::Send(
                SendError::new(SendErrorKind::Other, text).of(&outgoing.topic.as_str().into()),
            ));
        }
        if let Some(key) = self.key {
            outgoing.key = key;
        }
        outgoing.headers.extend(self.headers);
        if let Some(id) = &self.id {
            place.write(id, outgoing);
        }
        outgoing.partition = self.partition.or(outgoing.partition);
        outgoing.timestamp = self.timestamp;
        Ok(())
    }
}

/// Where a record has its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdPlace {
    /// First in the body: an envelope.
    Body,
    /// In `narad-id`: a flat event, a value as it is, bytes.
    Header,
}

impl IdPlace {
    /// Of an event that was encoded, and not changed since.
    pub(crate) fn of_event(outgoing: &Outgoing) -> Self {
        match outgoing.headers.first() {
            Some((name, _)) if name == ID_HEADER.as_bytes() => Self::Header,
            _ => Self::Body,
        }
    }

    /// Writes another id over the one that is there.
    pub(crate) fn write(self, id: &str, outgoing: &mut Outgoing) {
        match (self, &mut outgoing.payload) {
            (Self::Body, Some(payload)) => replace_id(payload, id),
            (Self::Body, None) => {}
            (Self::Header, _) => {
                outgoing.headers.retain(|(name, _)| name != ID_HEADER.as_bytes());
                let header = (ID_HEADER.as_bytes().to_vec(), Some(id.as_bytes().to_vec()));
                // Where an event's own headers have it.
                outgoing.headers.insert(0, header);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Outgoing {
        let payload = br#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","type":"A","data":{}}"#;
        Outgoing { payload: Some(payload.to_vec()), ..Outgoing::default() }
    }

    #[test]
    fn an_id_in_an_envelope_is_escaped() {
        for id in ["order-1", "", "with \"quotes\" \\ and\nlines", "ключ"] {
            let mut outgoing = envelope();
            IdPlace::of_event(&outgoing).write(id, &mut outgoing);
            let body: serde_json::Value = serde_json::from_slice(&outgoing.payload.unwrap()).unwrap();
            assert_eq!(body, serde_json::json!({"id": id, "type": "A", "data": {}}));
        }
    }

    #[test]
    fn an_id_in_a_header_is_there_once() {
        let mut outgoing = Outgoing::default();
        IdPlace::Header.write("1", &mut outgoing);
        assert_eq!(IdPlace::of_event(&outgoing), IdPlace::Header);
        IdPlace::Header.write("2", &mut outgoing);
        assert_eq!(outgoing.headers, [(b"narad-id".to_vec(), Some(b"2".to_vec()))]);
    }
}
