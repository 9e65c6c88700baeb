//! Where an event is written.

use std::borrow::Cow;

use serde::Serialize;
use uuid::Uuid;

use super::encoding::{Beside, Codec, Data, LatePayload, Writes, Written};
use super::error::EncodeError;
use super::header;
use super::json::Json;
use super::shape::Shape;
use super::stamp::Stamp;

/// Where an event is written: body and headers of a record to be.
#[doc(hidden)]
#[derive(Debug)]
pub struct Encoder<'a> {
    /// `source` of the events: the client id.
    pub(crate) source: &'a str,
    pub(crate) payload: Vec<u8>,
    pub(crate) headers: Vec<(Cow<'static, str>, Vec<u8>)>,
    /// The payload comes later.
    later: Option<LatePayload>,
}

/// What most events fit into: a payload that grows to its size is copied six times on the way.
const ROOM: usize = 512;

impl<'a> Encoder<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        Self { source, payload: Vec::new(), headers: Vec::new(), later: None }
    }

    /// What was written.
    pub(crate) fn take_payload(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.payload)
    }

    /// The payload that comes later than its headers, where it waits for something.
    pub(crate) fn take_late_payload(&mut self) -> Option<LatePayload> {
        self.later.take()
    }

    /// Writes one event in the encoding of its codec and the format of its shape, with this type, the shape's
    /// version, a fresh id and the time.
    pub fn event<C: Writes<T>, T: ?Sized>(
        &mut self,
        data: &T,
        shape: &Shape,
        r#type: &str,
    ) -> Result<(), EncodeError> {
        self.write::<C>(&|out| C::value(out, data), shape, r#type)
    }

    /// Any value as JSON, without an envelope.
    pub(crate) fn plain<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, EncodeError> {
        let mut payload = Vec::with_capacity(128);
        Json::value(&mut payload, value)?;
        Ok(payload)
    }

    /// All that does not depend on the event's type: what does is compiled for each again.
    fn write<C: Codec>(&mut self, data: &Data<'_>, shape: &Shape, r#type: &str) -> Result<(), EncodeError> {
        let (mut id, stamp) = (Uuid::encode_buffer(), Stamp::now());
        let id = Uuid::now_v7().hyphenated().encode_lower(&mut id);
        let written =
            Written { id, r#type, version: shape.version, timestamp: stamp.as_str(), source: self.source };
        self.payload.clear();
        self.payload.reserve(ROOM);
        let beside = C::body(&mut self.payload, data, shape, &written)?;
        self.put_beside(beside, &written);
        Ok(())
    }

    fn put_beside(&mut self, beside: Beside, written: &Written<'_>) {
        self.later = beside.later;
        let mut header = |name: &'static str, value: &str| {
            self.headers.push((Cow::Borrowed(name), value.as_bytes().to_vec()))
        };
        if beside.others {
            header(header::ID, written.id);
            header(header::VERSION, written.version);
            header(header::SOURCE, written.source);
        }
        if beside.r#type {
            header(header::TYPE, written.r#type);
        }
    }
}
