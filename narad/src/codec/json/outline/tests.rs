//! The scan against serde_json's own parser.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::codec::outline::Key;

const KEYS: [(Key, &str); 6] = [
    (Key::Id, "id"),
    (Key::Type, "type"),
    (Key::Version, "version"),
    (Key::Timestamp, "timestamp"),
    (Key::Source, "source"),
    (Key::Data, "data"),
];

/// The content of a string without escapes.
fn content(outline: Outline, key: Key, text: &str) -> Option<&str> {
    outline.raw_plain(key, text).map(crate::codec::json::unquoted)
}

#[test]
fn the_scan_stops_at_data_only_behind_the_type() {
    let canonical = read(Some(br#"{"type":"A","data":{"#));
    assert!(canonical.is_object() && !canonical.is_complete());
    assert!(complete(canonical, Some(br#"{"type":"A","data":{"#)).is_malformed());
    assert!(read(Some(br#"{"data":{},"type":"A"}"#)).is_complete());
    assert!(read(Some(br#"{"data":{,"type":"A"}"#)).is_malformed());
}

#[test]
fn values_that_are_no_object_are_checked_at_once() {
    for well_formed in ["null", " 1 ", "-0.5e+3", r#""a""#, "[{}]", "true"] {
        assert!(read(Some(well_formed.as_bytes())).is_value(), "{well_formed}");
    }
    for malformed in ["", "nul", "01", "1 2", "[", r#""a"#, "\"\n\"", "'a'"] {
        assert!(read(Some(malformed.as_bytes())).is_malformed(), "{malformed}");
    }
    assert!(read(None).is_null());
}

#[test]
fn of_a_key_that_is_there_twice_the_first_counts() {
    let text = r#"{"type":1,"type":2,"data":3,"data":4,"\u0069d":5,"source":6,"source":"7"}"#;
    let outline = complete(read_text(text), Some(text.as_bytes()));
    assert_eq!(outline.raw(Key::Type, text), Some("1"));
    assert_eq!(outline.raw(Key::Data, text), Some("3"));
    assert_eq!(outline.raw(Key::Id, text), Some("5"));
    assert_eq!(content(outline, Key::Source, text), None);
    assert!(!outline.has_others());
}

#[test]
fn what_is_nested_is_judged_as_a_parse_judges_it() {
    let deep = |levels: usize| format!("{}0{}", "[".repeat(levels), "]".repeat(levels));
    let mixed = |levels: usize| format!("{}0{}", r#"{"a":["#.repeat(levels), "]}".repeat(levels));
    for value in [
        deep(126),
        mixed(63),
        "[]".to_owned(),
        "{}".to_owned(),
        " { } ".to_owned(),
        r#"[ [ ] , { } , -0.0E-1 , "\ud800" , "\u00e9\\" ]"#.to_owned(),
        r#"{"a":1,"a":{"a":[]}}"#.to_owned(),
        "[1e999,123456789012345678901234567890]".to_owned(),
    ] {
        let text = format!(r#"{{"data":{value}}}"#);
        assert!(serde_json::from_str::<IgnoredAny>(&text).is_ok(), "{text}");
        assert!(read(Some(text.as_bytes())).is_object(), "{text}");
    }
    for value in [
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{]",
        "[",
        "{",
        "[[]",
        "[]]",
        "{}}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a" 1}"#,
        r#"{a:1}"#,
        r#"{1:1}"#,
        r#"["a]"#,
        r#"["\x"]"#,
        r#"["\u12g4"]"#,
        r#"["\"]"#,
        "[\"\n\"]",
        "[01]",
        "[1.]",
        "[.1]",
        "[+1]",
        "[-]",
        "[1e]",
        "[nul]",
        "[truee]",
        "[NaN]",
        "[\u{feff}1]",
        "[\u{a0}1]",
        "[/**/]",
    ] {
        let text = format!(r#"{{"data":{value}}}"#);
        assert!(serde_json::from_str::<IgnoredAny>(&text).is_err(), "{text}");
        assert!(read(Some(text.as_bytes())).is_malformed(), "{text}");
    }
    // Deeper than is read, whatever a parse that looks at nothing makes of it.
    for value in [deep(127), mixed(64)] {
        assert!(read(Some(format!(r#"{{"data":{value}}}"#).as_bytes())).is_malformed(), "{value}");
    }
}

/// Any JSON value, as text: with whitespace, with escapes of both kinds.
fn json() -> impl Strategy<Value = String> {
    let space = "[ \n\r\t]{0,2}";
    let string = prop_oneof![
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        Just(r#""\u0041\/\ud83d\ude00""#.to_owned())
    ];
    let number = "-?(0|[1-9][0-9]{0,5})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?";
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        string,
        number
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        let member = (space, key(), space, space, inner.clone(), space)
            .prop_map(|(a, key, b, c, value, d)| format!("{a}{key}{b}:{c}{value}{d}"));
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(" ,"))),
            prop::collection::vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => prop::sample::select(KEYS.map(|(_, name)| name).to_vec()).prop_map(|name| format!("\"{name}\"")),
        1 => Just(r#""\u0074ype""#.to_owned()),
        2 => any::<String>().prop_map(|name| serde_json::to_string(&name).unwrap()),
    ]
}

fn object() -> impl Strategy<Value = String> {
    let space = "[ \n\r\t]{0,2}";
    let member = (space, key(), space, space, json(), space)
        .prop_map(|(a, key, b, c, value, d)| format!("{a}{key}{b}:{c}{value}{d}"));
    (space, prop::collection::vec(member, 0..9), space)
        .prop_map(|(a, members, b)| format!("{a}{{{}}}{b}", members.join(",")))
}

/// The members of an object in their order, duplicates included.
struct Members(Vec<(String, Value)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

proptest! {
    #[test]
    fn the_scan_sees_what_a_parse_sees(text in object()) {
        let Members(members) = serde_json::from_str(&text).unwrap();
        let payload = Some(text.as_bytes());
        let lazy = read(payload);
        prop_assert!(lazy.is_object());
        let outline = complete(lazy, payload);
        prop_assert!(outline.is_object() && outline.is_complete());
        for (key, name) in KEYS {
            let expected = members.iter().find(|(member, _)| member == name).map(|(_, value)| value.clone());
            let raw = outline.raw(key, &text);
            let escaped = raw.is_some_and(|raw| raw.contains('\\'));
            let plain = expected.as_ref().and_then(Value::as_str).filter(|_| !escaped);
            prop_assert_eq!(content(outline, key, &text), plain);
            prop_assert_eq!(raw.map(|raw| serde_json::from_str::<Value>(raw).unwrap()), expected);
            if lazy.has(key) && key != Key::Data {
                prop_assert_eq!(lazy.raw(key, &text), raw);
            }
        }
        prop_assert_eq!(outline.has_others(), members.iter().any(|(member, _)| KEYS.iter().all(|(_, name)| member != name)));
    }

    #[test]
    fn a_complete_scan_is_as_strict_as_a_parse(text in object(), at: prop::sample::Index, byte in "[ -~\n]?", cut in 0_usize..2) {
        // One character is replaced, inserted or left out.
        let mut characters: Vec<char> = text.chars().collect();
        let at = at.index(characters.len());
        characters.splice(at..at + cut, byte.chars());
        let text: String = characters.into_iter().collect();
        let payload = Some(text.as_bytes());
        let well_formed = serde_json::from_str::<IgnoredAny>(&text).is_ok();
        prop_assert_eq!(!complete(read(payload), payload).is_malformed(), well_formed, "{:?}", text);
    }

    /// Depth is counted in parts of the text; where they begin and end does not count.
    #[test]
    fn wherever_brackets_stand_their_depth_is_seen(before in 0_usize..300, between in 0_usize..4, behind in 0_usize..300, deep in 120_usize..130) {
        let space = |length| " ".repeat(length);
        let open = format!("[{}", space(between)).repeat(deep);
        let text = format!(r#"{{"x":"{}","data":{open}0{}{}}}"#, space(before), "]".repeat(deep), space(behind));
        let payload = Some(text.as_bytes());
        prop_assert_eq!(complete(read(payload), payload).is_malformed(), deep > 126, "{}", text);
    }

    /// Brackets, commas and the like in any order: mostly not JSON.
    #[test]
    fn whatever_stands_nested_is_judged_as_a_parse_judges_it(value in "[\\[{]([\\[\\]{},:\"\\\\ 01.e-]|true|\"a\":|\"a\"){0,12}[\\]}]") {
        let text = format!(r#"{{"data":{value}}}"#);
        let well_formed = serde_json::from_str::<IgnoredAny>(&text).is_ok();
        prop_assert_eq!(!read(Some(text.as_bytes())).is_malformed(), well_formed, "{}", text);
    }
}
