//! What is known of a payload before an event is decoded from it: plain data, the same for every encoding.

use super::shape::Encoding;

/// What is known of a payload before an event is decoded from it: whether it can be one at all, and where
/// what dispatch and metadata ask for stands.
///
/// A codec makes it, and may stop where it has seen enough; what is left unseen is for
/// [`Codec::complete`](super::Codec::complete).
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Outline {
    encoding: Encoding,
    top: Top,
}

/// What a payload is, as far as it was looked at.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Top {
    /// There is none: a tombstone.
    Null,
    /// Not well-formed in its encoding.
    Malformed,
    /// Well-formed, and nothing that could carry a type: nothing to dispatch on.
    Value,
    /// Something to dispatch on. Where an encoding keeps all metadata in headers, every payload is that.
    Object(Keys),
}

impl Outline {
    pub(crate) fn new(encoding: Encoding, top: Top) -> Self {
        Self { encoding, top }
    }

    pub(crate) fn encoding(self) -> Encoding {
        self.encoding
    }

    /// There is no payload: a tombstone.
    pub(crate) fn is_null(self) -> bool {
        matches!(self.top, Top::Null)
    }

    /// Something to dispatch on, as far as the codec looked.
    pub(crate) fn is_object(self) -> bool {
        matches!(self.top, Top::Object(_))
    }

    /// Well-formed, and nothing to dispatch on.
    pub(crate) fn is_value(self) -> bool {
        matches!(self.top, Top::Value)
    }

    /// Not well-formed. [`Body::check`](super::Body::check) says why.
    pub(crate) fn is_malformed(self) -> bool {
        matches!(self.top, Top::Malformed)
    }

    /// The codec left nothing unseen.
    pub(super) fn is_complete(self) -> bool {
        !matches!(self.top, Top::Object(keys) if keys.stopped)
    }

    /// The keys as far as they were seen, and where to go on: at the value of `data`. `None` where nothing
    /// was left unseen.
    pub(super) fn unseen(self) -> Option<(Keys, usize)> {
        match self.top {
            Top::Object(keys) if keys.stopped => Some(keys.resumed()),
            _ => None,
        }
    }

    pub(super) fn has(self, key: Key) -> bool {
        matches!(self.top, Top::Object(keys) if keys.has(key))
    }

    /// Keys besides the six were seen.
    pub(super) fn has_others(self) -> bool {
        matches!(self.top, Top::Object(keys) if keys.others)
    }

    /// Where the value of `data` begins.
    pub(super) fn data_start(self) -> Option<usize> {
        match self.top {
            Top::Object(keys) if keys.has(Key::Data) => Some(keys.spans[Key::Data as usize].start as usize),
            _ => None,
        }
    }

    /// The value of a metadata key, as it stands in the payload.
    pub(super) fn raw<'t>(&self, key: Key, text: &'t str) -> Option<&'t str> {
        match &self.top {
            Top::Object(keys) if keys.has(key) => keys.spans[key as usize].of(text),
            _ => None,
        }
    }

    /// The same of a value that the codec has noted as plain: its text needs no decoding.
    #[inline]
    pub(super) fn raw_plain<'t>(&self, key: Key, text: &'t str) -> Option<&'t str> {
        match &self.top {
            Top::Object(keys) if keys.plain & (1 << key as u8) != 0 => keys.spans[key as usize].of(text),
            _ => None,
        }
    }
}

/// A key of the envelope.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Id,
    Type,
    Version,
    Timestamp,
    Source,
    Data,
}

impl Key {
    #[inline]
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        // As patterns these would be compared byte by byte.
        match name.len() {
            2 if name == b"id" => Some(Self::Id),
            4 if name == b"type" => Some(Self::Type),
            4 if name == b"data" => Some(Self::Data),
            6 if name == b"source" => Some(Self::Source),
            7 if name == b"version" => Some(Self::Version),
            9 if name == b"timestamp" => Some(Self::Timestamp),
            _ => None,
        }
    }
}

/// Where the values of an envelope's keys stand in a payload. Of a key that is there twice, the first counts,
/// so that an outline that is not complete says the same as one that is.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Keys {
    spans: [Span; 6],
    /// Keys besides the six were seen.
    others: bool,
    /// Of each span, a bit: the value is a text that stands there as it is.
    plain: u8,
    /// The codec stopped in front of the value of `data`.
    stopped: bool,
}

/// A place in the payload; all zero where there is none, since a value of an object never starts at zero.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn of(self, text: &str) -> Option<&str> {
        text.get(self.start as usize..self.end as usize)
    }
}

impl Keys {
    pub(super) fn has(&self, key: Key) -> bool {
        self.spans[key as usize].start != 0
    }

    /// A value was seen here.
    pub(super) fn note(&mut self, key: Option<Key>, start: usize, end: usize, plain: bool) {
        match key {
            Some(key) if self.has(key) => {}
            Some(key) => {
                self.spans[key as usize] = Span { start: start as u32, end: end as u32 };
                self.plain |= u8::from(plain) << key as u8;
            }
            None => self.others = true,
        }
    }

    pub(super) fn stop_at_data(&mut self, start: usize) {
        self.spans[Key::Data as usize] = Span { start: start as u32, end: 0 };
        self.stopped = true;
    }

    fn resumed(mut self) -> (Self, usize) {
        let start = self.spans[Key::Data as usize].start as usize;
        self.stopped = false;
        self.spans[Key::Data as usize] = Span::default();
        (self, start)
    }
}
