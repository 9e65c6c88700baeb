//! Why a payload is no event, or an event cannot be written.

use std::fmt;

/// Why a payload is not the event it was to be.
#[doc(hidden)]
#[derive(Debug)]
pub struct DecodeError {
    /// What is wrong, without an excerpt of the payload.
    pub text: String,
    /// Not a single well-formed value: nothing to dispatch on, the group's dead letter takes it.
    pub malformed: bool,
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
