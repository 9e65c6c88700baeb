//! Values out of a payload, in one pass each.

use std::borrow::Cow;
use std::str;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Deserializer;
use serde_json::de::StrRead;

use super::filter::Without;
use super::scan::{self, MAX_DEPTH, too_deep};
use super::{mend, outline};
use crate::codec::error::DecodeError;
use crate::codec::outline::{Keys, Outline};

/// Where a value stands in a payload.
///
/// All that does not depend on the value's type is here: what does is compiled for each event again.
#[derive(Clone, Copy)]
pub(super) struct Place<'r> {
    text: &'r str,
    outline: Outline,
    /// Where an envelope's `data` begins; `None`: the whole payload is the value.
    data: Option<usize>,
}

impl<'r> Place<'r> {
    pub(super) fn new(text: &'r str, outline: Outline, data: Option<usize>) -> Self {
        Self { text, outline, data }
    }

    fn start(self) -> usize {
        self.data.unwrap_or(0)
    }

    fn open(self) -> Deserializer<StrRead<'r>> {
        Deserializer::from_str(&self.text[self.start()..])
    }

    /// Looks at what stands behind the value.
    fn close(self, mut json: Deserializer<StrRead<'r>>) -> Result<(), DecodeError> {
        let Some(start) = self.data else {
            return json.end().map_err(|error| self.unfit(&error));
        };
        if self.outline.is_complete() {
            return Ok(());
        }
        // The one way to learn where a deserializer stands.
        let end = start + json.into_iter::<IgnoredAny>().byte_offset();
        let rest = scan::after_value(self.text.as_bytes(), end, &mut Keys::default());
        rest.map_err(|_| match check(self.text, self.outline) {
            Err(error) => error,
            // A `Deserialize` that somebody wrote by hand.
            Ok(()) => DecodeError::unfit("the event's `Deserialize` has not read its whole value".to_owned()),
        })
    }

    fn unfit(self, error: &serde_json::Error) -> DecodeError {
        unfit(self.text, self.outline, self.start(), error)
    }
}

/// A value.
pub(super) fn value<'r, T: Deserialize<'r>>(place: Place<'r>) -> Result<T, DecodeError> {
    let mut json = place.open();
    match T::deserialize(&mut json) {
        Ok(value) => match place.close(json) {
            Ok(()) => Ok(value),
            Err(error) => Err(error),
        },
        Err(error) => Err(place.unfit(&error)),
    }
}

/// A value out of a whole object beside whose fields keys may stand that the value does not know. Where all
/// its fields are `known`, none of these keys is one.
pub(super) fn value_beside<'r, T: Deserialize<'r>>(
    place: Place<'r>,
    known: bool,
    beside: &dyn Fn(&str) -> bool,
) -> Result<T, DecodeError> {
    value(place).or_else(|error| {
        // `deny_unknown_fields` refuses the metadata of a flat body. Few events ask for it, so the others do
        // not pay for a filter. What it says depends on the representation: an untagged enum fits no variant,
        // one with `content` has an invalid value.
        let refused = if known { !error.is_malformed() } else { error.text.starts_with("unknown field") };
        if place.data.is_some() || !refused {
            return Err(error);
        }
        let mut json = place.open();
        let value = T::deserialize(Without::new(&mut json, beside)).map_err(|error| place.unfit(&error))?;
        place.close(json)?;
        Ok(value)
    })
}

/// A value without content.
pub(super) fn nothing<'r, T: Deserialize<'r>>((): ()) -> Option<T> {
    serde_json::from_str("null").ok()
}

/// Whether the whole payload is one well-formed value.
pub(super) fn check(text: &str, outline: Outline) -> Result<(), DecodeError> {
    if outline::complete(outline, Some(text.as_bytes())).is_malformed() {
        Err(malformed(text))
    } else {
        Ok(())
    }
}

/// The text of a metadata value: a string's content, else its JSON; `None` for null.
pub(super) fn metadata(raw: &str) -> Option<Cow<'_, str>> {
    if raw == "null" {
        return None;
    }
    let string = |raw: &str| serde_json::from_str::<String>(raw).ok();
    let content = string(raw).or_else(|| mend::mended(raw).and_then(|raw| string(&raw)));
    Some(content.map_or(Cow::Borrowed(raw), Cow::Owned))
}

/// Says why a payload has no text to decode from.
pub(super) fn unreadable(payload: Option<&[u8]>) -> DecodeError {
    let text = match payload.map(str::from_utf8) {
        None => "the record has no value (a tombstone)".to_owned(),
        Some(Ok(text)) => return malformed(text),
        Some(Err(error)) => format!("not well-formed JSON: not UTF-8 from byte {} on", error.valid_up_to()),
    };
    DecodeError::malformed(text)
}

/// Says what is wrong with a payload that is known to be malformed.
fn malformed(text: &str) -> DecodeError {
    let reason = if text.trim_ascii().is_empty() {
        "the value is empty".to_owned()
    } else if too_deep(text.as_bytes()) {
        format!("nested deeper than {MAX_DEPTH} levels")
    } else {
        // Errors of syntax say where, and never what stands there.
        serde_json::from_str::<IgnoredAny>(text)
            .err()
            .map_or_else(|| "too large".to_owned(), |error| error.to_string())
    };
    DecodeError::malformed(format!("not well-formed JSON: {reason}"))
}

/// Says why a value does not fit, unless the payload is malformed, which then is what is wrong. serde_json's
/// own categories do not tell: a number that is out of range for its field is an error of syntax to it.
fn unfit(text: &str, outline: Outline, start: usize, error: &serde_json::Error) -> DecodeError {
    if outline::complete(outline, Some(text.as_bytes())).is_malformed() {
        return malformed(text);
    }
    let (line, column) = (error.line(), error.column());
    let message = error.to_string();
    let message = message.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&message);
    let mut message = redacted(message);
    if message.ends_with("string, expected a borrowed string") {
        message.push_str(" (a `&str` cannot hold JSON escapes; use `Cow<'a, str>` with `#[serde(borrow)]`)");
    }
    if message.starts_with("invalid type: map, expected") && numbers_are_maps() {
        message.push_str(ARBITRARY_PRECISION);
    }
    if line > 0 {
        // serde_json counts from where it was given the text.
        let before = &text.as_bytes()[..start];
        let lines = before.iter().filter(|byte| **byte == b'\n').count();
        let columns = before.iter().rev().take_while(|byte| **byte != b'\n').count();
        let column = if line == 1 { columns + column } else { column };
        message.push_str(&format!(" at line {} column {column}", lines + line));
    }
    DecodeError::unfit(message)
}

/// Features are unified over a build, and this one changes what serde_json gives to types that look before
/// they read.
const ARBITRARY_PRECISION: &str = " (if a number stands there: some crate of this build turns on \
 serde_json's feature `arbitrary_precision`, \
     with which numbers of tagged and untagged enums and under `#[serde(flatten)]` are not read; `cargo tree -e features -i serde_json` names it)";

/// Whether serde_json was built with `arbitrary_precision`: it keeps how a number was written then.
fn numbers_are_maps() -> bool {
    serde_json::from_str::<serde_json::Number>("1.50").is_ok_and(|number| number.to_string() == "1.50")
}

/// serde's messages quote the value that does not fit; values are the user's data and stay out of logs. Names
/// of fields and types remain.
fn redacted(message: &str) -> String {
    // The first of them is serde's own; a later one may stand in the value. Of what follows the value, the
    // last is serde's.
    let first = ["unknown variant `", "invalid type: ", "invalid value: "]
        .into_iter()
        .filter_map(|kind| message.find(kind).map(|at| (at, kind)))
        .min();
    let Some((at, kind)) = first else { return without_quoted(message) };
    let (before, rest) = (without_quoted(&message[..at]), &message[at + kind.len()..]);
    let expected = [", expected ", ", there are no variants"]
        .into_iter()
        .filter_map(|mark| rest.rfind(mark))
        .max()
        .unwrap_or(rest.len());
    let (value, expected) = rest.split_at(expected);
    match kind.strip_suffix(" `") {
        Some(kind) => format!("{before}{kind}{expected}"),
        None => {
            // What comes before the quote is the value's kind, as in `string "…"`.
            let value_kind = value.split(['"', '`']).next().unwrap_or_default().trim_end();
            format!("{before}{kind}{value_kind}{expected}")
        }
    }
}

fn without_quoted(message: &str) -> String {
    match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) if first < last => {
            format!("{}\"…\"{}", &message[..first], &message[last + 1..])
        }
        _ => message.to_owned(),
    }
}
