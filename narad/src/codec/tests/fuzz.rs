//! Readers of what others wrote, fed with bent bytes.

use serde::de::IgnoredAny;

use super::codecs::Codec;
use super::*;
use crate::fuzz;

const SEEDS: &[&[u8]] = &[
    br#"{"id":"1","type":"USER_LOGIN","version":"1.0","timestamp":"t","source":"s","data":{"userId":"ada","ip":null}}"#,
    br#"{"type":"USER_LOGIN","data":{"userId":"ada"},"more":[1,{"a":"b\"c"}], "id" : 7 }"#,
    br#"{"userId":"\ud83d\ude00 \ud83d","n":5.0,"m":-1.5e+3,"type":"STRICT","timestamp":1760000000000}"#,
    br#"{"data":{"data":{}},"t\u0079pe":"A","kind":"Text","n":18446744073709551615}"#,
    br#" [ {"a":[[[[]]]]}, true,false,null,-0,0.5,1E2,"x" ] "#,
    br#"{"type":"READING","kind":"One","value":1e2}"#,
    "\"caf\u{e9} \u{1f600}\"".as_bytes(),
    b"{garbage",
];

/// How deep brackets go, strings left out; for what serde_json takes.
fn depth(text: &str) -> usize {
    let (mut deep, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if std::mem::take(&mut escaped) => {}
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                deep += 1;
                deepest = deepest.max(deep);
            }
            b'}' | b']' if !quoted => deep -= 1,
            _ => {}
        }
    }
    deepest
}

/// serde_json's own opinion.
fn is_well_formed(payload: &[u8]) -> bool {
    std::str::from_utf8(payload)
        .is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok() && depth(text) <= 127)
}

#[test]
fn the_scan_and_serde_json_are_of_one_opinion_about_any_bytes() {
    let deep = ["[".repeat(126), "]".repeat(126)].concat();
    let deep = format!(r#"{{"type":"A","data":{deep}}}"#);
    let seeds: Vec<&[u8]> = SEEDS.iter().copied().chain([deep.as_bytes()]).collect();
    fuzz::run(&seeds, |payload| {
        let record = record(Some(payload), &[]);
        let body = Body::json(&record);
        let well_formed = is_well_formed(payload);
        assert_eq!(body.check().is_ok(), well_formed);
        assert_eq!(!body.completed().outline.is_malformed(), well_formed);
        for error in [
            body.event::<Json, UserLogin>(&LOGIN).err(),
            body.event::<Json, Holding>(&OPEN).err(),
            body.value::<IgnoredAny>().err(),
        ] {
            assert!(error.is_none_or(|error| error.is_malformed() != well_formed));
        }
        if !well_formed {
            return;
        }
        let text = std::str::from_utf8(payload).unwrap();
        assert_eq!(body.outline.is_object(), text.trim_ascii_start().starts_with('{'));
        // serde_json reads whatever values it can, and the other words of a value are as well-formed, and
        // read as it is or better.
        let value = serde_json::from_str::<Value>(text);
        if let Some(mended) = json::mend::mended(text) {
            assert!(is_well_formed(mended.as_bytes()), "{mended}");
            assert!(value.is_err() || serde_json::from_str::<Value>(&mended).is_ok(), "{mended}");
            assert_eq!(json::mend::mended(&mended), None, "{mended}");
        }
        let Ok(Value::Object(object)) = value else { return };
        let outline = body.completed().outline;
        for (key, name) in
            [(Key::Id, "id"), (Key::Type, "type"), (Key::Source, "source"), (Key::Data, "data")]
        {
            assert_eq!(outline.has(key), object.contains_key(name), "{name}");
        }
        assert_eq!(Json::has_key(payload, "kind"), object.contains_key("kind"));
    });
}

#[test]
fn whatever_stands_in_headers_is_read_as_text_or_not_at_all() {
    let names = ["narad-type", "type", "ce_type", "narad-id", "narad-version", "narad-source"];
    fuzz::run(
        &[b"USER_LOGIN", b"TYPED", b"\"USER_LOGIN\"", b"", b"\xff", "caf\u{e9}".as_bytes(), b"a\x00b"],
        |value| {
            let place = value.len() % names.len();
            for payload in
                [br#"{"userId":"a"}"#.as_slice(), br#"{"type":"mine","data":{"userId":"a"}}"#, b"7", b"{"]
            {
                // The last of a name counts.
                let headers: Vec<(&str, &[u8])> =
                    vec![(names[place], b"first"), ("other", value), (names[place], value)];
                let record = record(Some(payload), &headers);
                let body = Body::json(&record);
                let text = std::str::from_utf8(value).ok();
                for shape in [LOGIN, CARRIER, TYPED, OPEN, VALUE, ANY, SET] {
                    let r#type = body.type_for(&shape);
                    assert_eq!(body.meta(&shape).r#type, r#type);
                    for name in ["USER_LOGIN", "TYPED", "mine"] {
                        assert_eq!(body.type_is(&shape, name), r#type.as_deref() == Some(name));
                    }
                    if place < 3 && !payload.starts_with(br#"{"type""#) {
                        assert_eq!(r#type.as_deref(), text);
                    }
                }
                if place == 3 && payload.len() == 14 {
                    assert_eq!(body.meta(&LOGIN).id.as_deref(), text);
                }
            }
        },
    );
}
