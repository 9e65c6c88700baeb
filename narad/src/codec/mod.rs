//! Bytes to events and back.
//!
//! The seam runs between this module and [`json`]. Here are the rules of the wire, which know shapes and
//! headers and no syntax: what an envelope is, whose field a `type` is, where metadata stands. [`json`] is
//! the syntax: the outer structure of a payload ([`Head`]), a value out of a payload or out of its `data`, an
//! envelope or a flat body into bytes. A second format is a second module with these three.

mod body;
mod encoder;
mod json;
mod shape;
mod stamp;

use std::fmt;

pub use body::Body;
pub use encoder::Encoder;
pub(crate) use json::Head;
pub use shape::{Fields, Format, Shape};
pub(crate) use stamp::Stamp;

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

/// Headers of a flat body's metadata.
mod header {
    pub(super) const ID: &str = "narad-id";
    pub(super) const TYPE: &str = "narad-type";
    pub(super) const VERSION: &str = "narad-version";
    pub(super) const SOURCE: &str = "narad-source";
    /// What producers other than Narad may write.
    pub(super) const FOREIGN_TYPE: &str = "type";
}

#[cfg(test)]
mod tests;
