//! The syntax of JSON: a payload's outer structure, events out of it, and bodies into bytes.

mod decode;
mod encode;
mod filter;
mod finite;
pub(super) mod mend;
mod outline;
mod read;
mod scan;

use std::borrow::Cow;
use std::str;

use serde::{Deserialize, Serialize};

use super::encoding::{Beside, Codec, Data, Writes, Written};
use super::error::{DecodeError, EncodeError};
use super::outline::{Key, Outline};
use super::payload::{Payload, Reads};
use super::shape::{Encoding, Shape};
use crate::record::Record;

pub(crate) use encode::replace_id;
pub(super) use read::value;

/// JSON, by serde and serde_json.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Json;

impl Codec for Json {
    const ENCODING: Encoding = Encoding::Json;

    fn outline(record: &Record) -> Outline {
        outline::outline(record)
    }

    fn complete(outline: Outline, payload: Option<&[u8]>) -> Outline {
        outline::complete(outline, payload)
    }

    #[inline]
    fn plain<'r>(outline: &Outline, record: &'r Record, key: Key) -> Option<&'r str> {
        outline.raw_plain(key, record.text()?).map(unquoted)
    }

    fn metadata<'r>(outline: &Outline, record: &'r Record, key: Key) -> Option<Cow<'r, str>> {
        let text = record.text()?;
        let plain = outline.raw_plain(key, text).map(|raw| Cow::Borrowed(unquoted(raw)));
        plain.or_else(|| outline.raw(key, text).and_then(decode::metadata))
    }

    fn is_object_at(payload: &[u8], at: usize) -> bool {
        payload.get(at) == Some(&b'{')
    }

    fn has_key(payload: &[u8], key: &str) -> bool {
        str::from_utf8(payload).is_ok_and(|text| filter::has_key(text, key))
    }

    fn check(outline: Outline, record: &Record) -> Result<(), DecodeError> {
        read::check(outline, record)
    }

    fn body(
        out: &mut Vec<u8>,
        data: &Data<'_>,
        shape: &Shape,
        written: &Written<'_>,
    ) -> Result<Beside, EncodeError> {
        encode::body::<Self>(out, data, shape, written)
    }
}

impl<'r, T: Deserialize<'r>> Reads<'r, T> for Json {
    fn event(payload: &Payload<'r, Self>, shape: &Shape) -> Result<T, DecodeError> {
        read::event(payload, shape)
    }

    fn object(payload: &Payload<'r, Self>, shape: &Shape) -> Result<T, DecodeError> {
        read::object(payload, shape)
    }
}

impl<T: Serialize + ?Sized> Writes<T> for Json {
    fn value(out: &mut Vec<u8>, value: &T) -> Result<(), EncodeError> {
        Ok(finite::write(out, value)?)
    }
}

/// What stands between the quotes of a string.
fn unquoted(string: &str) -> &str {
    &string[1..string.len() - 1]
}
