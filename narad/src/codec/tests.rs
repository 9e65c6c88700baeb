//! The rules of the wire, from record to event and back.

use std::borrow::Cow;
use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;
use crate::event::{Fields, Format, Shape};
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
    Shape { types, variants: &[], other: false, format, fields, keyed: false }
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
    types: &["USER_LOGIN", "TYPED"],
    variants: &[LOGIN, TYPED],
    other: true,
    format: Format::Envelope,
    fields: Fields::Value,
    keyed: false,
};

fn record(payload: Option<&[u8]>, headers: &[(&str, &[u8])]) -> Record {
    let source = Source::bare("t".into(), 0, Assignment::new(Default::default()));
    let headers = headers.iter().map(|(name, value)| (name.as_bytes().to_vec(), Some(value.to_vec()))).collect();
    Record::new(source, Message::Owned(OwnedMessage { payload: payload.map(<[u8]>::to_vec), headers, ..OwnedMessage::default() }))
}

fn text(payload: &str) -> Record {
    record(Some(payload.as_bytes()), &[])
}

fn written(encoder: &Encoder<'_>) -> Record {
    let headers: Vec<_> = encoder.headers.iter().map(|(name, value)| (name.as_ref(), value.as_slice())).collect();
    record(Some(&encoder.payload), &headers)
}

fn encoded<T: Serialize>(data: &T, shape: &Shape) -> Record {
    let mut encoder = Encoder::new("shop");
    encoder.event(data, shape, shape.types[0], "1.0").unwrap();
    written(&encoder)
}

fn login() -> UserLogin {
    UserLogin { user_id: "123".to_owned(), ip: None }
}

#[test]
fn a_record_of_plain_kafkajs_code_is_an_event() {
    let record = text(r#"{"type":"USER_LOGIN","userId":"123","timestamp":1700000000000}"#);
    let body = Body::new(&record);
    assert!(body.type_is(&LOGIN, "USER_LOGIN") && body.is_for(&LOGIN) && !body.is_for(&STRICT));
    assert_eq!(body.event::<UserLogin>(&LOGIN).unwrap(), login());
    let meta = body.meta(&LOGIN);
    assert_eq!(meta.timestamp.as_deref(), Some("1700000000000"));
    assert_eq!(meta.r#type.as_deref(), Some("USER_LOGIN"));
    assert_eq!((meta.id, meta.version, meta.source), (None, None, None));
}

#[test]
fn a_body_without_a_type_takes_it_from_the_headers() {
    let payload = br#"{"userId":"123"}"#;
    let plain = record(Some(payload), &[]);
    assert_eq!(Body::new(&plain).type_for(&LOGIN), None);
    assert_eq!(Body::new(&plain).event::<UserLogin>(&LOGIN).unwrap(), login());
    let foreign = record(Some(payload), &[("type", b"A")]);
    assert_eq!(Body::new(&foreign).type_for(&LOGIN).as_deref(), Some("A"));
    let both = record(Some(payload), &[("type", b"A"), ("narad-type", b"B")]);
    assert_eq!(Body::new(&both).type_for(&LOGIN).as_deref(), Some("B"));
    let null = record(Some(br#"{"type":null,"userId":"123"}"#), &[("type", b"A")]);
    assert!(Body::new(&null).type_is(&LOGIN, "A"));
    let not_text = record(Some(payload), &[("type", b"\xff")]);
    assert_eq!(Body::new(&not_text).type_for(&LOGIN), None);
    let body_first = record(Some(br#"{"type":"A"}"#), &[("narad-type", b"B")]);
    assert_eq!(Body::new(&body_first).type_for(&LOGIN).as_deref(), Some("A"));
    assert_eq!(Body::new(&body_first).type_for(&ANY).as_deref(), Some("A"));
}

#[test]
fn an_envelope_is_written_in_the_order_in_which_it_is_read_fast() {
    let record = encoded(&login(), &LOGIN);
    let payload = std::str::from_utf8(record.payload().unwrap()).unwrap();
    let value: Value = serde_json::from_str(payload).unwrap();
    let (id, timestamp) = (value["id"].as_str().unwrap(), value["timestamp"].as_str().unwrap());
    let data = r#"{"userId":"123","ip":null}"#;
    assert_eq!(
        payload,
        format!(r#"{{"id":"{id}","type":"USER_LOGIN","version":"1.0","timestamp":"{timestamp}","source":"shop","data":{data}}}"#)
    );
    assert_eq!(uuid::Uuid::parse_str(id).unwrap().get_version_num(), 7);
    assert_eq!(timestamp.len(), 24);
    let now = jiff::Timestamp::now().as_millisecond();
    assert!((now - timestamp.parse::<jiff::Timestamp>().unwrap().as_millisecond()).abs() < 60_000);

    let body = Body::new(&record);
    assert!(!body.head.is_complete());
    let meta = body.meta(&LOGIN);
    assert!(matches!(meta.id, Some(Cow::Borrowed(text)) if text == id));
    assert_eq!(meta.source.as_deref(), Some("shop"));
    assert_eq!(body.event::<UserLogin>(&LOGIN).unwrap(), login());
}

#[test]
fn every_truncation_of_an_envelope_is_malformed() {
    for (written, shape) in
        [(encoded(&login(), &LOGIN), LOGIN), (encoded(&login(), &LOGIN_FLAT), LOGIN_FLAT), (encoded(&login(), &LOGIN), OPEN)]
    {
        let payload = written.payload().unwrap();
        for end in 0..payload.len() {
            let record = record(Some(&payload[..end]), &[]);
            let body = Body::new(&record);
            assert!(body.event::<UserLogin>(&shape).unwrap_err().malformed, "accepted {end} bytes");
            assert!(body.value::<Value>().unwrap_err().malformed);
            assert!(body.check().unwrap_err().malformed);
            body.meta(&shape);
            body.type_for(&shape);
        }
    }
}

#[test]
fn what_follows_data_is_checked() {
    for tail in ["", "}}", "} x", ",}", r#","a"}"#, r#","a":}"#, r#","a":01}"#, r#","a":tru}"#, "} {}"] {
        let record = text(&format!(r#"{{"type":"USER_LOGIN","data":{{"userId":"123"}}{tail}"#));
        assert!(Body::new(&record).event::<UserLogin>(&LOGIN).unwrap_err().malformed, "accepted {tail:?}");
        assert!(Body::new(&record).check().is_err());
    }
    let record = text("{\"type\":\"USER_LOGIN\",\"data\":{\"userId\":\"123\"} , \"a\" : [1, {}] }\n");
    assert_eq!(Body::new(&record).event::<UserLogin>(&LOGIN).unwrap(), login());
    assert!(Body::new(&record).check().is_ok());
}

#[test]
fn metadata_behind_data_and_types_behind_data_are_found() {
    let record = text(r#"{"data":{"userId":"123"},"type":"USER_LOGIN","id":5,"source":"a\u0062","version":null}"#);
    let body = Body::new(&record);
    assert!(body.type_is(&LOGIN, "USER_LOGIN"));
    let meta = body.meta(&LOGIN);
    assert_eq!((meta.id.as_deref(), meta.source.as_deref(), meta.version), (Some("5"), Some("ab"), None));
    assert_eq!(body.event::<UserLogin>(&LOGIN).unwrap(), login());

    let record = text(r#"{"type":"USER_LOGIN","data":{"userId":"123"},"source":{"a": 1}}"#);
    assert_eq!(Body::new(&record).meta(&LOGIN).source.as_deref(), Some(r#"{"a": 1}"#));
}

#[test]
fn metadata_that_an_envelope_lacks_comes_from_headers() {
    let record = record(Some(br#"{"data":{"userId":"123"},"id":"body"}"#), &[("narad-id", b"header"), ("narad-version", b"2")]);
    let meta = Body::new(&record).meta(&LOGIN);
    assert_eq!((meta.id.as_deref(), meta.version.as_deref()), (Some("body"), Some("2")));
}

#[test]
fn an_own_field_called_data_asks_for_the_strict_rule() {
    let flat = text(r#"{"type":"CARRIER","data":{"a":1},"n":2}"#);
    assert_eq!(Body::new(&flat).event::<Carrier>(&CARRIER).unwrap(), Carrier { data: json!({"a": 1}), n: 2 });
    let envelope = text(r#"{"type":"CARRIER","id":"1","version":"1","data":{"data":{"a":1},"n":2},"source":"s"}"#);
    assert_eq!(Body::new(&envelope).event::<Carrier>(&CARRIER).unwrap(), Carrier { data: json!({"a": 1}), n: 2 });
    let carrier = Carrier { data: json!({"a": 1}), n: 2 };
    assert_eq!(Body::new(&encoded(&carrier, &CARRIER)).event::<Carrier>(&CARRIER).unwrap(), carrier);
    // `data` that is no object makes an envelope only by the strict rule.
    let login = text(r#"{"type":"USER_LOGIN","userId":"123","data":"x"}"#);
    assert!(Body::new(&login).event::<UserLogin>(&LOGIN).is_ok());
}

#[test]
fn flattened_fields_ask_for_the_strict_rule() {
    let flat = text(r#"{"n":1,"data":{"n":2},"type":"OPEN"}"#);
    assert_eq!(Body::new(&flat).event::<Flattened>(&OPEN).unwrap().n, 1);
    let envelope = text(r#"{"id":"1","type":"OPEN","version":"1","source":"s","data":{"n":2}}"#);
    assert_eq!(Body::new(&envelope).event::<Flattened>(&OPEN).unwrap().n, 2);
    let one_more = text(r#"{"id":"1","type":"OPEN","version":"1","source":"s","data":{"n":2},"n":3}"#);
    assert_eq!(Body::new(&one_more).event::<Flattened>(&OPEN).unwrap().n, 3);
}

#[test]
fn newtypes_units_and_enums_come_out_of_any_data() {
    let name = Name("Ada".to_owned());
    assert_eq!(Body::new(&encoded(&name, &VALUE)).event::<Name>(&VALUE).unwrap(), name);
    assert_eq!(Body::new(&text(r#""Ada""#)).event::<Name>(&VALUE).unwrap(), name);
    assert_eq!(Body::new(&encoded(&Nothing, &VALUE)).event::<Nothing>(&VALUE).unwrap(), Nothing);
    for choice in [Choice::Text("a".to_owned()), Choice::Fields { n: 1 }] {
        assert_eq!(Body::new(&encoded(&choice, &VALUE)).event::<Choice>(&VALUE).unwrap(), choice);
    }
    assert_eq!(Body::new(&text(r#"{"Fields":{"n":1}}"#)).event::<Choice>(&VALUE).unwrap(), Choice::Fields { n: 1 });
}

#[test]
fn a_flat_body_has_type_and_timestamp_beside_the_fields_and_the_rest_in_headers() {
    let record = encoded(&login(), &LOGIN_FLAT);
    let payload = std::str::from_utf8(record.payload().unwrap()).unwrap();
    assert!(payload.starts_with(r#"{"type":"USER_LOGIN","userId":"123","ip":null,"timestamp":"2"#), "{payload}");
    let body = Body::new(&record);
    let meta = body.meta(&LOGIN_FLAT);
    assert_eq!((meta.version.as_deref(), meta.source.as_deref()), (Some("1.0"), Some("shop")));
    assert!(meta.id.is_some() && meta.timestamp.is_some());
    assert_eq!(body.event::<UserLogin>(&LOGIN_FLAT).unwrap(), login());
    assert_eq!(record.headers().count(), 3);

    #[derive(Serialize)]
    struct Empty {}
    let record = encoded(&Empty {}, &shape(&["E"], Format::Flat, Fields::Named(&[])));
    let value: Value = serde_json::from_slice(record.payload().unwrap()).unwrap();
    assert_eq!(value.as_object().unwrap().len(), 2);
    assert_eq!(value["type"], "E");
}

#[test]
fn an_events_own_fields_win_over_metadata() {
    let typed = Typed { r#type: "mine".to_owned(), timestamp: 7 };
    let written = encoded(&typed, &TYPED);
    assert_eq!(written.payload().unwrap(), br#"{"type":"mine","timestamp":7}"#);
    assert_eq!(written.header("narad-type"), Some(b"TYPED".as_slice()));
    let body = Body::new(&written);
    assert!(body.type_is(&TYPED, "TYPED") && !body.type_is(&TYPED, "mine"));
    assert_eq!(body.meta(&TYPED).timestamp, None);
    assert_eq!(body.meta(&TYPED).r#type.as_deref(), Some("TYPED"));
    assert_eq!(body.event::<Typed>(&TYPED).unwrap(), typed);

    let foreign = record(Some(br#"{"type":"mine","timestamp":7}"#), &[("type", b"TYPED")]);
    assert!(Body::new(&foreign).type_is(&TYPED, "TYPED"));
    assert_eq!(Body::new(&text(r#"{"type":"TYPED","timestamp":7}"#)).type_for(&TYPED), None);
    // In an envelope there is no doubt.
    let envelope = text(r#"{"type":"TYPED","data":{"type":"mine","timestamp":7}}"#);
    assert!(Body::new(&envelope).type_is(&TYPED, "TYPED"));
}

#[test]
fn a_type_among_unknown_fields_goes_into_the_header() {
    let mut event = Flattened { n: 1, rest: BTreeMap::from([("type".to_owned(), json!("mine"))]) };
    let written = encoded(&event, &OPEN);
    let body = Body::new(&written);
    assert!(body.type_is(&OPEN, "OPEN"));
    let read: Flattened = body.event(&OPEN).unwrap();
    assert_eq!(read.rest["type"], "mine");
    event.rest = BTreeMap::from(["id", "version", "source", "data"].map(|key| (key.to_owned(), json!(1))));
    assert_eq!(Body::new(&encoded(&event, &OPEN)).event::<Flattened>(&OPEN).unwrap().n, 1);

    let tagged = Tagged::One { n: 1 };
    let written = encoded(&tagged, &TAGGED);
    assert_eq!(Body::new(&written).event::<Tagged>(&TAGGED).unwrap(), tagged);
    assert!(Body::new(&written).type_is(&TAGGED, "TAGGED"));
}

#[test]
fn unwritable_events_are_errors() {
    let mut encoder = Encoder::new("shop");
    let flat_name = shape(&["NAME"], Format::Flat, Fields::Value);
    assert!(encoder.event(&Name("a".to_owned()), &flat_name, "NAME", "1.0").unwrap_err().0.contains("does not serialise as an object"));
    let keys = BTreeMap::from([(vec![1], 2)]);
    assert_eq!(encoder.event(&keys, &LOGIN, "A", "1.0").unwrap_err().0, "key must be a string");
    let like_an_envelope = json!({"id": 1, "version": 1, "source": 1, "data": {}});
    assert!(encoder.event(&like_an_envelope, &OPEN, "A", "1.0").unwrap_err().0.contains("envelope"));
    assert!(encoder.headers.is_empty());
}

#[test]
fn metadata_beside_the_fields_is_no_unknown_field() {
    let record = text(r#"{"type":"STRICT","n":1,"timestamp":2,"id":{"a":[]},"source":null}"#);
    assert_eq!(Body::new(&record).event::<Strict>(&STRICT).unwrap(), Strict { n: 1 });
    let record = text("{\"type\":\"STRICT\",\n\"n\":1,\"extra\":2}");
    let error = Body::new(&record).event::<Strict>(&STRICT).unwrap_err();
    assert_eq!(error.text, "unknown field `extra`, expected `n` at line 2 column 13");
    assert!(!error.malformed);
    assert_eq!(Body::new(&encoded(&Strict { n: 3 }, &STRICT)).event::<Strict>(&STRICT).unwrap(), Strict { n: 3 });
}

#[test]
fn a_closed_set_sees_each_event_by_its_own_shape() {
    let typed = encoded(&Typed { r#type: "USER_LOGIN".to_owned(), timestamp: 7 }, &TYPED);
    // What the header says is `TYPED`; the body's `type` would be another event's.
    assert_eq!(Body::new(&text(r#"{"type":"TYPED"}"#)).type_for(&SET).as_deref(), Some("TYPED"));
    assert_eq!(Body::new(&typed).type_for(&TYPED).as_deref(), Some("TYPED"));
    let login = encoded(&login(), &LOGIN);
    let body = Body::new(&login);
    assert!(body.is_for(&SET));
    assert_eq!(body.type_for(&SET).as_deref(), Some("USER_LOGIN"));
    assert_eq!(body.meta(&SET).version.as_deref(), Some("1.0"));
    let other = text(r#"{"type":"OTHER"}"#);
    assert!(!Body::new(&other).is_for(&SET));
    assert_eq!(Body::new(&other).type_for(&SET).as_deref(), Some("OTHER"));
}

#[test]
fn a_tombstone_has_no_value_and_headers_still_speak() {
    let record = record(None, &[("type", b"A")]);
    let body = Body::new(&record);
    assert!(body.head.is_null());
    assert!(body.event::<UserLogin>(&LOGIN).unwrap_err().malformed);
    assert!(body.value::<Option<Value>>().is_err());
    assert_eq!(body.type_for(&LOGIN).as_deref(), Some("A"));
    assert_eq!(body.meta(&LOGIN).r#type.as_deref(), Some("A"));
}

#[test]
fn errors_quote_no_values() {
    let record = text("{\"type\":\"USER_LOGIN\",\n \"data\":{\"userId\":123456}}");
    let error = Body::new(&record).event::<UserLogin>(&LOGIN).unwrap_err();
    assert_eq!(error.text, "invalid type: integer, expected a string at line 2 column 24");
    assert!(!error.malformed);
    let record = text(r#"{"data":{"n":"secret\", expected u64"}}"#);
    let error = Body::new(&record).event::<Strict>(&STRICT).unwrap_err();
    assert_eq!(error.text, "invalid type: string, expected u64 at line 1 column 37");
    let record = text(r#"{"sec`, expected `ret":1}"#);
    let error = Body::new(&record).event::<Choice>(&VALUE).unwrap_err();
    assert_eq!(error.text, "unknown variant, expected `Text` or `Fields` at line 1 column 22");
    let record = text(r#"{"n":"secret unknown variant `secret`, expected it"}"#);
    let error = Body::new(&record).event::<Strict>(&STRICT).unwrap_err();
    assert!(error.text.starts_with("invalid type: string, expected u64 at"), "{error}");
    let record = text(r#"{"n":"sec\"ret"}"#);
    let error = Body::new(&record).event::<Custom>(&STRICT).unwrap_err();
    assert_eq!(error.text, "cannot parse \"…\" as a date at line 1 column 16");
    let record = text(r#"{"ip":"secret"}"#);
    assert_eq!(Body::new(&record).event::<UserLogin>(&LOGIN).unwrap_err().text, "missing field `userId` at line 1 column 15");
}

#[test]
fn borrowed_text_with_escapes_gets_a_hint() {
    let record = text(r#"{"text":"a"}"#);
    assert_eq!(Body::new(&record).event::<Borrowed<'_>>(&BORROWED).unwrap(), Borrowed { text: "a" });
    let record = text(r#"{"text":"a\n"}"#);
    let error = Body::new(&record).event::<Borrowed<'_>>(&BORROWED).unwrap_err();
    assert!(error.text.contains("Cow<'a, str>") && !error.text.contains('\n'), "{error}");
}

#[test]
fn bytes_that_are_no_json_say_so_without_an_excerpt() {
    for (payload, reason) in [
        (b"".as_slice(), "the value is empty"),
        (b" \n", "the value is empty"),
        (b"secret", "expected value at line 1 column 1"),
        (b"{\"a\":\xff}", "not UTF-8 from byte 5 on"),
        (b"{\"a\":1", "EOF while parsing an object at line 1 column 6"),
    ] {
        let record = record(Some(payload), &[]);
        let body = Body::new(&record);
        assert!(body.head.is_malformed());
        for error in [body.event::<UserLogin>(&LOGIN).unwrap_err(), body.check().unwrap_err(), body.value::<Value>().unwrap_err()] {
            assert_eq!(error.text, format!("not well-formed JSON: {reason}"));
            assert!(error.malformed);
        }
    }
}

#[test]
fn nesting_ends_at_the_same_level_wherever_it_is() {
    for (levels, fits) in [(120, true), (200, false), (100_000, false)] {
        let deep = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        for payload in [
            deep.clone(),
            format!(r#"{{"type":"USER_LOGIN","userId":"123","deep":{deep}}}"#),
            format!(r#"{{"type":"USER_LOGIN","data":{{"userId":"123","deep":{deep}}}}}"#),
            format!(r#"{{"type":"USER_LOGIN","data":{{"userId":"123"}},"deep":{deep}}}"#),
        ] {
            let record = text(&payload);
            let body = Body::new(&record);
            assert_eq!(body.check().is_ok(), fits);
            assert_eq!(body.value::<Value>().is_ok(), fits);
            let event = body.event::<UserLogin>(&LOGIN);
            assert_eq!(event.is_ok(), fits && body.head.is_object());
        }
    }
    let brackets_in_a_string = text(&format!(r#"{{"userId":"{}\"{}"}}"#, "[".repeat(300), "{".repeat(300)));
    assert!(Body::new(&brackets_in_a_string).event::<UserLogin>(&LOGIN).is_ok());
}

#[test]
fn numbers_out_of_range_do_not_fit_and_are_well_formed() {
    let record = text(r#"{"n":1e400}"#);
    assert!(!Body::new(&record).event::<BTreeMap<String, f64>>(&OPEN).unwrap_err().malformed);
    let half_a_pair = text(r#"{"userId":"\ud800","type":"\ud800"}"#);
    assert!(!Body::new(&half_a_pair).event::<UserLogin>(&LOGIN).unwrap_err().malformed);
    assert_eq!(Body::new(&half_a_pair).type_for(&LOGIN).as_deref(), Some(r#""\ud800""#));
}

/// Objects whose keys are those of envelopes more often than not.
fn object() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        prop::sample::select(vec!["id", "type", "version", "timestamp", "source", "data", "n"]).prop_map(str::to_owned),
        any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from)
    ];
    let value = leaf.prop_recursive(3, 16, 4, {
        let name = name.clone();
        move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((name.clone(), inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        }
    });
    prop::collection::vec((name, value), 0..8).prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn read_back<T>(event: &T, format: Format, fields: Fields) -> Result<(), TestCaseError>
where
    T: Serialize + for<'de> Deserialize<'de> + PartialEq + fmt::Debug,
{
    let mut encoder = Encoder::new("shop");
    encoder.event(event, &shape(&["EVENT"], format, fields), "EVENT", "1.0").unwrap();
    let record = written(&encoder);
    for format in [Format::Envelope, Format::Flat] {
        let shape = shape(&["EVENT"], format, fields);
        let body = Body::new(&record);
        prop_assert!(body.check().is_ok() && body.type_is(&shape, "EVENT"));
        prop_assert_eq!(&body.event::<T>(&shape).unwrap(), event);
        let meta = body.meta(&shape);
        prop_assert_eq!(meta.source.as_deref(), Some("shop"));
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(user_id: String, ip: Option<String>, source: String, version: String) {
        let event = UserLogin { user_id, ip };
        for shape in [LOGIN, LOGIN_FLAT] {
            let mut encoder = Encoder::new(&source);
            encoder.event(&event, &shape, "USER_LOGIN", &version).unwrap();
            let record = written(&encoder);
            let body = Body::new(&record);
            prop_assert!(body.check().is_ok() && body.type_is(&shape, "USER_LOGIN"));
            prop_assert_eq!(&body.event::<UserLogin>(&LOGIN).unwrap(), &event);
            let meta = body.meta(&shape);
            prop_assert_eq!(meta.source.as_deref(), Some(source.as_str()));
            prop_assert_eq!(meta.version.as_deref(), Some(version.as_str()));
            prop_assert!(meta.id.is_some() && meta.timestamp.is_some());
        }
    }

    /// Whatever is written in one format is read back equal by a reader of either, or refused by the writer.
    #[test]
    fn any_value_and_any_names_are_read_back(carried in object(), rest in object(), n: u64, text: String) {
        let formats = [Format::Envelope, Format::Flat];
        for format in formats {
            let carrier = Carrier { data: carried.clone(), n };
            let own = Fields::Named(&["data", "n"]);
            read_back(&carrier, format, own)?;
            let rest = rest.as_object().unwrap().clone().into_iter().filter(|(name, _)| name != "n").collect();
            let written = Flattened { n, rest };
            let mut encoder = Encoder::new("shop");
            if encoder.event(&written, &shape(&["OPEN"], format, Fields::Open), "OPEN", "1.0").is_ok() {
                let record = self::written(&encoder);
                for format in formats {
                    let shape = shape(&["OPEN"], format, Fields::Open);
                    let body = Body::new(&record);
                    prop_assert!(body.check().is_ok() && body.type_is(&shape, "OPEN"));
                    let mut read: Flattened = body.event(&shape).unwrap();
                    // A map of unknown keys finds the metadata of a flat body.
                    read.rest.retain(|name, _| written.rest.contains_key(name) || !["type", "timestamp"].contains(&name.as_str()));
                    prop_assert_eq!(&read, &written);
                }
            }
        }
        read_back(&Name(text.clone()), Format::Envelope, Fields::Value)?;
        read_back(&Nothing, Format::Envelope, Fields::Value)?;
        read_back(&Choice::Text(text.clone()), Format::Envelope, Fields::Value)?;
        read_back(&Tagged::One { n }, Format::Flat, Fields::Named(&["type", "n"]))?;
        read_back(&Tagged::One { n }, Format::Flat, Fields::Partly(&["type"]))?;
        read_back(&Typed { r#type: text, timestamp: n }, Format::Flat, Fields::Named(&["type", "timestamp"]))?;
    }

    #[test]
    fn no_bytes_panic(payload: Vec<u8>, header: Vec<u8>) {
        let record = record(Some(&payload), &[("narad-type", &header), ("type", &header)]);
        let body = Body::new(&record);
        for shape in [LOGIN, CARRIER, TYPED, OPEN, VALUE, ANY, SET] {
            let _ = (body.type_for(&shape), body.meta(&shape), body.event::<UserLogin>(&shape).is_ok(), body.check().is_ok());
            let _ = (body.event::<Nothing>(&shape).is_ok(), body.event::<Borrowed<'_>>(&shape).is_ok(), body.value::<Value>().is_ok());
        }
    }
}
