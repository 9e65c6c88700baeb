//! What cannot be read, and what people are told of it.

use super::*;

#[test]
fn every_truncation_of_an_envelope_is_malformed() {
    for (written, shape) in [
        (encoded(&login(), &LOGIN), LOGIN),
        (encoded(&login(), &LOGIN_FLAT), LOGIN_FLAT),
        (encoded(&login(), &LOGIN), OPEN),
    ] {
        let payload = written.payload().unwrap();
        for end in 0..payload.len() {
            let record = record(Some(&payload[..end]), &[]);
            let body = Body::json(&record);
            assert!(
                body.event::<Json, UserLogin>(&shape).unwrap_err().is_malformed(),
                "accepted {end} bytes"
            );
            assert!(body.value::<Value>().unwrap_err().is_malformed());
            assert!(body.check().unwrap_err().is_malformed());
            body.meta(&shape);
            body.type_for(&shape);
        }
    }
}

#[test]
fn what_follows_data_is_checked() {
    for tail in ["", "}}", "} x", ",}", r#","a"}"#, r#","a":}"#, r#","a":01}"#, r#","a":tru}"#, "} {}"] {
        let record = text(&format!(r#"{{"type":"USER_LOGIN","data":{{"userId":"123"}}{tail}"#));
        assert!(
            Body::json(&record).event::<Json, UserLogin>(&LOGIN).unwrap_err().is_malformed(),
            "accepted {tail:?}"
        );
        assert!(Body::json(&record).check().is_err());
    }
    let record = text("{\"type\":\"USER_LOGIN\",\"data\":{\"userId\":\"123\"} , \"a\" : [1, {}] }\n");
    assert_eq!(Body::json(&record).event::<Json, UserLogin>(&LOGIN).unwrap(), login());
    assert!(Body::json(&record).check().is_ok());
}

#[test]
fn errors_quote_no_values() {
    let record = text("{\"type\":\"USER_LOGIN\",\n \"data\":{\"userId\":123456}}");
    let error = Body::json(&record).event::<Json, UserLogin>(&LOGIN).unwrap_err();
    assert_eq!(error.text, "invalid type: integer, expected a string at line 2 column 24");
    assert!(!error.is_malformed());
    let record = text(r#"{"data":{"n":"secret\", expected u64"}}"#);
    let error = Body::json(&record).event::<Json, Strict>(&STRICT).unwrap_err();
    assert_eq!(error.text, "invalid type: string, expected u64 at line 1 column 37");
    let record = text(r#"{"sec`, expected `ret":1}"#);
    let error = Body::json(&record).event::<Json, Choice>(&VALUE).unwrap_err();
    assert_eq!(error.text, "unknown variant, expected `Text` or `Fields` at line 1 column 22");
    let record = text(r#"{"n":"secret unknown variant `secret`, expected it"}"#);
    let error = Body::json(&record).event::<Json, Strict>(&STRICT).unwrap_err();
    assert!(error.text.starts_with("invalid type: string, expected u64 at"), "{error}");
    let record = text(r#"{"n":"sec\"ret"}"#);
    let error = Body::json(&record).event::<Json, Custom>(&STRICT).unwrap_err();
    assert_eq!(error.text, "cannot parse \"…\" as a date at line 1 column 16");
    let record = text(r#"{"ip":"secret"}"#);
    assert_eq!(
        Body::json(&record).event::<Json, UserLogin>(&LOGIN).unwrap_err().text,
        "missing field `userId` at line 1 column 15"
    );
}

#[test]
fn borrowed_text_with_escapes_gets_a_hint() {
    let record = text(r#"{"text":"a"}"#);
    assert_eq!(Body::json(&record).event::<Json, Borrowed<'_>>(&BORROWED).unwrap(), Borrowed { text: "a" });
    let record = text(r#"{"text":"a\n"}"#);
    let error = Body::json(&record).event::<Json, Borrowed<'_>>(&BORROWED).unwrap_err();
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
        let body = Body::json(&record);
        assert!(body.outline.is_malformed());
        for error in [
            body.event::<Json, UserLogin>(&LOGIN).unwrap_err(),
            body.check().unwrap_err(),
            body.value::<Value>().unwrap_err(),
        ] {
            assert_eq!(error.text, format!("not well-formed JSON: {reason}"));
            assert!(error.is_malformed());
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
            let body = Body::json(&record);
            assert_eq!(body.check().is_ok(), fits);
            assert_eq!(body.value::<Value>().is_ok(), fits);
            let event = body.event::<Json, UserLogin>(&LOGIN);
            assert_eq!(event.is_ok(), fits && body.outline.is_object());
        }
    }
    let brackets_in_a_string = text(&format!(r#"{{"userId":"{}\"{}"}}"#, "[".repeat(300), "{".repeat(300)));
    assert!(Body::json(&brackets_in_a_string).event::<Json, UserLogin>(&LOGIN).is_ok());
}

/// What reads no more than it wants, as a `Deserialize` by hand may.
#[derive(Debug)]
struct Lazy;

impl<'de> Deserialize<'de> for Lazy {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // An enum that says it is done before it has read what it holds.
        struct Held;
        impl<'de> serde::de::Visitor<'de> for Held {
            type Value = Lazy;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a variant")
            }
            fn visit_enum<A: serde::de::EnumAccess<'de>>(self, data: A) -> Result<Lazy, A::Error> {
                data.variant::<String>().map(|_| Lazy)
            }
        }
        deserializer.deserialize_enum("Lazy", &[], Held)
    }
}

#[test]
fn a_value_that_is_not_read_whole_does_not_fit_and_is_well_formed() {
    let record = text(r#"{"type":"LAZY","data":{"A":{"b":[1]}}}"#);
    let error = Body::json(&record).event::<Json, Lazy>(&VALUE).unwrap_err();
    assert!(!error.is_malformed(), "{error}");
}

#[test]
fn numbers_that_are_maps_to_serde_get_a_hint_where_they_are() {
    #[derive(Debug, Deserialize)]
    #[serde(tag = "kind")]
    enum Reading {
        #[allow(dead_code)]
        Celsius { value: f64 },
    }
    let open = shape(&["READING"], Format::Envelope, Fields::Partly(&["kind"]));
    let number = text(r#"{"type":"READING","kind":"Celsius","value":1.5}"#);
    let map = text(r#"{"type":"READING","kind":"Celsius","value":{}}"#);
    // One test for both builds: in an ordinary one the first is read, and nothing is blamed for the second.
    match Body::json(&number).event::<Json, Reading>(&open) {
        Ok(Reading::Celsius { value }) => {
            assert_eq!(value, 1.5);
            assert_eq!(
                Body::json(&map).event::<Json, Reading>(&open).unwrap_err().text,
                "invalid type: map, expected f64"
            );
        }
        Err(error) => {
            assert!(error.text.contains("`arbitrary_precision`") && !error.is_malformed(), "{error}")
        }
    }
}

#[test]
fn integers_of_any_width_and_double_options_are_read() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Wide {
        big: u128,
        small: i128,
        twice: Option<Option<u8>>,
    }
    let wide = Wide { big: u128::MAX, small: i128::MIN, twice: None };
    let shape = shape(&["WIDE"], Format::Envelope, Fields::Named(&["big", "small", "twice"]));
    assert_eq!(Body::json(&encoded(&wide, &shape)).event::<Json, Wide>(&shape).unwrap(), wide);
    let null = text(r#"{"type":"WIDE","big":1,"small":2,"twice":null}"#);
    assert_eq!(
        Body::json(&null).event::<Json, Wide>(&shape).unwrap(),
        Wide { big: 1, small: 2, twice: None }
    );
    // As serde does: of a field that is there twice neither is right.
    let doubled = text(r#"{"type":"WIDE","big":1,"big":2,"small":2}"#);
    assert_eq!(
        Body::json(&doubled).event::<Json, Wide>(&shape).unwrap_err().text,
        "duplicate field `big` at line 1 column 28"
    );
}

#[test]
fn what_other_languages_write_and_json_does_not_have_says_so() {
    for (payload, reason) in [
        (r#"{"type":"PAID","amount":NaN}"#, "expected value at line 1 column 25"),
        (r#"{"type":"PAID","amount":-Infinity}"#, "invalid number at line 1 column 26"),
        ("{'type':'PAID'}", "key must be a string at line 1 column 2"),
        (r#"{"type":"PAID",}"#, "key must be a string at line 1 column 16"),
        ("\u{feff}{}", "expected value at line 1 column 1"),
    ] {
        let record = text(payload);
        let error = Body::json(&record).check().unwrap_err();
        assert_eq!(
            (error.to_string(), error.is_malformed()),
            (format!("not well-formed JSON: {reason}"), true),
            "{payload}"
        );
    }
}

#[test]
fn numbers_out_of_range_do_not_fit_and_are_well_formed() {
    let record = text(r#"{"n":1e400}"#);
    assert!(!Body::json(&record).event::<Json, BTreeMap<String, f64>>(&OPEN).unwrap_err().is_malformed());
    let half_a_pair = text(r#"{"userId":"\ud800","type":"\ud800"}"#);
    assert_eq!(Body::json(&half_a_pair).event::<Json, UserLogin>(&LOGIN).unwrap().user_id, "\u{fffd}");
    assert_eq!(Body::json(&half_a_pair).type_for(&LOGIN).as_deref(), Some("\u{fffd}"));
}
