//! Bodies into bytes, straight into the buffer.

use super::head::Head;
use super::outline::Key;
use crate::codec::EncodeError;

/// The metadata of an event that is written.
pub(in crate::codec) struct Written<'a> {
    pub(in crate::codec) id: &'a str,
    pub(in crate::codec) r#type: &'a str,
    pub(in crate::codec) version: &'a str,
    pub(in crate::codec) timestamp: &'a str,
    pub(in crate::codec) source: &'a str,
}

/// Writes an event's fields.
pub(in crate::codec) type Data<'a> = dyn Fn(&mut Vec<u8>) -> serde_json::Result<()> + 'a;

/// Writes an envelope: its keys in this order, `data` last, so that a reader has seen the rest when it comes
/// to `data`.
pub(in crate::codec) fn envelope(
    out: &mut Vec<u8>,
    data: &Data<'_>,
    written: &Written<'_>,
) -> Result<(), EncodeError> {
    out.extend_from_slice(b"{\"id\":\"");
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
pub(in crate::codec) struct Own {
    pub(in crate::codec) r#type: bool,
    pub(in crate::codec) timestamp: bool,
}

/// Writes the event's fields, with `type` before and `timestamp` behind them where these are not its own.
/// `None` for `own` looks at what was written. Returns whose keys they are.
pub(in crate::codec) fn flat(
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
        let head = Head::read(out.get(object..));
        let head = head.complete(out.get(object..));
        Own { r#type: head.has(Key::Type), timestamp: head.has(Key::Timestamp) }
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
