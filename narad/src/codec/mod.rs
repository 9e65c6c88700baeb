//! Bytes to events and back.
//!
//! The seam runs between this module and the folders of the encodings, such as [`json`]. Here are the rules
//! of the wire, which know shapes and headers and no syntax: what an envelope is, whose field a `type` is,
//! where metadata stands. An encoding is the syntax, behind the trait [`Codec`](codecs::Codec): what a
//! payload is at its top level (an [`Outline`](codecs::Outline), the same plain data for all), an event out
//! of it, and a body into bytes.
//!
//! A new one is a folder beside [`json`]; outside of it, its name in `shape.rs`, its codec in this file
//! (`with_codec`, [`codecs`]), its word in `narad-macros/src/event/attr.rs`, and its line in
//! `docs/events.md`.

/// Does something with the codec of an encoding: a branch where there are several, and never a virtual call.
macro_rules! with_codec {
    ($encoding:expr, $codec:ident => $do:expr) => {
        match $encoding {
            Encoding::Json => {
                type $codec = codecs::Json;
                $do
            }
            #[cfg(test)]
            Encoding::Frames => {
                type $codec = codecs::Frames;
                $do
            }
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
mod payload;
mod shape;
mod stamp;
mod wait;

pub use body::Body;
pub use encoder::Encoder;
pub(crate) use encoding::LatePayload;
pub(crate) use error::DecodeFault;
pub use error::{DecodeError, EncodeError};
#[cfg(test)]
pub(crate) use frames::{Parcel, came};
pub(crate) use header::{ID as ID_HEADER, types as type_headers};
pub(crate) use json::replace_id;
pub(crate) use outline::Outline;
pub use shape::{About, Encoding, Fields, Format, Shape};
pub(crate) use stamp::Stamp;
pub(crate) use wait::Wait;

/// The codecs by the names of their encodings, for generated code, and what they are made of.
#[doc(hidden)]
pub mod codecs {
    pub use super::encoding::{Beside, Codec, Data, Writes, Written};
    #[cfg(test)]
    pub(crate) use super::frames::Frames;
    pub use super::json::Json;
    pub use super::outline::{Key, Keys, Outline, Top};
    pub use super::payload::{Payload, Reads};
}

#[cfg(test)]
mod tests;
