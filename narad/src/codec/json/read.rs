//! Events and other values out of a record, out of an envelope or a flat body.

use serde::Deserialize;

use super::decode::{self, Place};
use super::{mend, outline};
use crate::codec::encoding::Codec;
use crate::codec::error::DecodeError;
use crate::codec::outline::{Key, Outline};
use crate::codec::payload::{Payload, envelope_data};
use crate::codec::shape::{Encoding, Fields, Shape};
use crate::record::Record;

/// The event itself.
pub(super) fn event<'r, T: Deserialize<'r>, C: Codec>(
    payload: &Payload<'r, C>,
    shape: &Shape,
) -> Result<T, DecodeError> {
    let known = matches!(shape.fields, Fields::Named(_));
    let beside = |place| decode::value_beside(place, known, &|key| payload.is_beside(shape, key));
    beside(place(payload, shape)?).or_else(|error| {
        let nothing = nothing_but_metadata(payload, shape).and_then(decode::nothing);
        let mended = || mended(payload, &error, shape.fields).and_then(|place| beside(place).ok());
        nothing.or_else(mended).ok_or(error)
    })
}

/// The same for a struct with named fields that ignores keys which it does not know. Most events are such,
/// and the compiler has half as much to do for them.
pub(super) fn object<'r, T: Deserialize<'r>, C: Codec>(
    payload: &Payload<'r, C>,
    shape: &Shape,
) -> Result<T, DecodeError> {
    match place(payload, shape) {
        Ok(place) => decode::value(place).or_else(|error| {
            mended(payload, &error, shape.fields).and_then(|place| decode::value(place).ok()).ok_or(error)
        }),
        Err(error) => Err(error),
    }
}

/// The whole value, envelope included, of a record that may be read as something else.
pub(in crate::codec) fn value<'r, V: Deserialize<'r>>(
    record: &'r Record,
    outline: Outline,
) -> Result<V, DecodeError> {
    let is_json = outline.encoding() == Encoding::Json;
    let outline = if is_json { outline } else { outline::outline(record) };
    decode::value(Place::new(text(outline, record)?, outline, None)).or_else(|error| {
        // Nothing of the whole value is an envelope's.
        let whole = in_other_words(record, &error).map(|(text, outline)| Place::new(text, outline, None));
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
fn in_other_words<'r>(record: &'r Record, error: &DecodeError) -> Option<(&'r str, Outline)> {
    let text = if error.is_malformed() { None } else { record.in_other_words(mend::mended) }?;
    Some((text, outline::read_text(text)))
}

#[cold]
fn mended<'r, C: Codec>(payload: &Payload<'r, C>, error: &DecodeError, fields: Fields) -> Option<Place<'r>> {
    let (text, outline) = in_other_words(payload.record, error)?;
    Some(Place::new(text, outline, envelope_data::<C>(outline, Some(text.as_bytes()), fields)))
}

fn place<'r, C: Codec>(payload: &Payload<'r, C>, shape: &Shape) -> Result<Place<'r>, DecodeError> {
    let text = text(payload.outline, payload.record)?;
    Ok(Place::new(
        text,
        payload.outline,
        envelope_data::<C>(payload.outline, Some(text.as_bytes()), shape.fields),
    ))
}

/// An event without content, such as a unit struct, may be written as its metadata alone: `{"type":"PING"}`.
fn nothing_but_metadata<C>(payload: &Payload<'_, C>, shape: &Shape) -> Option<()> {
    let outline = outline::complete(payload.outline, payload.record.payload());
    (shape.fields == Fields::Value && outline.is_object() && !outline.has_others() && !outline.has(Key::Data))
        .then_some(())
}

/// The payload as text, where the outline has not found it to be none.
fn text(outline: Outline, record: &Record) -> Result<&str, DecodeError> {
    let text = record.text().filter(|_| !outline.is_malformed());
    text.ok_or_else(|| decode::unreadable(record.payload()))
}
