//! Events in frames, by hand as the derive would have it.

use std::borrow::Cow;

use super::{Framed, Frames};
use crate::codec::{Body, DecodeError, EncodeError, Encoder, Encoding, Fields, Format, Shape};
use crate::event::{DecodeEvent, Event, TopicEvent};

/// Its schema is numbered by who uses it, so that tests that wait for one are apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parcel<const SCHEMA: u8> {
    pub(crate) to: String,
    pub(crate) weight: String,
}

impl<const SCHEMA: u8> Parcel<SCHEMA> {
    pub(crate) fn new(to: &str, weight: &str) -> Self {
        Self { to: to.to_owned(), weight: weight.to_owned() }
    }

    /// What stands on the wire.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let length = |text: &str| vec![text.len() as u8];
        let texts = [&length(&self.to), self.to.as_bytes(), &length(&self.weight), self.weight.as_bytes()];
        [b"F".as_slice(), &[SCHEMA]].into_iter().chain(texts).collect::<Vec<_>>().concat()
    }
}

impl<const SCHEMA: u8> Framed for Parcel<SCHEMA> {
    const SCHEMA: u8 = SCHEMA;

    fn to_texts(&self) -> Vec<&str> {
        vec![&self.to, &self.weight]
    }

    fn of_texts(texts: &[&str]) -> Option<Self> {
        match texts {
            [to, weight] => Some(Self::new(to, weight)),
            _ => None,
        }
    }
}

impl<const SCHEMA: u8> Event for Parcel<SCHEMA> {
    const SHAPE: Shape = Shape {
        encoding: Encoding::Frames,
        topic: Some("parcels"),
        ..Shape::of_tests(&["PARCEL"], Format::Flat, Fields::Value)
    };

    fn event_key(&self) -> Option<Cow<'_, [u8]>> {
        None
    }

    fn encode(&self, encoder: &mut Encoder<'_>, shape: &Shape, r#type: &str) -> Result<(), EncodeError> {
        encoder.event::<Frames, _>(self, shape, r#type)
    }
}

impl<const SCHEMA: u8> TopicEvent for Parcel<SCHEMA> {}

impl<'r, const SCHEMA: u8> DecodeEvent<'r> for Parcel<SCHEMA> {
    fn decode(body: &Body<'r>) -> Result<Self, DecodeError> {
        body.event::<Frames, _>(&Self::SHAPE)
    }
}
