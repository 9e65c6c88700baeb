//! Bytes to events and back.
//!
//! The seam runs between this module and the folders of the encodings, such as [`json`]. Here are the rules
//! of the wire, which know shapes and headers and no syntax: what an envelope is, whose field a `type` is,
//! where metadata stands. An encoding is the syntax, behind the trait [`Codec`](codecs::Codec): what a
//! payload is at its top level (an [`Outline`](codecs::Outline), the same plain data for all), an event out
//! of it, and a body into bytes.
//!
//! A new one is a folder beside [`json`]; outside of it, three entries in this file ([`Encoding`],
//! `of_codec`, [`codecs`]), its word in `narad-macros/src/event/attr.rs`, and its line in `docs/events.md`.

/// What the codec of an encoding says: a branch where there are several, and never a virtual call.
macro_rules! of_codec {
    ($encoding:expr, $($asked:tt)+) => {
        match $encoding {
            Encoding::Json => codecs::Json::$($asked)+,
            #[cfg(test)]
            Encoding::Frames => codecs::Frames::$($asked)+,
        }
    };
}

mod body;
mod encoder;
mod encoding;
mod error;
#[cfg(test)]
mod frames;
mod header;
mod json;
mod outline;
mod shape;
mod stamp;
mod wait;

pub use body::Body;
pub(crate) use body::type_headers;
pub use encoder::Encoder;
pub(crate) use encoding::LatePayload;
pub(crate) use error::Fault;
pub use error::{DecodeError, EncodeError};
#[cfg(test)]
pub(crate) use frames::{Parcel, came};
pub(crate) use header::ID as ID_HEADER;
pub(crate) use outline::Outline;
pub use shape::{About, Fields, Format, Shape};
pub(crate) use stamp::Stamp;
pub(crate) use wait::Wait;

/// How the bytes of a payload say what an event holds; where in a body the metadata stands is a [`Format`].
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Json,
    #[cfg(test)]
    Frames,
}

/// The codecs by the names of their encodings, for generated code, and what they are made of.
#[doc(hidden)]
pub mod codecs {
    pub use super::encoding::{Beside, Codec, Data, Reads, Writes, Written};
    #[cfg(test)]
    pub(crate) use super::frames::Frames;
    pub use super::json::Json;
    pub use super::outline::{Key, Keys, Outline, Top};
}

#[cfg(test)]
mod tests;
