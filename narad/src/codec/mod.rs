//! Bytes to events and back. [`Codec`] is the seam; JSON is the one codec there is.

mod json;

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::envelope::Meta;
use crate::event::Shape;
use crate::record::Record;

pub(crate) use json::Head;

/// One record's content on its way into an event: the payload, and what is known of its outer structure.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Body<'r> {
    pub(crate) record: &'r Record,
    pub(crate) head: Head,
}

/// Why a payload is not the event it was to be.
#[doc(hidden)]
#[derive(Debug)]
pub struct DecodeError {
    /// What is wrong, without an excerpt of the payload.
    pub text: String,
    /// Not a single well-formed value: nothing to dispatch on, the group's dead letter takes it.
    pub malformed: bool,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'r> Body<'r> {
    /// The record's type as an event of this shape sees it.
    pub fn type_for(&self, _shape: &Shape) -> Option<Cow<'r, str>> {
        unimplemented!()
    }

    /// The metadata as an event of this shape sees it.
    pub fn meta(&self, _shape: &Shape) -> Meta<'r> {
        unimplemented!()
    }

    /// The event itself, out of an envelope or a flat body.
    pub fn event<T: Deserialize<'r>>(&self, _shape: &Shape) -> Result<T, DecodeError> {
        unimplemented!()
    }

    /// The whole value, envelope included.
    pub fn value<V: Deserialize<'r>>(&self) -> Result<V, DecodeError> {
        unimplemented!()
    }

    /// The record as it came.
    pub fn record(&self) -> &'r Record {
        self.record
    }
}

/// Why an event cannot be written.
#[doc(hidden)]
#[derive(Debug)]
pub struct EncodeError(pub String);

impl EncodeError {
    /// A closed set's `other` variant, which is for reading.
    pub fn other(set: &'static str) -> Self {
        Self(format!("the `other` variant of {set} is for reading; it cannot be published"))
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where an event is written: body and headers of a record to be.
#[doc(hidden)]
#[derive(Debug)]
pub struct Encoder<'a> {
    /// `source` of the events: the client id.
    pub(crate) source: &'a str,
    pub(crate) payload: Vec<u8>,
    pub(crate) headers: Vec<(Cow<'static, str>, Vec<u8>)>,
}

impl<'a> Encoder<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        Self { source, payload: Vec::new(), headers: Vec::new() }
    }

    /// Writes one event in the format of its shape, with this type and version, a fresh id and the time.
    pub fn event<T: Serialize + ?Sized>(&mut self, _data: &T, _shape: &Shape, _type: &str, _version: &str) -> Result<(), EncodeError> {
        unimplemented!()
    }
}
