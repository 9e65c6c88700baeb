//! Why a payload is no event, or an event cannot be written.

use std::fmt;

use super::wait::Wait;

/// Why a payload is not the event it was to be.
#[doc(hidden)]
#[derive(Debug)]
pub struct DecodeError {
    /// What is wrong, without an excerpt of the payload.
    pub(crate) text: String,
    pub(crate) fault: DecodeFault,
}

/// What a payload lacks, and so where its record goes.
#[derive(Debug)]
pub(crate) enum DecodeFault {
    /// Well-formed, and not what was asked for: the handler's way.
    Unfit,
    /// Not a single well-formed value: nothing to dispatch on, the group's dead letter takes it.
    Malformed,
    /// It cannot be read before this is over: no attempt, and nobody's dead letter.
    NotYet(Wait),
}

impl DecodeFault {
    pub(crate) fn is_malformed(&self) -> bool {
        matches!(self, Self::Malformed)
    }
}

impl DecodeError {
    pub(crate) fn unfit(text: String) -> Self {
        Self { text, fault: DecodeFault::Unfit }
    }

    pub(crate) fn malformed(text: String) -> Self {
        Self { text, fault: DecodeFault::Malformed }
    }

    /// Only the encodings say so; JSON never does.
    #[cfg_attr(not(test), expect(dead_code))]
    pub(super) fn not_yet(wait: Wait) -> Self {
        Self { text: format!("it waits for {}", wait.what()), fault: DecodeFault::NotYet(wait) }
    }

    pub(crate) fn is_malformed(&self) -> bool {
        self.fault.is_malformed()
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why an event cannot be written.
#[doc(hidden)]
#[derive(Debug)]
pub struct EncodeError {
    text: String,
    /// What serde_json said.
    source: Option<serde_json::Error>,
}

impl EncodeError {
    pub(crate) fn new(text: String) -> Self {
        Self { text, source: None }
    }

    /// A closed set's `other` variant, which is for reading.
    pub fn other(set: &'static str) -> Self {
        Self::new(format!("the `other` variant of {set} is for reading; it cannot be published"))
    }

    pub(crate) fn into_source(self) -> Option<serde_json::Error> {
        self.source
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<serde_json::Error> for EncodeError {
    fn from(error: serde_json::Error) -> Self {
        Self { text: error.to_string(), source: Some(error) }
    }
}
