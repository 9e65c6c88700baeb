//! Events out of records, whoever wrote them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use narad::prelude::*;
use narad::serde_json::Value;

use crate::{Application, Headers, Seen, say, text};

#[derive(Event, Debug)]
#[event(type = "USER_LOGIN")]
#[serde(rename_all = "camelCase")]
struct UserLogin {
    user_id: String,
    ip: Option<String>,
}

#[derive(Event, Debug)]
struct Carrier {
    data: Value,
}

#[derive(Event, Debug)]
struct Flattened {
    n: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Event, Debug, narad::serde::Serialize, narad::serde::Deserialize)]
#[event(serde = manual)]
#[serde(crate = "narad::serde")]
struct Manual {
    n: u8,
}

#[derive(Event, Debug)]
struct Name(String);

#[derive(Event, Debug)]
struct Pair(String, u8);

#[derive(Event, Debug)]
struct Nothing;

#[derive(Event, Debug)]
#[event(type = "CHOICE")]
enum Choice {
    One,
    Two { n: u8 },
}

#[derive(Event, Debug)]
#[event(type = "TAGGED")]
#[serde(tag = "kind")]
enum Tagged {
    One { n: u8 },
    Two(Inner),
}

#[derive(EventData, Debug)]
struct Inner {
    m: u8,
}

#[derive(Event, Debug)]
#[event(type = "5")]
struct Five {}

#[derive(Event, Debug)]
#[serde(deny_unknown_fields)]
struct Strict {
    n: u8,
}

#[derive(Event, Debug)]
struct Typed<'a> {
    r#type: Cow<'a, str>,
    id: Option<u8>,
}

macro_rules! readers {
    ($($name:ident: $event:ty),*) => {$(
        #[kafka_handler(topic = "wire.read", group = "wire-read", dead_letter = "wire.unread", ordering = "partition")]
        async fn $name(event: $event, meta: Meta<'_>, seen: State<Seen>) {
            let meta = [("id", &meta.id), ("version", &meta.version), ("timestamp", &meta.timestamp), ("source", &meta.source)];
            let meta: Vec<_> = meta.iter().filter_map(|(name, value)| Some(format!(" {name}={}", value.as_deref()?))).collect();
            say(&seen, format!("{event:?}{}", meta.concat()));
        }
    )*};
}
readers! {
    user_login: UserLogin, carrier: Carrier, flattened: Flattened, manual: Manual, name: Name, pair: Pair, nothing: Nothing, choice: Choice,
    tagged: Tagged, five: Five, strict: Strict, typed: Typed<'_>
}

#[kafka_handler(topic = "wire.unread", group = "wire-unread", ordering = "partition")]
async fn unread(record: Record, seen: State<Seen>) {
    say(&seen, format!("{} does not fit {}", text(record.payload()), text(record.header("narad-dlq-handler"))));
}

type Case = (&'static str, Headers<'static>, &'static str);

const CASES: &[Case] = &[
    // Both formats, with as much metadata as there is.
    (
        r#"{"id":"1","type":"USER_LOGIN","version":"1.0","timestamp":"t","source":"s","data":{"userId":"ada"}}"#,
        &[],
        r#"UserLogin { user_id: "ada", ip: None } id=1 version=1.0 timestamp=t source=s"#,
    ),
    (r#"{"data":{"userId":"ada","ip":"::1"},"type":"USER_LOGIN"}"#, &[], r#"UserLogin { user_id: "ada", ip: Some("::1") }"#),
    (r#"{"type":"USER_LOGIN","userId":"ada","extra":[{}]}"#, &[], r#"UserLogin { user_id: "ada", ip: None }"#),
    (
        r#"{"type":"USER_LOGIN","userId":"ada"}"#,
        &[("narad-id", "1"), ("narad-version", "2"), ("narad-source", "s")],
        r#"UserLogin { user_id: "ada", ip: None } id=1 version=2 source=s"#,
    ),
    (" {\n\"t\\u0079pe\" : \"USER\\u005fLOGIN\", \"userId\" : \"\\u0061da\" } ", &[], r#"UserLogin { user_id: "ada", ip: None }"#),
    // Metadata of odd types.
    (
        r#"{"type":"USER_LOGIN","userId":"ada","timestamp":1760000000000,"id":7,"version":1.5,"source":{"a": 1}}"#,
        &[],
        r#"UserLogin { user_id: "ada", ip: None } id=7 version=1.5 timestamp=1760000000000 source={"a": 1}"#,
    ),
    (
        r#"{"type":"USER_LOGIN","data":{"userId":"ada"},"id":null,"version":true}"#,
        &[],
        r#"UserLogin { user_id: "ada", ip: None } version=true"#,
    ),
    (r#"{"type":5}"#, &[], "Five"),
    // Where the type is.
    (r#"{"userId":"ada"}"#, &[("type", "USER_LOGIN")], r#"UserLogin { user_id: "ada", ip: None }"#),
    (r#"{"userId":"ada"}"#, &[("type", "OTHER"), ("narad-type", "USER_LOGIN")], r#"UserLogin { user_id: "ada", ip: None }"#),
    (r#"{"type":"USER_LOGIN","userId":"ada"}"#, &[("type", "OTHER"), ("narad-type", "OTHER")], r#"UserLogin { user_id: "ada", ip: None }"#),
    (r#"{"type":"mine"}"#, &[("narad-type", "TYPED")], r#"Typed { type: "mine", id: None }"#),
    (r#"{"type":"mine","id":3}"#, &[("type", "TYPED"), ("narad-id", "1")], r#"Typed { type: "mine", id: Some(3) } id=1"#),
    (r#"{"type":"TYPED","data":{"type":"mine"},"id":"1"}"#, &[], r#"Typed { type: "mine", id: None } id=1"#),
    // What an envelope is, to an event without a field called `data`.
    (r#"{"type":"USER_LOGIN","userId":"ada","data":"x"}"#, &[], r#"UserLogin { user_id: "ada", ip: None }"#),
    (r#"{"type":"USER_LOGIN","userId":"ada","data":{"userId":"grace"}}"#, &[], r#"UserLogin { user_id: "grace", ip: None }"#),
    // … with one.
    (r#"{"type":"CARRIER","data":{"data":1}}"#, &[], r#"Carrier { data: Object {"data": Number(1)} }"#),
    (r#"{"type":"CARRIER","data":{"data":1},"id":1,"version":1}"#, &[], r#"Carrier { data: Object {"data": Number(1)} } version=1 id=1"#),
    (
        r#"{"type":"CARRIER","data":{"data":1},"id":"1","version":"1","source":"s"}"#,
        &[],
        r#"Carrier { data: Number(1) } id=1 version=1 source=s"#,
    ),
    (
        r#"{"type":"CARRIER","data":{"data":1},"id":"1","version":"1","source":"s","more":1}"#,
        &[],
        r#"Carrier { data: Object {"data": Number(1)} } id=1 version=1 source=s"#,
    ),
    // … and where the fields are not known.
    (
        r#"{"type":"FLATTENED","n":1,"data":{"n":2}}"#,
        &[],
        r#"Flattened { n: 1, rest: {"data": Object {"n": Number(2)}, "type": String("FLATTENED")} }"#,
    ),
    (
        r#"{"type":"FLATTENED","data":{"n":2},"id":1,"version":1,"source":1}"#,
        &[],
        r#"Flattened { n: 2, rest: {} } id=1 version=1 source=1"#,
    ),
    (r#"{"type":"MANUAL","n":1,"data":{"n":2}}"#, &[], "Manual { n: 1 }"),
    (r#"{"type":"MANUAL","data":{"n":2},"id":1,"version":1,"source":1}"#, &[], "Manual { n: 2 } id=1 version=1 source=1"),
    // Any `data` makes an envelope for what is no object.
    (r#"{"type":"NAME","data":"ada"}"#, &[], r#"Name("ada")"#),
    (r#"{"type":"PAIR","data":["ada",1],"more":1}"#, &[], r#"Pair("ada", 1)"#),
    (r#"{"type":"NOTHING","data":null}"#, &[], "Nothing"),
    (r#"{"type":"NOTHING","timestamp":1}"#, &[], "Nothing timestamp=1"),
    (r#"{"type":"CHOICE","data":"One"}"#, &[], "One"),
    (r#"{"type":"CHOICE","data":{"Two":{"n":1}}}"#, &[], "Two { n: 1 }"),
    (r#"{"Two":{"n":1}}"#, &[("type", "CHOICE")], "Two { n: 1 }"),
    (r#"{"type":"TAGGED","kind":"One","n":1}"#, &[], "One { n: 1 }"),
    (r#"{"type":"TAGGED","data":{"kind":"Two","m":1}}"#, &[], "Two(Inner { m: 1 })"),
    // Metadata is nothing that an event does not know.
    (r#"{"type":"STRICT","n":1,"timestamp":1,"id":2}"#, &[], "Strict { n: 1 } timestamp=1 id=2"),
    // What does not fit goes the handler's way.
    (r#"{"type":"STRICT","n":1,"more":1}"#, &[], r#"{"type":"STRICT","n":1,"more":1} does not fit strict"#),
    (r#"{"type":"STRICT","data":{"n":1,"id":2}}"#, &[], r#"{"type":"STRICT","data":{"n":1,"id":2}} does not fit strict"#),
    (r#"{"type":"NOTHING","data":5}"#, &[], r#"{"type":"NOTHING","data":5} does not fit nothing"#),
    (
        r#"{"type":"USER_LOGIN","id":"1","version":"1","source":"s","data":5}"#,
        &[],
        r#"{"type":"USER_LOGIN","id":"1","version":"1","source":"s","data":5} does not fit user_login"#,
    ),
    (r#"{"type":"USER_LOGIN","data":{}}"#, &[], r#"{"type":"USER_LOGIN","data":{}} does not fit user_login"#),
    (r#"{"type":"NOTHING","more":1}"#, &[], r#"{"type":"NOTHING","more":1} does not fit nothing"#),
    (r#"{"type":"TYPED"}"#, &[("type", "TYPED")], r#"Typed { type: "TYPED", id: None }"#),
];

#[tokio::test(flavor = "multi_thread")]
async fn records_of_either_format_are_read_whoever_wrote_them() {
    let mut application = Application::start(&["wire-read", "wire-unread"]).await;
    // One after the other, so that a wrong one is seen at its place.
    for (payload, headers, expected) in CASES {
        application.write("wire.read", payload.as_bytes(), headers);
        let seen = application.sightings(1).await.remove(0);
        let mut words: [Vec<&str>; 2] = [seen.split(' ').collect(), expected.split(' ').collect()];
        words.iter_mut().for_each(|words| words.sort_unstable());
        assert_eq!(words[0], words[1], "{payload} {headers:?}: {seen}");
    }
    application.stop().await;
}
