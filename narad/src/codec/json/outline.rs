//! Where the values of an envelope's keys stand in a payload.

/// A key of the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::codec) enum Key {
    Id,
    Type,
    Version,
    Timestamp,
    Source,
    Data,
}

impl Key {
    pub(in crate::codec) fn of(name: &[u8]) -> Option<Self> {
        match name {
            b"id" => Some(Self::Id),
            b"type" => Some(Self::Type),
            b"version" => Some(Self::Version),
            b"timestamp" => Some(Self::Timestamp),
            b"source" => Some(Self::Source),
            b"data" => Some(Self::Data),
            _ => None,
        }
    }
}

/// Where the values of an object's envelope keys stand. Of a key that is there twice, the first counts, so
/// that a head that is not complete says the same as one that is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outline {
    pub(super) spans: [Span; 6],
    /// Keys besides the six were seen.
    pub(super) others: bool,
    /// Of each span, a bit: its value is a string without escapes.
    pub(super) plain: u8,
    /// The scan stopped in front of the value of `data`.
    pub(super) stopped: bool,
}

/// A value's place in the payload; all zero where there is none, since a value of an object never starts at
/// zero.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Outline {
    pub(super) fn has(&self, key: Key) -> bool {
        self.spans[key as usize].start != 0
    }

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

    pub(super) fn resumed(mut self) -> (Self, usize) {
        let start = self.spans[Key::Data as usize].start as usize;
        self.stopped = false;
        self.spans[Key::Data as usize] = Span::default();
        (self, start)
    }
}
