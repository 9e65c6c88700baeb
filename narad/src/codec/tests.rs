//! The rules of the wire, from record to event and back.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

mod errors;
mod fuzz;
mod reading;
mod round_trip;
mod writing;

use super::codecs::{Json, Key};
use super::*;
use crate::record::{Assignment, Record, Source};
use crate::transport::{Message, OwnedMessage};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserLogin {
    user_id: String,
    ip: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    n: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Carrier {
    data: Value,
    n: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Typed {
    r#type: String,
    timestamp: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flattened {
    n: u64,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Name(String);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nothing;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Choice {
    Text(String),
    Fields { n: u64 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
enum Tagged {
    One { n: u64 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Untagged {
    Point { x: u64, y: Option<f64> },
    Named { id: String },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", deny_unknown_fields)]
enum Adjacent {
    Left(u64),
}

/// Its fields are known in part: a held type may have one called `data`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Holding {
    Text(Carrier),
    Other { id: String },
}

#[derive(Debug, Deserialize)]
struct Custom {
    #[serde(deserialize_with = "never")]
    #[allow(dead_code)]
    n: u64,
}

fn never<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    Err(serde::de::Error::custom(format!("cannot parse {text:?} as a date")))
}

#[derive(Debug, PartialEq, Deserialize)]
struct Borrowed<'a> {
    text: &'a str,
}

const fn shape(types: &'static [&'static str], format: Format, fields: Fields) -> Shape {
    Shape::of_tests(types, format, fields)
}

const LOGIN: Shape = shape(&["USER_LOGIN"], Format::Envelope, Fields::Named(&["userId", "ip"]));
const LOGIN_FLAT: Shape = shape(&["USER_LOGIN"], Format::Flat, Fields::Named(&["userId", "ip"]));
const STRICT: Shape = shape(&["STRICT"], Format::Flat, Fields::Named(&["n"]));
const CARRIER: Shape = shape(&["CARRIER"], Format::Flat, Fields::Named(&["data", "n"]));
const TYPED: Shape = shape(&["TYPED"], Format::Flat, Fields::Named(&["type", "timestamp"]));
const OPEN: Shape = shape(&["OPEN"], Format::Flat, Fields::Open);
const VALUE: Shape = shape(&["VALUE"], Format::Envelope, Fields::Value);
const TAGGED: Shape = shape(&["TAGGED"], Format::Flat, Fields::Value);
const BORROWED: Shape = shape(&["BORROWED"], Format::Envelope, Fields::Named(&["text"]));
const ANY: Shape = shape(&[], Format::Envelope, Fields::Open);
const SET: Shape = Shape {
    version: "",
    variants: &[LOGIN, TYPED],
    other: true,
    ..shape(&["USER_LOGIN", "TYPED"], Format::Envelope, Fields::Value)
};

pub(super) fn record(payload: Option<&[u8]>, headers: &[(&str, &[u8])]) -> Record {
    let source = Source::bare("t".into(), 0, Assignment::new(Default::default()));
    let headers =
        headers.iter().map(|(name, value)| (name.as_bytes().to_vec(), Some(value.to_vec()))).collect();
    Record::new(
        source,
        Message::Owned(OwnedMessage {
            payload: payload.map(<[u8]>::to_vec),
            headers,
            ..OwnedMessage::default()
        }),
    )
}

fn text(payload: &str) -> Record {
    record(Some(payload.as_bytes()), &[])
}

pub(super) fn written(encoder: &Encoder<'_>) -> Record {
    let headers: Vec<_> =
        encoder.headers.iter().map(|(name, value)| (name.as_ref(), value.as_slice())).collect();
    record(Some(&encoder.payload), &headers)
}

fn encoded<T: Serialize>(data: &T, shape: &Shape) -> Record {
    let mut encoder = Encoder::new("shop");
    encoder.event::<Json, _>(data, shape, shape.types[0]).unwrap();
    written(&encoder)
}

fn login() -> UserLogin {
    UserLogin { user_id: "123".to_owned(), ip: None }
}
