//! Bytes to events and back.
//!
//! The seam runs between this module and [`json`]. Here are the rules of the wire, which know shapes and
//! headers and no syntax: what an envelope is, whose field a `type` is, where metadata stands. [`json`] is
//! the syntax: the outer structure of a payload ([`Head`]), a value out of a payload or out of its `data`, an
//! envelope or a flat body into bytes. A second format is a second module with these three.

mod body;
mod encoder;
mod error;
mod header;
mod json;
mod shape;
mod stamp;

pub use body::Body;
pub use encoder::Encoder;
pub use error::{DecodeError, EncodeError};
pub(crate) use header::ID as ID_HEADER;
pub(crate) use json::Head;
pub use shape::{About, Fields, Format, Shape};
pub(crate) use stamp::Stamp;

#[cfg(test)]
mod tests;
