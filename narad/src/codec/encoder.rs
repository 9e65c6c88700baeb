//! Where an event is written.

use std::borrow::Cow;

use serde::Serialize;
use uuid::Uuid;

use super::json::encode::{self, Data, Own, Written};
use super::json::{Head, Key, finite};
use super::stamp::Stamp;
use super::{EncodeError, body, header};
use super::{Fields, Format, Shape};

/// Where an event is written: body and headers of a record to be.
#[doc(hidden)]
#[derive(Debug)]
pub struct Encoder<'a> {
    /// `source` of the events: the client id.
    pub(crate) source: &'a str,
    pub(crate) payload: Vec<u8>,
    pub(crate) headers: Vec<(Cow<'static, str>, Vec<u8>)>,
}

/// What most events fit into: a payload that grows to its size is copied six times on the way.
const ROOM: usize = 512;

impl<'a> Encoder<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        Self { source, payload: Vec::new(), headers: Vec::new() }
    }

    /// What was written.
    pub(crate) fn take_payload(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.payload)
    }

    /// Writes one event in the format of its shape, with this type, the shape's version, a fresh id and the
    /// time.
    pub fn event<T: Serialize + ?Sized>(
        &mut self,
        data: &T,
        shape: &Shape,
        r#type: &str,
    ) -> Result<(), EncodeError> {
        self.write(&|out| finite::write(out, data), shape, r#type)
    }

    /// Any value as it is, without an envelope.
    pub(crate) fn plain<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, EncodeError> {
        let mut payload = Vec::with_capacity(128);
        finite::write(&mut payload, value)?;
        Ok(payload)
    }

    /// All that does not depend on the event's type: what does is compiled for each again.
    fn write(&mut self, data: &Data<'_>, shape: &Shape, r#type: &str) -> Result<(), EncodeError> {
        let (mut id, stamp) = (Uuid::encode_buffer(), Stamp::now());
        let id = Uuid::now_v7().hyphenated().encode_lower(&mut id);
        let written =
            Written { id, r#type, version: shape.version, timestamp: stamp.as_str(), source: self.source };
        self.payload.clear();
        self.payload.reserve(ROOM);
        match shape.format {
            Format::Envelope => encode::envelope(&mut self.payload, data, &written),
            Format::Flat => self.flat(data, shape, &written),
        }
    }

    fn flat(&mut self, data: &Data<'_>, shape: &Shape, written: &Written<'_>) -> Result<(), EncodeError> {
        let known = matches!(shape.fields, Fields::Named(_));
        let own =
            known.then(|| Own { r#type: shape.has_field("type"), timestamp: shape.has_field("timestamp") });
        let own = encode::flat(&mut self.payload, data, written, own)?;
        // Without a field called `data`, nothing of a flat body looks like an envelope.
        if (!known || shape.has_field("data")) && self.reads_as_envelope(shape) {
            return Err(EncodeError::new(format!(
                "`{}` has the keys of an envelope among its fields; use `format = \"envelope\"`",
                written.r#type
            )));
        }
        let mut header = |name: &'static str, value: &str| {
            self.headers.push((Cow::Borrowed(name), value.as_bytes().to_vec()))
        };
        header(header::ID, written.id);
        header(header::VERSION, written.version);
        header(header::SOURCE, written.source);
        if own.r#type {
            header(header::TYPE, written.r#type);
        }
        Ok(())
    }

    fn reads_as_envelope(&self, shape: &Shape) -> bool {
        let payload = Some(self.payload.as_slice());
        let head = Head::read(payload);
        head.has(Key::Data) && body::envelope_data(head, payload, shape.fields).is_some()
    }
}
