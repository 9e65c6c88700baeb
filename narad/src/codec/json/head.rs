//! What one scan of a payload's top level sees, before an event is decoded from it.

use std::str;

use serde::de::IgnoredAny;

use super::outline::{Key, Outline, Span};
use super::scan::{Malformed, Scanner, too_deep};

/// What is known of a payload before an event is decoded from it: whether it can be one at all, and where the
/// keys of an envelope stand.
///
/// The scan is lazy. It stops at `data` where it has seen `type` before, as Narad writes them;
/// [`Head::complete`] goes on from there. Up to where it came, the scan is as strict as a parse, so a
/// complete head is a checked payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head(Kind);

#[derive(Clone, Copy, Debug)]
enum Kind {
    Null,
    Malformed,
    Value,
    Object(Outline),
}

impl Head {
    /// Looks at a payload's top level.
    pub(crate) fn read(payload: Option<&[u8]>) -> Self {
        match payload.map(str::from_utf8) {
            None => Self(Kind::Null),
            Some(Ok(text)) => Self::read_text(text),
            Some(Err(_)) => Self(Kind::Malformed),
        }
    }

    /// The same where the payload is known to be UTF-8.
    pub(crate) fn read_text(text: &str) -> Self {
        let bytes = text.as_bytes();
        // Spans are 32 bits wide; Kafka's own length is 31.
        if u32::try_from(bytes.len()).is_err() || too_deep(bytes) {
            return Self(Kind::Malformed);
        }
        let mut scanner = Scanner::new(bytes);
        if scanner.opens_object() {
            let mut outline = Outline::default();
            Self::object(scanner.object(&mut outline), outline)
        } else if serde_json::from_slice::<IgnoredAny>(bytes).is_ok() {
            Self(Kind::Value)
        } else {
            Self(Kind::Malformed)
        }
    }

    /// The same with nothing left unseen. Free where the scan came to the end already.
    pub(in crate::codec) fn complete(self, payload: Option<&[u8]>) -> Self {
        match (self.0, payload) {
            (Kind::Object(outline), Some(bytes)) if outline.stopped => {
                let (mut outline, data) = outline.resumed();
                Self::object(Scanner::at(bytes, data).data_and_rest(&mut outline), outline)
            }
            _ => self,
        }
    }

    fn object(scanned: Result<(), Malformed>, outline: Outline) -> Self {
        Self(if scanned.is_ok() { Kind::Object(outline) } else { Kind::Malformed })
    }

    /// There is no payload: a tombstone.
    pub(crate) fn is_null(self) -> bool {
        matches!(self.0, Kind::Null)
    }

    /// An object, as far as the scan came: something to dispatch on.
    pub(crate) fn is_object(self) -> bool {
        matches!(self.0, Kind::Object(_))
    }

    /// Well-formed, and no object.
    pub(crate) fn is_value(self) -> bool {
        matches!(self.0, Kind::Value)
    }

    /// Not UTF-8, no JSON, or nested too deep. [`Body::check`](crate::codec::Body::check) says which.
    pub(crate) fn is_malformed(self) -> bool {
        matches!(self.0, Kind::Malformed)
    }

    /// The scan left nothing unseen.
    pub(in crate::codec) fn is_complete(self) -> bool {
        !matches!(self.0, Kind::Object(outline) if outline.stopped)
    }

    pub(in crate::codec) fn has(self, key: Key) -> bool {
        matches!(self.0, Kind::Object(outline) if outline.has(key))
    }

    /// Keys besides the six were seen.
    pub(in crate::codec) fn has_others(self) -> bool {
        matches!(self.0, Kind::Object(outline) if outline.others)
    }

    /// Where the value of `data` begins.
    pub(in crate::codec) fn data_start(self) -> Option<usize> {
        match self.0 {
            Kind::Object(outline) if outline.has(Key::Data) => {
                Some(outline.spans[Key::Data as usize].start as usize)
            }
            _ => None,
        }
    }

    /// The value of a metadata key, as it stands in the payload.
    pub(in crate::codec) fn raw(self, key: Key, text: &str) -> Option<&str> {
        match self.0 {
            Kind::Object(outline) if outline.has(key) => {
                let Span { start, end } = outline.spans[key as usize];
                text.get(start as usize..end as usize)
            }
            _ => None,
        }
    }

    /// The content of a metadata key whose value is a string without escapes.
    pub(in crate::codec) fn plain(self, key: Key, text: &str) -> Option<&str> {
        match self.0 {
            Kind::Object(outline) if outline.plain & (1 << key as u8) != 0 => {
                let Span { start, end } = outline.spans[key as usize];
                // Between the quotes.
                text.get(start as usize + 1..end as usize - 1)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
