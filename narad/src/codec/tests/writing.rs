//! What is written, and where an event's own fields meet those of the envelope.

use super::*;

#[test]
fn an_envelope_is_written_in_the_order_in_which_it_is_read_fast() {
    let record = encoded(&login(), &LOGIN);
    let payload = std::str::from_utf8(record.payload().unwrap()).unwrap();
    let value: Value = serde_json::from_str(payload).unwrap();
    let (id, timestamp) = (value["id"].as_str().unwrap(), value["timestamp"].as_str().unwrap());
    let data = r#"{"userId":"123","ip":null}"#;
    assert_eq!(
        payload,
        format!(
            r#"{{"id":"{id}","type":"USER_LOGIN","version":"1.0","timestamp":"{timestamp}","source":"shop","data":{data}}}"#
        )
    );
    assert_eq!(uuid::Uuid::parse_str(id).unwrap().get_version_num(), 7);
    assert_eq!(timestamp.len(), 24);
    let now = jiff::Timestamp::now().as_millisecond();
    assert!((now - timestamp.parse::<jiff::Timestamp>().unwrap().as_millisecond()).abs() < 60_000);

    let body = Body::json(&record);
    assert!(!body.outline.is_complete());
    let meta = body.meta(&LOGIN);
    assert!(matches!(meta.id, Some(Cow::Borrowed(text)) if text == id));
    assert_eq!(meta.source.as_deref(), Some("shop"));
    assert_eq!(body.event::<Json, UserLogin>(&LOGIN).unwrap(), login());
}

#[test]
fn a_flat_body_has_type_and_timestamp_beside_the_fields_and_the_rest_in_headers() {
    let record = encoded(&login(), &LOGIN_FLAT);
    let payload = std::str::from_utf8(record.payload().unwrap()).unwrap();
    assert!(
        payload.starts_with(r#"{"type":"USER_LOGIN","userId":"123","ip":null,"timestamp":"2"#),
        "{payload}"
    );
    let body = Body::json(&record);
    let meta = body.meta(&LOGIN_FLAT);
    assert_eq!((meta.version.as_deref(), meta.source.as_deref()), (Some("1.0"), Some("shop")));
    assert!(meta.id.is_some() && meta.timestamp.is_some());
    assert_eq!(body.event::<Json, UserLogin>(&LOGIN_FLAT).unwrap(), login());
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
    let body = Body::json(&written);
    assert!(body.type_is(&TYPED, "TYPED") && !body.type_is(&TYPED, "mine"));
    assert_eq!(body.meta(&TYPED).timestamp, None);
    assert_eq!(body.meta(&TYPED).r#type.as_deref(), Some("TYPED"));
    assert_eq!(body.event::<Json, Typed>(&TYPED).unwrap(), typed);

    let foreign = record(Some(br#"{"type":"mine","timestamp":7}"#), &[("type", b"TYPED")]);
    assert!(Body::json(&foreign).type_is(&TYPED, "TYPED"));
    assert_eq!(Body::json(&text(r#"{"type":"TYPED","timestamp":7}"#)).type_for(&TYPED), None);
    // In an envelope there is no doubt.
    let envelope = text(r#"{"type":"TYPED","data":{"type":"mine","timestamp":7}}"#);
    assert!(Body::json(&envelope).type_is(&TYPED, "TYPED"));
}

#[test]
fn a_type_among_unknown_fields_goes_into_the_header() {
    let mut event = Flattened { n: 1, rest: BTreeMap::from([("type".to_owned(), json!("mine"))]) };
    let written = encoded(&event, &OPEN);
    let body = Body::json(&written);
    assert!(body.type_is(&OPEN, "OPEN"));
    let read: Flattened = body.event::<Json, _>(&OPEN).unwrap();
    assert_eq!(read.rest["type"], "mine");
    event.rest = BTreeMap::from(["id", "version", "source", "data"].map(|key| (key.to_owned(), json!(1))));
    assert_eq!(Body::json(&encoded(&event, &OPEN)).event::<Json, Flattened>(&OPEN).unwrap().n, 1);

    let tagged = Tagged::One { n: 1 };
    let written = encoded(&tagged, &TAGGED);
    assert_eq!(Body::json(&written).event::<Json, Tagged>(&TAGGED).unwrap(), tagged);
    assert!(Body::json(&written).type_is(&TAGGED, "TAGGED"));
}

#[test]
fn unwritable_events_are_errors() {
    let mut encoder = Encoder::new("shop");
    let flat_name = shape(&["NAME"], Format::Flat, Fields::Value);
    assert!(
        encoder
            .event::<Json, _>(&Name("a".to_owned()), &flat_name, "NAME")
            .unwrap_err()
            .to_string()
            .contains("does not serialise as an object")
    );
    let keys = BTreeMap::from([(vec![1], 2)]);
    assert_eq!(encoder.event::<Json, _>(&keys, &LOGIN, "A").unwrap_err().to_string(), "key must be a string");
    let like_an_envelope = json!({"id": 1, "version": 1, "source": 1, "data": {}});
    assert!(
        encoder.event::<Json, _>(&like_an_envelope, &OPEN, "A").unwrap_err().to_string().contains("envelope")
    );
    assert!(encoder.headers.is_empty());
}
