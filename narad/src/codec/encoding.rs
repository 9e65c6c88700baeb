//! What an encoding has to say: the seam between the rules of the wire and the syntax of a payload.

use std::borrow::Cow;

use super::error::{DecodeError, EncodeError};
use super::outline::{Key, Outline};
use super::shape::{Encoding, Shape};
use super::wait::Wait;
use crate::record::Record;

/// One encoding: what of its payloads is asked for without knowing an event. With
/// [`Reads`](super::payload::Reads) and [`Writes`] it turns them into events and back.
///
/// What has a default here is so for an encoding whose payloads hold the event and nothing else: its metadata
/// is in headers.
#[doc(hidden)]
pub trait Codec {
    const ENCODING: Encoding;

    /// Looks at a payload's outer structure, as far as dispatch needs it.
    fn outline(record: &Record) -> Outline;

    /// The same with nothing left unseen.
    fn complete(outline: Outline, _: Option<&[u8]>) -> Outline {
        outline
    }

    /// A metadata value of the body that stands there as it is.
    fn plain<'r>(_: &Outline, _: &'r Record, _: Key) -> Option<&'r str> {
        None
    }

    /// A metadata value of the body as text.
    fn metadata<'r>(outline: &Outline, record: &'r Record, key: Key) -> Option<Cow<'r, str>> {
        Self::plain(outline, record, key).map(Cow::Borrowed)
    }

    /// Whether the value that begins here has fields with names.
    fn is_object_at(_: &[u8], _: usize) -> bool {
        false
    }

    /// Whether the payload's top level has this key, be it one of the envelope's or another.
    fn has_key(_: &[u8], _: &str) -> bool {
        false
    }

    /// Whether the payload is one well-formed value: for records that nobody decodes.
    fn check(outline: Outline, record: &Record) -> Result<(), DecodeError>;

    /// Writes a body in the format of the shape. Returns what is not in it.
    fn body(
        out: &mut Vec<u8>,
        data: &Data<'_>,
        shape: &Shape,
        written: &Written<'_>,
    ) -> Result<Beside, EncodeError>;
}

/// An encoding in which an event can be written.
#[doc(hidden)]
pub trait Writes<T: ?Sized>: Codec {
    /// The event alone, without its metadata.
    fn value(out: &mut Vec<u8>, value: &T) -> Result<(), EncodeError>;
}

/// Writes an event's fields: all of a body that depends on the event's type, so that what does not is
/// compiled once.
#[doc(hidden)]
pub type Data<'a> = dyn Fn(&mut Vec<u8>) -> Result<(), EncodeError> + 'a;

/// The metadata of an event that is written.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    pub(super) id: &'a str,
    pub(super) r#type: &'a str,
    pub(super) version: &'a str,
    pub(super) timestamp: &'a str,
    pub(super) source: &'a str,
}

/// What of an event is not in its body.
#[doc(hidden)]
#[derive(Debug)]
pub struct Beside {
    /// Its type goes into a header.
    pub(super) r#type: bool,
    /// Id, version and source go into headers.
    pub(super) others: bool,
    /// The payload comes later, and not from what was written: it waits for something.
    pub(super) later: Option<LatePayload>,
}

/// A payload that waits for what it cannot be written without.
pub(crate) type LatePayload = Wait<Result<Vec<u8>, EncodeError>>;

impl Beside {
    pub(super) const NOTHING: Self = Self { r#type: false, others: false, later: None };
}
