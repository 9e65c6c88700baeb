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
pub struct EncodeError(pub String);

impl EncodeError {
    /// A closed set's `other` variant, which is for reading.
    pub fn other(set: &'static str) -> Self {
        Self(format!("the `other` variant of {set} is for reading; it cannot be published"))
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<serde_json::Error> for EncodeError {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}
