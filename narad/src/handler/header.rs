//! What `#[header("…")]` on a parameter gives.

use std::str;

use super::extracted::Extracted;
use super::input::Input;
use super::rejection::{Rejected, Rejection};
use super::reply::Reply;
use crate::codec::DecodeFault;

/// A type that a parameter with `#[header("…")]` may have.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be taken from a header",
    label = "not a type that a header is read as",
    note = "`#[header(\"…\")]` goes on `&str`, `String`, `Vec<u8>`, an integer, or an `Option` of one of these"
)]
pub trait FromHeader<'r>: Sized {
    /// Out of the header's value; an error says what it is not, as the rest of a sentence.
    fn from_value(value: Option<&'r [u8]>) -> Result<Self, String>;

    /// Out of the last header of this name.
    fn taken(input: &'r Input, name: &'static str) -> Extracted<'r, Self> {
        let ctx = input.first();
        let value = ctx.header(name);
        Extracted::of(Self::from_value(value).map_err(|fault| {
            let is_there = ctx.headers().any(|(other, _)| other == name.as_bytes());
            let fault = if value.is_none() && is_there { "has no value".to_owned() } else { fault };
            let text = format!("the header `{name}` {fault}");
            let rejection = Rejection { text, class: "narad::Header", fault: DecodeFault::Unfit };
            Reply::refused(ctx, Rejected::Record(rejection))
        }))
    }
}

fn there(value: Option<&[u8]>) -> Result<&[u8], String> {
    value.ok_or_else(|| "is missing".to_owned())
}

/// Need not be there. One that is there and cannot be read is an error nevertheless.
impl<'r, T: FromHeader<'r>> FromHeader<'r> for Option<T> {
    fn from_value(value: Option<&'r [u8]>) -> Result<Self, String> {
        value.map(|value| T::from_value(Some(value))).transpose()
    }
}

impl<'r> FromHeader<'r> for &'r str {
    fn from_value(value: Option<&'r [u8]>) -> Result<Self, String> {
        let not_text = |error: str::Utf8Error| format!("is not UTF-8 from byte {} on", error.valid_up_to());
        str::from_utf8(there(value)?).map_err(not_text)
    }
}

impl<'r> FromHeader<'r> for String {
    fn from_value(value: Option<&'r [u8]>) -> Result<Self, String> {
        <&str>::from_value(value).map(str::to_owned)
    }
}

impl<'r> FromHeader<'r> for &'r [u8] {
    fn from_value(value: Option<&'r [u8]>) -> Result<Self, String> {
        there(value)
    }
}

impl<'r> FromHeader<'r> for Vec<u8> {
    fn from_value(value: Option<&'r [u8]>) -> Result<Self, String> {
        there(value).map(<[u8]>::to_vec)
    }
}

macro_rules! integers {
    ($($integer:ident)*) => {$(
        /// Decimal digits, as text.
        impl<'r> FromHeader<'r> for $integer {
            fn from_value(value: Option<&'r [u8]>) -> Result<Self, String> {
                let text = <&str>::from_value(value)?;
                text.parse().map_err(|error| format!(concat!("is no ", stringify!($integer), ": {}"), error))
            }
        }
    )*};
}
integers! { u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize }
