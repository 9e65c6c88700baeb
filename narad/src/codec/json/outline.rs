//! What one scan of a payload's top level sees, before an event is decoded from it.

use std::str;

use serde::de::IgnoredAny;

use super::scan::{self, Malformed, too_deep};
use crate::codec::outline::{Keys, Outline, Top};
use crate::codec::shape::Encoding;
use crate::record::Record;

/// Looks at a record's payload.
///
/// The scan is lazy. It stops at `data` where it has seen `type` before, as Narad writes them; [`complete`]
/// goes on from there. Up to where it came, the scan is as strict as a parse, so a complete outline is one of
/// a checked payload.
pub(super) fn outline(record: &Record) -> Outline {
    record.text().map_or_else(|| read(record.payload()), read_text)
}

/// The same of any bytes.
pub(super) fn read(payload: Option<&[u8]>) -> Outline {
    match payload.map(str::from_utf8) {
        None => json(Top::Null),
        Some(Ok(text)) => read_text(text),
        Some(Err(_)) => json(Top::Malformed),
    }
}

/// The same where the payload is known to be UTF-8.
pub(super) fn read_text(text: &str) -> Outline {
    let bytes = text.as_bytes();
    // Spans are 32 bits wide; Kafka's own length is 31.
    if u32::try_from(bytes.len()).is_err() || too_deep(bytes) {
        return json(Top::Malformed);
    }
    if scan::opens_object(bytes) {
        let mut keys = Keys::default();
        object(scan::object(bytes, &mut keys), keys)
    } else if serde_json::from_slice::<IgnoredAny>(bytes).is_ok() {
        json(Top::Value)
    } else {
        json(Top::Malformed)
    }
}

/// The same with nothing left unseen. Free where the scan came to the end already.
pub(super) fn complete(outline: Outline, payload: Option<&[u8]>) -> Outline {
    match (outline.unseen(), payload) {
        (Some((mut keys, data)), Some(bytes)) => object(scan::data_and_rest(bytes, data, &mut keys), keys),
        _ => outline,
    }
}

fn object(scanned: Result<(), Malformed>, keys: Keys) -> Outline {
    json(if scanned.is_ok() { Top::Object(keys) } else { Top::Malformed })
}

fn json(top: Top) -> Outline {
    Outline::new(Encoding::Json, top)
}

#[cfg(test)]
mod tests;
