//! Events and other values out of a record, out of an envelope or a flat body.

use serde::Deserialize;

use super::decode::{self, Place};
use super::{mend, outline};
use crate::codec::body::envelope_data;
use crate::codec::outline::{Key, Outline};
use crate::codec::{Body, DecodeError, Encoding, Fields, Shape};
use crate::record::Record;

/// The event itself.
pub(super) fn event<'r, T: Deserialize<'r>>(body: &Body<'r>, shape: &Shape) -> Result<T, DecodeError> {
    let known = matches!(shape.fields, Fields::Named(_));
    let beside = |place| decode::value_beside(place, known, &|key| body.is_beside(shape, key));
    beside(place(body, shape)?).or_else(|error| {
        let nothing = nothing_but_metadata(body, shape).and_then(decode::nothing);
        let mended = || mended(body, &error, shape.fields).and_then(|place| beside(place).ok());
        nothing.or_else(mended).ok_or(error)
    })
}

/// The same for a struct with named fields that ignores keys which it does not know. Most events are such,
/// and the compiler has half as much to do for them.
pub(super) fn object<'r, T: Deserialize<'r>>(body: &Body<'r>, shape: &Shape) -> Result<T, DecodeError> {
    match place(body, shape) {
        Ok(place) => decode::value(place).or_else(|error| {
            mended(body, &error, shape.fields).and_then(|place| decode::value(place).ok()).ok_or(error)
        }),
        Err(error) => Err(error),
    }
}

/// The whole value, envelope included.
pub(in crate::codec) fn value<'r, V: Deserialize<'r>>(body: &Body<'r>) -> Result<V, DecodeError> {
    let is_json = body.outline.encoding() == Encoding::Json;
    // Whoever wants JSON of a record that is read as something else may find some.
    let outline = if is_json { body.outline } else { outline::outline(body.record) };
    decode::value(Place::new(text(outline, body.record)?, outline, None)).or_else(|error| {
        // Nothing of the whole value is an envelope's.
        let whole = mended(body, &error, Fields::Named(&["data"])).map(Place::whole);
        whole.and_then(|place| decode::value(place).ok()).ok_or(error)
    })
}

/// Whether the payload is one well-formed value. A tombstone is none.
pub(super) fn check(outline: Outline, record: &Record) -> Result<(), DecodeError> {
    decode::check(text(outline, record)?, outline)
}

/// What does not fit as it stands may do so in other words: see [`mend`]. The bytes of the record stay what
/// they are.
#[cold]
fn mended<'r>(body: &Body<'r>, error: &DecodeError, fields: Fields) -> Option<Place<'r>> {
    let text = if error.is_malformed() { None } else { body.record.in_other_words(mend::mended) }?;
    let outline = outline::read_text(text);
    Some(Place::new(text, outline, envelope_data(outline, Some(text.as_bytes()), fields)))
}

fn place<'r>(body: &Body<'r>, shape: &Shape) -> Result<Place<'r>, DecodeError> {
    let text = text(body.outline, body.record)?;
    Ok(Place::new(text, body.outline, envelope_data(body.outline, Some(text.as_bytes()), shape.fields)))
}

/// An event without content, such as a unit struct, may be written as its metadata alone: `{"type":"PING"}`.
fn nothing_but_metadata(body: &Body<'_>, shape: &Shape) -> Option<()> {
    let outline = outline::complete(body.outline, body.record.payload());
    (shape.fields == Fields::Value && outline.is_object() && !outline.has_others() && !outline.has(Key::Data))
        .then_some(())
}

/// The payload as text, where the outline has not found it to be none.
fn text(outline: Outline, record: &Record) -> Result<&str, DecodeError> {
    let text = record.text().filter(|_| !outline.is_malformed());
    text.ok_or_else(|| decode::unreadable(record.payload()))
}
