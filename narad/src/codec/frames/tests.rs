//! An event that is no JSON, from value to record and back.

use super::super::tests::{record, written};
use super::*;
use crate::codec::codecs::Json;
use crate::codec::{Body, DecodeFault, Encoder};
use crate::event::{DecodeEvent, Event};
use crate::producer::{encoded, encoded_or_late};

type Ready = Parcel<1>;

fn parcel() -> Ready {
    Parcel::new("Ada", "12 kg")
}

fn written_parcel() -> Record {
    let mut encoder = Encoder::new("shop");
    parcel().encode(&mut encoder, &Ready::SHAPE, "PARCEL").unwrap();
    written(&encoder)
}

#[test]
fn an_event_that_is_no_json_is_written_and_read_back_with_its_metadata_in_headers() {
    let record = written_parcel();
    assert_eq!(record.payload().unwrap(), b"F\x01\x03Ada\x0512 kg");
    assert_eq!(record.payload().unwrap(), parcel().payload());
    let body = Body::of(&record, Encoding::Frames);
    assert!(body.is_for(&Ready::SHAPE) && body.check().is_ok());
    assert_eq!(body.unknown_type().as_deref(), Some("PARCEL"));
    let meta = body.meta(&Ready::SHAPE);
    assert_eq!(meta.r#type.as_deref(), Some("PARCEL"));
    assert_eq!((meta.version.as_deref(), meta.source.as_deref()), (Some("1.0"), Some("shop")));
    assert!(meta.id.is_some());
    assert_eq!(Ready::decode(&body).unwrap(), parcel());
}

#[test]
fn what_is_not_well_formed_and_what_does_not_fit_are_told_apart() {
    let malformed = record(Some(b"F\x01\x09Ada"), &[("narad-type", b"PARCEL")]);
    let body = Body::of(&malformed, Encoding::Frames);
    assert!(body.outline.is_malformed() && body.check().unwrap_err().is_malformed());
    assert!(Ready::decode(&body).unwrap_err().is_malformed());
    let one_text = record(Some(b"F\x01\x03Ada"), &[]);
    let error = Ready::decode(&Body::of(&one_text, Encoding::Frames)).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.is_malformed()), ("1 texts are not it", false));
    assert!(Body::of(&record(None, &[]), Encoding::Frames).outline.is_null());
}

#[test]
fn a_record_of_another_encoding_does_not_fit_and_says_which_it_is() {
    let record = written_parcel();
    let error = Ready::decode(&Body::json(&record)).unwrap_err();
    assert_eq!(error.to_string(), "the record is read as JSON, and the event is frames");
    assert!(!error.is_malformed());
    let body = Body::of(&record, Encoding::Frames);
    assert!(!body.event::<Json, u8>(&Shape::UNKNOWN).unwrap_err().is_malformed());
    // Whoever asks for JSON, whatever the event is, is told of the bytes.
    let error = body.value::<u8>().unwrap_err();
    assert!(error.is_malformed() && error.to_string().starts_with("not well-formed JSON"), "{error}");
}

#[tokio::test]
async fn a_payload_whose_schema_is_not_there_yet_is_read_once_it_is() {
    type Late = Parcel<101>;
    let record = record(Some(&Late::new("Ada", "1 kg").payload()), &[("type", b"PARCEL")]);
    let body = Body::of(&record, Encoding::Frames);
    // Dispatch does not wait for it.
    assert!(body.is_for(&Late::SHAPE));
    let error = Late::decode(&body).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.is_malformed()), ("it waits for schema 101", false));
    let DecodeFault::NotYet(wait) = error.fault else { panic!("{:?}", error.fault) };
    let read = tokio::spawn(wait.over());
    tokio::task::yield_now().await;
    assert!(!read.is_finished());
    came(101);
    read.await.unwrap();
    assert_eq!(Late::decode(&body).unwrap(), Late::new("Ada", "1 kg"));
}

#[tokio::test]
async fn an_event_whose_schema_is_not_there_yet_has_its_payload_later() {
    type Late = Parcel<102>;
    let event = Late::new("Ada", "1 kg");
    let mut encoder = Encoder::new("shop");
    let (mut outgoing, late) = encoded_or_late("parcels", &event, &mut encoder).unwrap();
    let late = late.unwrap();
    assert_eq!(late.what(), "schema 102");
    assert!(outgoing.headers.iter().any(|(name, _)| name == b"narad-type"));
    // Nobody waits within an application's own send.
    let refused = encoded("parcels", &event, &mut encoder).unwrap_err();
    assert_eq!(refused.to_string(), "it waits for schema 102");
    came(102);
    outgoing.payload = Some(late.over().await.unwrap());
    assert_eq!(outgoing.payload, Some(event.payload()));
    assert_eq!(encoded("parcels", &event, &mut encoder).unwrap().payload, Some(event.payload()));
}
