//! One record's content on its way into an event, of whatever encoding it is.

use std::borrow::Cow;

use serde::Deserialize;

use super::encoding::Codec;
use super::error::DecodeError;
use super::outline::Outline;
use super::payload::{Payload, Reads};
use super::shape::{Encoding, Shape};
use super::{codecs, json};
use crate::envelope::Meta;
use crate::record::Record;

/// One record's content on its way into an event: the payload, and what is known of its outer structure.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Body<'r> {
    pub(crate) record: &'r Record,
    pub(crate) outline: Outline,
}

/// Asks the content as one of its encoding.
macro_rules! ask {
    ($body:expr, $method:ident($($argument:expr),*)) => {
        with_codec!($body.outline.encoding(), C => Payload::<C>::new($body.record, $body.outline).$method($($argument),*))
    };
}

impl<'r> Body<'r> {
    /// Looks at the record's outer structure, as one of this encoding.
    pub(crate) fn of(record: &'r Record, encoding: Encoding) -> Self {
        Self { record, outline: with_codec!(encoding, C => C::outline(record)) }
    }

    /// The same with nothing of the payload left unseen. Free where the codec came to the end already.
    pub(crate) fn completed(&self) -> Self {
        let (encoding, payload) = (self.outline.encoding(), self.record.payload());
        Self { outline: with_codec!(encoding, C => C::complete(self.outline, payload)), ..*self }
    }

    /// The record as it came.
    pub fn record(&self) -> &'r Record {
        self.record
    }

    /// The record's type as an event of this shape sees it.
    pub fn type_for(&self, shape: &Shape) -> Option<Cow<'r, str>> {
        ask!(self, type_for(shape))
    }

    /// The record's type as whoever knows no event sees it. Says the same as [`Body::type_for`] does of
    /// [`Shape::UNKNOWN`].
    #[inline]
    pub(crate) fn unknown_type(&self) -> Option<Cow<'r, str>> {
        // Mostly it is a text in the body, which needs no more than a look.
        if let Some(plain) = self.plain_type() {
            return Some(Cow::Borrowed(plain));
        }
        ask!(self, unknown_type())
    }

    /// The body's `type` where it stands there as it is.
    pub(crate) fn plain_type(&self) -> Option<&'r str> {
        ask!(self, plain_type())
    }

    /// Every type that an event of some shape may see on the record. Headers count where the body has none,
    /// or where they are asked for.
    pub(crate) fn types(&self, headers: bool) -> [Option<Cow<'r, str>>; 3] {
        ask!(self, types(headers))
    }

    /// Whether an event of this shape sees this type on the record.
    pub fn type_is(&self, shape: &Shape, name: &str) -> bool {
        ask!(self, type_is(shape, name))
    }

    /// Whether the record carries one of the shape's types.
    pub(crate) fn is_for(&self, shape: &Shape) -> bool {
        ask!(self, is_for(shape))
    }

    /// The event of a closed set that the record carries: its type and its shape.
    pub(crate) fn variant<'s>(&self, shape: &'s Shape) -> Option<(&'static str, &'s Shape)> {
        ask!(self, variant(shape))
    }

    /// The metadata as an event of this shape sees it.
    pub fn meta(&self, shape: &Shape) -> Meta<'r> {
        ask!(self, meta(shape))
    }

    /// The event itself, read by the codec of its encoding.
    pub fn event<C: Reads<'r, T>, T>(&self, shape: &Shape) -> Result<T, DecodeError> {
        self.is_in(C::ENCODING)?;
        C::event(&Payload::new(self.record, self.outline), shape)
    }

    /// The same for a struct with named fields that ignores keys which it does not know.
    pub fn object<C: Reads<'r, T>, T>(&self, shape: &Shape) -> Result<T, DecodeError> {
        self.is_in(C::ENCODING)?;
        C::object(&Payload::new(self.record, self.outline), shape)
    }

    fn is_in(&self, encoding: Encoding) -> Result<(), DecodeError> {
        let own = self.outline.encoding();
        if own == encoding {
            return Ok(());
        }
        Err(DecodeError::unfit(format!(
            "the record is read as {}, and the event is {}",
            own.name(),
            encoding.name()
        )))
    }

    /// The whole value as JSON, envelope included.
    pub fn value<V: Deserialize<'r>>(&self) -> Result<V, DecodeError> {
        json::value(self.record, self.outline)
    }

    /// Whether the payload is one well-formed value: for records that nobody decodes. A tombstone is none.
    pub fn check(&self) -> Result<(), DecodeError> {
        with_codec!(self.outline.encoding(), C => C::check(self.outline, self.record))
    }
}

#[cfg(test)]
impl<'r> Body<'r> {
    /// Of a topic whose events are JSON.
    pub(crate) fn json(record: &'r Record) -> Self {
        Self::of(record, Encoding::Json)
    }
}
