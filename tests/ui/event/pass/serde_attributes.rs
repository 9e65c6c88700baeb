//! Each attribute of serde's means on an event what it means beside serde's own derives.

use narad::serde_json::{Value, json, to_value};

mod functions {
    use narad::serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[derive(Debug)]
    pub(crate) struct Foreign(pub(crate) u64);

    pub(crate) mod as_text {
        use super::*;

        pub(crate) fn serialize<S: Serializer>(value: &Foreign, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_str(&value.0.to_string())
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Foreign, D::Error> {
            String::deserialize(deserializer)?.parse().map(Foreign).map_err(D::Error::custom)
        }
    }

    pub(crate) fn doubled<S: Serializer>(value: &u8, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(value * 2)
    }

    pub(crate) fn seven() -> u8 {
        7
    }

    pub(crate) fn is_zero(value: &u8) -> bool {
        *value == 0
    }
}

macro_rules! types {
    ($(#[$derived:meta])*) => {
        use super::functions::*;
        use std::borrow::Cow;

        #[derive(Debug)]
        $(#[$derived])*
        pub(crate) struct Fields<'a> {
            #[serde(with = "as_text")]
            with: Foreign,
            #[serde(serialize_with = "doubled")]
            serialize_with: u8,
            #[serde(skip_serializing_if = "is_zero", default)]
            left_out: u8,
            #[serde(default = "seven")]
            default: u8,
            #[serde(borrow)]
            text: Cow<'a, str>,
            #[serde(rename(serialize = "out", deserialize = "in"), alias = "out")]
            renamed: Option<Option<u8>>,
            #[serde(skip_serializing, default)]
            secret: u8,
            large: (i128, u128),
            float: f64,
        }

        #[derive(Debug)]
        $(#[$derived])*
        #[serde(bound(serialize = "T: Copy + Into<u64>", deserialize = "T: From<u8>"))]
        pub(crate) struct Bounded<T> {
            #[serde(skip)]
            value: Option<T>,
            beside: u8,
        }

        #[derive(Debug, Clone)]
        $(#[$derived])*
        #[serde(try_from = "u8", into = "u8")]
        pub(crate) struct Converted(u8);

        impl TryFrom<u8> for Converted {
            type Error = &'static str;
            fn try_from(value: u8) -> Result<Self, &'static str> {
                if value < 100 { Ok(Self(value)) } else { Err("too large") }
            }
        }

        impl From<Converted> for u8 {
            fn from(converted: Converted) -> u8 {
                converted.0
            }
        }

        #[derive(Debug)]
        $(#[$derived])*
        #[serde(untagged, expecting = "a number or a text")]
        pub(crate) enum Untagged {
            Number { number: u64 },
            Text(String),
            Nothing,
        }

        #[derive(Debug)]
        $(#[$derived])*
        #[serde(tag = "kind", content = "body", rename_all = "kebab-case", deny_unknown_fields)]
        pub(crate) enum Adjacent {
            FirstOne { a: u8 },
            SecondOne(u8, u8),
            ThirdOne,
        }

        #[derive(Debug)]
        $(#[$derived])*
        #[serde(tag = "kind")]
        pub(crate) enum Internal {
            A { a: u8 },
            #[serde(rename = "b", alias = "bee")]
            B,
            #[serde(other)]
            Rest,
        }

        #[derive(Debug)]
        $(#[$derived])*
        pub(crate) enum External {
            Unit,
            One(u8),
            #[serde(skip)]
            Skipped(Foreign),
            #[serde(rename_all = "UPPERCASE")]
            Some { thing: u8 },
        }

        #[derive(Debug)]
        $(#[$derived])*
        #[serde(rename(serialize = "Out"), tag = "name")]
        pub(crate) struct Named {
            held: Vec<External>,
        }

        #[derive(Debug)]
        $(#[$derived])*
        #[serde(deny_unknown_fields)]
        pub(crate) struct Strict {
            a: u8,
        }

        /// What is read of a value and what is then written, or why it is not read.
        pub(crate) fn read_and_write(kind: &str, value: &Value) -> String {
            fn of<'v, T: std::fmt::Debug + narad::serde::Serialize + narad::serde::Deserialize<'v>>(value: &'v Value) -> String {
                match T::deserialize(value) {
                    Ok(read) => format!("{read:?} {}", to_value(&read).map_or_else(|error| error.to_string(), |value| value.to_string())),
                    Err(error) => error.to_string(),
                }
            }
            match kind {
                "fields" => of::<Fields>(value),
                "bounded" => of::<Bounded<u8>>(value),
                "converted" => of::<Converted>(value),
                "untagged" => of::<Untagged>(value),
                "adjacent" => of::<Adjacent>(value),
                "internal" => of::<Internal>(value),
                "named" => of::<Named>(value),
                "skipped" => to_value(External::Skipped(Foreign(1))).unwrap_err().to_string(),
                _ => of::<Strict>(value),
            }
        }
    };
}

mod ours {
    use super::*;
    types! { #[derive(narad::Event)] #[event(type = "T")] }
}

mod serdes {
    use super::*;
    types! { #[derive(narad::serde::Serialize, narad::serde::Deserialize)] #[serde(crate = "narad::serde")] }
}

fn main() {
    let fields = |renamed: &str| {
        json!({
            "with": "5", "serialize_with": 2, "text": "t\n", renamed: null, "secret": 3,
            "large": [i64::MIN, u64::MAX], "float": 0.1, "more": 1,
        })
    };
    let values = [
        ("fields", fields("in")),
        ("fields", fields("out")),
        ("fields", json!({ "with": 5 })),
        ("fields", json!({})),
        ("bounded", json!({ "beside": 1 })),
        ("converted", json!(99)),
        ("converted", json!(100)),
        ("untagged", json!({ "number": 1 })),
        ("untagged", json!("text")),
        ("untagged", json!(null)),
        ("untagged", json!([])),
        ("adjacent", json!({ "kind": "first-one", "body": { "a": 1 } })),
        ("adjacent", json!({ "body": [1, 2], "kind": "second-one" })),
        ("adjacent", json!({ "kind": "third-one" })),
        ("adjacent", json!({ "kind": "third-one", "more": 1 })),
        ("adjacent", json!({ "kind": "fourth-one" })),
        ("internal", json!({ "kind": "A", "a": 1 })),
        ("internal", json!({ "kind": "bee" })),
        ("internal", json!({ "kind": "anything", "a": 1 })),
        ("internal", json!({ "a": 1 })),
        ("named", json!({ "held": ["Unit", { "One": 1 }, { "Some": { "THING": 1 } }] })),
        ("named", json!({ "held": [{ "Skipped": 1 }] })),
        ("named", json!(1)),
        ("skipped", json!(null)),
        ("strict", json!({ "a": 1 })),
        ("strict", json!({ "a": 1, "b": 1 })),
        ("strict", json!({ "a": 1.5 })),
    ];
    for (kind, value) in values {
        assert_eq!(
            ours::read_and_write(kind, &value),
            serdes::read_and_write(kind, &value),
            "{kind} {value}"
        );
    }
    assert!(ours::read_and_write("fields", &fields("in")).contains(r#""serialize_with":4"#));
}
