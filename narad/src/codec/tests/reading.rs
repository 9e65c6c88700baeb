//! What is read: which body is an envelope, and where the metadata is found.

use super::*;

#[test]
fn a_record_of_plain_kafkajs_code_is_an_event() {
    let record = text(r#"{"type":"USER_LOGIN","userId":"123","timestamp":1700000000000}"#);
    let body = Body::json(&record);
    assert!(body.type_is(&LOGIN, "USER_LOGIN") && body.is_for(&LOGIN) && !body.is_for(&STRICT));
    assert_eq!(body.event::<Json, UserLogin>(&LOGIN).unwrap(), login());
    let meta = body.meta(&LOGIN);
    assert_eq!(meta.timestamp.as_deref(), Some("1700000000000"));
    assert_eq!(meta.r#type.as_deref(), Some("USER_LOGIN"));
    assert_eq!((meta.id, meta.version, meta.source), (None, None, None));
}

#[test]
fn a_body_without_a_type_takes_it_from_the_headers() {
    let payload = br#"{"userId":"123"}"#;
    let plain = record(Some(payload), &[]);
    assert_eq!(Body::json(&plain).type_for(&LOGIN), None);
    assert_eq!(Body::json(&plain).event::<Json, UserLogin>(&LOGIN).unwrap(), login());
    let foreign = record(Some(payload), &[("type", b"A")]);
    assert_eq!(Body::json(&foreign).type_for(&LOGIN).as_deref(), Some("A"));
    let both = record(Some(payload), &[("type", b"A"), ("narad-type", b"B")]);
    assert_eq!(Body::json(&both).type_for(&LOGIN).as_deref(), Some("B"));
    let null = record(Some(br#"{"type":null,"userId":"123"}"#), &[("type", b"A")]);
    assert!(Body::json(&null).type_is(&LOGIN, "A"));
    let not_text = record(Some(payload), &[("type", b"\xff")]);
    assert_eq!(Body::json(&not_text).type_for(&LOGIN), None);
    let body_first = record(Some(br#"{"type":"A"}"#), &[("narad-type", b"B")]);
    assert_eq!(Body::json(&body_first).type_for(&LOGIN).as_deref(), Some("A"));
    assert_eq!(Body::json(&body_first).type_for(&ANY).as_deref(), Some("A"));
}

#[test]
fn other_writers_headers_hold_the_type_in_the_order_of_the_configuration() {
    let payload = br#"{"userId":"123"}"#;
    let of = |headers: &[(&str, &[u8])]| {
        let record = record(Some(payload), headers);
        Body::json(&record).type_for(&LOGIN).map(String::from)
    };
    assert_eq!(of(&[("ce_type", b"B"), ("type", b"A")]).as_deref(), Some("A"));
    assert_eq!(
        of(&[("ce_type", b"B"), ("type", b"\xff")]).as_deref(),
        Some("B"),
        "one that is no text is none"
    );
    assert_eq!(of(&[("ce_type", b"B"), ("narad-type", b"C")]).as_deref(), Some("C"));
    assert_eq!(of(&[("eventType", b"B")]), None);
    for (names, read) in [(&["eventType", "type"][..], Some("B")), (&["type"], Some("A")), (&[], None)] {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let record = record(Some(payload), &[("type", b"A"), ("eventType", b"B")]).with_type_headers(&names);
        let body = Body::json(&record);
        for r#type in [body.type_for(&LOGIN), body.unknown_type(), body.meta(&LOGIN).r#type] {
            assert_eq!(r#type.as_deref(), read, "{names:?}");
        }
        assert_eq!(body.type_is(&LOGIN, "B"), read == Some("B"));
    }
}

#[test]
fn what_cloudevents_have_in_headers_is_metadata_where_nothing_else_says_it() {
    let cloud: &[(&str, &[u8])] =
        &[("ce_id", b"1"), ("ce_source", b"/s"), ("ce_time", b"t"), ("ce_type", b"A")];
    let of = |payload: &[u8], more: &[(&str, &[u8])], shape: &Shape| {
        let record = record(Some(payload), &[cloud, more].concat());
        let meta = Body::json(&record).meta(shape);
        [meta.id, meta.source, meta.timestamp, meta.version]
            .map(|text| text.map(String::from).unwrap_or_default())
    };
    assert_eq!(of(br#"{"userId":"123"}"#, &[], &LOGIN), ["1", "/s", "t", ""]);
    assert_eq!(
        of(br#"{"userId":"123"}"#, &[("narad-id", b"2"), ("narad-source", b"n")], &LOGIN),
        ["2", "n", "t", ""]
    );
    let flat = br#"{"userId":"123","id":"3","source":"b","timestamp":"u"}"#;
    assert_eq!(of(flat, &[], &LOGIN), ["3", "b", "u", ""]);
    // A field of the event is no metadata.
    assert_eq!(of(br#"{"type":"mine","timestamp":"field"}"#, &[], &TYPED), ["1", "/s", "t", ""]);
    let envelope = br#"{"id":"4","data":{"userId":"123"}}"#;
    assert_eq!(of(envelope, &[], &LOGIN), ["4", "/s", "t", ""]);
}

#[test]
fn metadata_behind_data_and_types_behind_data_are_found() {
    let record =
        text(r#"{"data":{"userId":"123"},"type":"USER_LOGIN","id":5,"source":"a\u0062","version":null}"#);
    let body = Body::json(&record);
    assert!(body.type_is(&LOGIN, "USER_LOGIN"));
    let meta = body.meta(&LOGIN);
    assert_eq!((meta.id.as_deref(), meta.source.as_deref(), meta.version), (Some("5"), Some("ab"), None));
    assert_eq!(body.event::<Json, UserLogin>(&LOGIN).unwrap(), login());

    let record = text(r#"{"type":"USER_LOGIN","data":{"userId":"123"},"source":{"a": 1}}"#);
    assert_eq!(Body::json(&record).meta(&LOGIN).source.as_deref(), Some(r#"{"a": 1}"#));
}

#[test]
fn metadata_that_an_envelope_lacks_comes_from_headers() {
    let record = record(
        Some(br#"{"data":{"userId":"123"},"id":"body"}"#),
        &[("narad-id", b"header"), ("narad-version", b"2")],
    );
    let meta = Body::json(&record).meta(&LOGIN);
    assert_eq!((meta.id.as_deref(), meta.version.as_deref()), (Some("body"), Some("2")));
}

#[test]
fn an_own_field_called_data_asks_for_the_strict_rule() {
    let flat = text(r#"{"type":"CARRIER","data":{"a":1},"n":2}"#);
    assert_eq!(
        Body::json(&flat).event::<Json, Carrier>(&CARRIER).unwrap(),
        Carrier { data: json!({"a": 1}), n: 2 }
    );
    let envelope =
        text(r#"{"type":"CARRIER","id":"1","version":"1","data":{"data":{"a":1},"n":2},"source":"s"}"#);
    assert_eq!(
        Body::json(&envelope).event::<Json, Carrier>(&CARRIER).unwrap(),
        Carrier { data: json!({"a": 1}), n: 2 }
    );
    let carrier = Carrier { data: json!({"a": 1}), n: 2 };
    assert_eq!(Body::json(&encoded(&carrier, &CARRIER)).event::<Json, Carrier>(&CARRIER).unwrap(), carrier);
    // `data` that is no object makes an envelope only by the strict rule.
    let login = text(r#"{"type":"USER_LOGIN","userId":"123","data":"x"}"#);
    assert!(Body::json(&login).event::<Json, UserLogin>(&LOGIN).is_ok());
}

#[test]
fn flattened_fields_ask_for_the_strict_rule() {
    let flat = text(r#"{"n":1,"data":{"n":2},"type":"OPEN"}"#);
    assert_eq!(Body::json(&flat).event::<Json, Flattened>(&OPEN).unwrap().n, 1);
    let envelope = text(r#"{"id":"1","type":"OPEN","version":"1","source":"s","data":{"n":2}}"#);
    assert_eq!(Body::json(&envelope).event::<Json, Flattened>(&OPEN).unwrap().n, 2);
    let one_more = text(r#"{"id":"1","type":"OPEN","version":"1","source":"s","data":{"n":2},"n":3}"#);
    assert_eq!(Body::json(&one_more).event::<Json, Flattened>(&OPEN).unwrap().n, 3);
}

#[test]
fn newtypes_units_and_enums_come_out_of_any_data() {
    let name = Name("Ada".to_owned());
    assert_eq!(Body::json(&encoded(&name, &VALUE)).event::<Json, Name>(&VALUE).unwrap(), name);
    assert_eq!(Body::json(&text(r#""Ada""#)).event::<Json, Name>(&VALUE).unwrap(), name);
    assert_eq!(Body::json(&encoded(&Nothing, &VALUE)).event::<Json, Nothing>(&VALUE).unwrap(), Nothing);
    for choice in [Choice::Text("a".to_owned()), Choice::Fields { n: 1 }] {
        assert_eq!(Body::json(&encoded(&choice, &VALUE)).event::<Json, Choice>(&VALUE).unwrap(), choice);
    }
    assert_eq!(
        Body::json(&text(r#"{"Fields":{"n":1}}"#)).event::<Json, Choice>(&VALUE).unwrap(),
        Choice::Fields { n: 1 }
    );
}

#[test]
fn metadata_beside_the_fields_is_no_unknown_field() {
    let record = text(r#"{"type":"STRICT","n":1,"timestamp":2,"id":{"a":[]},"source":null}"#);
    assert_eq!(Body::json(&record).event::<Json, Strict>(&STRICT).unwrap(), Strict { n: 1 });
    let record = text("{\"type\":\"STRICT\",\n\"n\":1,\"extra\":2}");
    let error = Body::json(&record).event::<Json, Strict>(&STRICT).unwrap_err();
    assert_eq!(error.text, "unknown field `extra`, expected `n` at line 2 column 13");
    assert!(!error.is_malformed());
    assert_eq!(
        Body::json(&encoded(&Strict { n: 3 }, &STRICT)).event::<Json, Strict>(&STRICT).unwrap(),
        Strict { n: 3 }
    );
}

#[test]
fn a_closed_set_sees_each_event_by_its_own_shape() {
    let typed = encoded(&Typed { r#type: "USER_LOGIN".to_owned(), timestamp: 7 }, &TYPED);
    // What the header says is `TYPED`; the body's `type` would be another event's.
    assert_eq!(Body::json(&text(r#"{"type":"TYPED"}"#)).type_for(&SET).as_deref(), Some("TYPED"));
    assert_eq!(Body::json(&typed).type_for(&TYPED).as_deref(), Some("TYPED"));
    let login = encoded(&login(), &LOGIN);
    let body = Body::json(&login);
    assert!(body.is_for(&SET));
    assert_eq!(body.type_for(&SET).as_deref(), Some("USER_LOGIN"));
    assert_eq!(body.meta(&SET).version.as_deref(), Some("1.0"));
    let other = text(r#"{"type":"OTHER"}"#);
    assert!(!Body::json(&other).is_for(&SET));
    assert_eq!(Body::json(&other).type_for(&SET).as_deref(), Some("OTHER"));
}

#[test]
fn a_tombstone_has_no_value_and_headers_still_speak() {
    let record = record(None, &[("type", b"A")]);
    let body = Body::json(&record);
    assert!(body.outline.is_null());
    assert!(body.event::<Json, UserLogin>(&LOGIN).unwrap_err().is_malformed());
    assert!(body.value::<Option<Value>>().is_err());
    assert_eq!(body.type_for(&LOGIN).as_deref(), Some("A"));
    assert_eq!(body.meta(&LOGIN).r#type.as_deref(), Some("A"));
}
