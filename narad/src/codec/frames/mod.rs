//! A second encoding, for tests: it shows that the seam carries one that has nothing of JSON.
//!
//! A payload is `F`, the number of its schema, and texts with their lengths before them: no names, no types,
//! no serde. All metadata is in headers. A schema may have to be waited for.

use std::collections::HashSet;
use std::str;
use std::sync::LazyLock;

use tokio::sync::watch;

use super::encoding::{Beside, Codec, Data, Writes, Written};
use super::outline::{Keys, Outline, Top};
use super::payload::{Payload, Reads};
use super::{DecodeError, EncodeError, Encoding, Shape, Wait};
use crate::record::Record;

mod events;
mod tests;

pub(crate) use events::Parcel;

/// Texts with their lengths before them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frames;

/// What an event has to be for it.
pub(crate) trait Framed: Sized {
    const SCHEMA: u8;

    fn to_texts(&self) -> Vec<&str>;

    fn of_texts(texts: &[&str]) -> Option<Self>;
}

impl Codec for Frames {
    const ENCODING: Encoding = Encoding::Frames;

    fn outline(record: &Record) -> Outline {
        let top = match record.payload() {
            None => Top::Null,
            Some(payload) if texts(payload).is_some() => Top::Object(Keys::default()),
            Some(_) => Top::Malformed,
        };
        Outline::new(Self::ENCODING, top)
    }

    fn check(_: Outline, record: &Record) -> Result<(), DecodeError> {
        record.payload().and_then(texts).map(drop).ok_or_else(malformed)
    }

    fn body(out: &mut Vec<u8>, data: &Data<'_>, _: &Shape, _: &Written<'_>) -> Result<Beside, EncodeError> {
        data(out)?;
        let later = out.get(1).and_then(|schema| missing(*schema)).map(|wait| {
            let payload = std::mem::take(out);
            Wait::new(wait.what().to_owned(), async {
                wait.over().await;
                Ok(payload)
            })
        });
        Ok(Beside { r#type: true, others: true, later })
    }
}

impl<T: Framed> Reads<'_, T> for Frames {
    fn event(payload: &Payload<'_, Self>, _: &Shape) -> Result<T, DecodeError> {
        let payload = payload.record.payload().ok_or_else(malformed)?;
        let texts = texts(payload).ok_or_else(malformed)?;
        if let Some(wait) = missing(payload[1]) {
            return Err(DecodeError::not_yet(wait));
        }
        T::of_texts(&texts).ok_or_else(|| DecodeError::unfit(format!("{} texts are not it", texts.len())))
    }
}

impl<T: Framed> Writes<T> for Frames {
    fn value(out: &mut Vec<u8>, value: &T) -> Result<(), EncodeError> {
        out.extend([b'F', T::SCHEMA]);
        for text in value.to_texts() {
            let length = u8::try_from(text.len()).map_err(|_| EncodeError::new("too long".to_owned()))?;
            out.push(length);
            out.extend_from_slice(text.as_bytes());
        }
        Ok(())
    }
}

/// The schemas that came while the tests ran; those below this one are there from the beginning.
static CAME: LazyLock<watch::Sender<HashSet<u8>>> = LazyLock::new(Default::default);
pub(crate) const FIRST_TO_COME: u8 = 100;

/// A schema is there now.
pub(crate) fn came(schema: u8) {
    CAME.send_if_modified(|came| came.insert(schema));
}

fn missing(schema: u8) -> Option<Wait> {
    let mut came = CAME.subscribe();
    let is_there = schema < FIRST_TO_COME || came.borrow_and_update().contains(&schema);
    (!is_there).then(|| {
        Wait::new(format!("schema {schema}"), async move {
            // The sender is for ever.
            let _ = came.wait_for(|came| came.contains(&schema)).await;
        })
    })
}

fn malformed() -> DecodeError {
    DecodeError::malformed("not well-formed frames".to_owned())
}

/// What stands in a payload that is well-formed.
fn texts(payload: &[u8]) -> Option<Vec<&str>> {
    let mut rest = payload.strip_prefix(b"F")?.get(1..)?;
    let mut texts = Vec::new();
    while let Some((length, behind)) = rest.split_first() {
        let (text, behind) = behind.split_at_checked(usize::from(*length))?;
        texts.push(str::from_utf8(text).ok()?);
        rest = behind;
    }
    Some(texts)
}
