//! Bodies into bytes, straight into the buffer.

use super::outline;
use crate::codec::encoding::{Beside, Codec, Data, Written};
use crate::codec::error::EncodeError;
use crate::codec::outline::Key;
use crate::codec::payload::envelope_data;
use crate::codec::shape::{Fields, Format, Shape};

/// Writes a body in the format of the shape.
pub(super) fn body<C: Codec>(
    out: &mut Vec<u8>,
    data: &Data<'_>,
    shape: &Shape,
    written: &Written<'_>,
) -> Result<Beside, EncodeError> {
    match shape.format {
        Format::Envelope => envelope(out, data, written).map(|()| Beside::NOTHING),
        Format::Flat => {
            let known = matches!(shape.fields, Fields::Named(_));
            let own = known
                .then(|| Own { r#type: shape.has_field("type"), timestamp: shape.has_field("timestamp") });
            let own = flat(out, data, written, own)?;
            // Without a field called `data`, nothing of a flat body looks like an envelope.
            if (!known || shape.has_field("data")) && reads_as_envelope::<C>(out, shape) {
                return Err(EncodeError::new(format!(
                    "`{}` has the keys of an envelope among its fields; use `format = \"envelope\"`",
                    written.r#type
                )));
            }
            Ok(Beside { r#type: own.r#type, others: true, ..Beside::NOTHING })
        }
    }
}

fn reads_as_envelope<C: Codec>(out: &[u8], shape: &Shape) -> bool {
    let outline = outline::read(Some(out));
    outline.has(Key::Data) && envelope_data::<C>(outline, Some(out), shape.fields).is_some()
}

/// What stands before the id in an envelope.
const BEFORE_ID: &[u8] = b"{\"id\":\"";

/// Writes another id into an envelope that was written here; in any other body there is none.
pub(crate) fn replace_id(payload: &mut Vec<u8>, id: &str) {
    if !payload.starts_with(BEFORE_ID) {
        return;
    }
    // What is there is a UUID, in which nothing is escaped.
    let old = &payload[BEFORE_ID.len()..];
    let end = BEFORE_ID.len() + old.iter().position(|byte| *byte == b'"').unwrap_or(old.len());
    let quoted = serde_json::Value::from(id).to_string();
    payload.splice(BEFORE_ID.len()..end, quoted[1..quoted.len() - 1].bytes());
}

/// Writes an envelope: its keys in this order, `data` last, so that a reader has seen the rest when it comes
/// to `data`.
fn envelope(out: &mut Vec<u8>, data: &Data<'_>, written: &Written<'_>) -> Result<(), EncodeError> {
    out.extend_from_slice(BEFORE_ID);
    out.extend_from_slice(written.id.as_bytes());
    out.extend_from_slice(b"\",\"type\":");
    serde_json::to_writer(&mut *out, written.r#type)?;
    out.extend_from_slice(b",\"version\":");
    serde_json::to_writer(&mut *out, written.version)?;
    out.extend_from_slice(b",\"timestamp\":\"");
    out.extend_from_slice(written.timestamp.as_bytes());
    out.extend_from_slice(b"\",\"source\":");
    serde_json::to_writer(&mut *out, written.source)?;
    out.extend_from_slice(b",\"data\":");
    data(out)?;
    out.push(b'}');
    Ok(())
}

/// Which keys of a flat body are the event's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Own {
    r#type: bool,
    timestamp: bool,
}

/// Writes the event's fields, with `type` before and `timestamp` behind them where these are not its own.
/// `None` for `own` looks at what was written. Returns whose keys they are.
fn flat(
    out: &mut Vec<u8>,
    data: &Data<'_>,
    written: &Written<'_>,
    own: Option<Own>,
) -> Result<Own, EncodeError> {
    let start = out.len();
    if own.is_none_or(|own| !own.r#type) {
        out.extend_from_slice(b"{\"type\":");
        serde_json::to_writer(&mut *out, written.r#type)?;
    }
    let object = out.len();
    data(out)?;
    if out.get(object) != Some(&b'{') {
        return Err(EncodeError::new(format!(
            "`{}` does not serialise as an object, which `format = \"flat\"` wants; use `format = \"envelope\"`",
            written.r#type
        )));
    }
    let own = own.unwrap_or_else(|| {
        let object = out.get(object..);
        let outline = outline::complete(outline::read(object), object);
        Own { r#type: outline.has(Key::Type), timestamp: outline.has(Key::Timestamp) }
    });
    if own.r#type {
        out.drain(start..object);
    } else if out.ends_with(b"{}") && out.len() == object + 2 {
        out.truncate(object);
        out.push(b'}');
    } else {
        // The fields go on where the type stopped.
        out[object] = b',';
    }
    if !own.timestamp {
        out.pop();
        if out.len() > start + 1 {
            out.push(b',');
        }
        out.extend_from_slice(b"\"timestamp\":\"");
        out.extend_from_slice(written.timestamp.as_bytes());
        out.extend_from_slice(b"\"}");
    }
    Ok(own)
}
