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

#[derive(Event, Debug)]
#[event(type = "MOVED")]
#[serde(untagged, deny_unknown_fields)]
enum Moved {
    To { x: i64 },
    By { dx: i64 },
}

#[derive(Event, Debug)]
#[event(type = "TURNED")]
#[serde(tag = "kind", content = "body", deny_unknown_fields)]
enum Turned {
    Left(u8),
    Right(u8),
}

#[derive(Event, Debug)]
#[event(type = "FILE")]
#[serde(tag = "kind")]
enum File {
    Text(Content),
}

#[derive(EventData, Debug)]
#[allow(dead_code)]
struct Content {
    data: Length,
}

#[derive(EventData, Debug)]
#[allow(dead_code)]
struct Length {
    length: u8,
}

#[derive(Event, Debug)]
struct Paid {
    cents: i64,
    rate: Option<f64>,
    note: Option<String>,
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
    tagged: Tagged, five: Five, strict: Strict, typed: Typed<'_>, moved: Moved, turned: Turned, file: File, paid: Paid
}

#[kafka_handler(topic = "wire.unread", group = "wire-unread", ordering = "partition")]
async fn unread(record: Record, seen: State<Seen>) {
    say(
        &seen,
        format!("{} does not fit {}", text(record.payload()), text(record.header("narad-dlq-handler"))),
    );
}

type Case = (&'static str, Headers<'static>, &'static str);

const CASES: &[Case] = &[
    // Both formats, with as much metadata as there is.
    (
        r#"{"id":"1","type":"USER_LOGIN","version":"1.0","timestamp":"t","source":"s","data":{"userId":"ada"}}"#,
        &[],
        r#"UserLogin { user_id: "ada", ip: None } id=1 version=1.0 timestamp=t source=s"#,
    ),
    (
        r#"{"data":{"userId":"ada","ip":"::1"},"type":"USER_LOGIN"}"#,
        &[],
        r#"UserLogin { user_id: "ada", ip: Some("::1") }"#,
    ),
    (
        r#"{"type":"USER_LOGIN","userId":"ada","extra":[{}]}"#,
        &[],
        r#"UserLogin { user_id: "ada", ip: None }"#,
    ),
    (
        r#"{"type":"USER_LOGIN","userId":"ada"}"#,
        &[("narad-id", "1"), ("narad-version", "2"), ("narad-source", "s")],
        r#"UserLogin { user_id: "ada", ip: None } id=1 version=2 source=s"#,
    ),
    (
        " {\n\"t\\u0079pe\" : \"USER\\u005fLOGIN\", \"userId\" : \"\\u0061da\" } ",
        &[],
        r#"UserLogin { user_id: "ada", ip: None }"#,
    ),
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
    (
        r#"{"userId":"ada"}"#,
        &[("type", "OTHER"), ("narad-type", "USER_LOGIN")],
        r#"UserLogin { user_id: "ada", ip: None }"#,
    ),
    (
        r#"{"type":"USER_LOGIN","userId":"ada"}"#,
        &[("type", "OTHER"), ("narad-type", "OTHER")],
        r#"UserLogin { user_id: "ada", ip: None }"#,
    ),
    (r#"{"type":"mine"}"#, &[("narad-type", "TYPED")], r#"Typed { type: "mine", id: None }"#),
    (
        r#"{"type":"mine","id":3}"#,
        &[("type", "TYPED"), ("narad-id", "1")],
        r#"Typed { type: "mine", id: Some(3) } id=1"#,
    ),
    (r#"{"type":"TYPED","data":{"type":"mine"},"id":"1"}"#, &[], r#"Typed { type: "mine", id: None } id=1"#),
    // What an envelope is, to an event without a field called `data`.
    (r#"{"type":"USER_LOGIN","userId":"ada","data":"x"}"#, &[], r#"UserLogin { user_id: "ada", ip: None }"#),
    (
        r#"{"type":"USER_LOGIN","userId":"ada","data":{"userId":"grace"}}"#,
        &[],
        r#"UserLogin { user_id: "grace", ip: None }"#,
    ),
    // … with one.
    (r#"{"type":"CARRIER","data":{"data":1}}"#, &[], r#"Carrier { data: Object {"data": Number(1)} }"#),
    (
        r#"{"type":"CARRIER","data":{"data":1},"id":1,"version":1}"#,
        &[],
        r#"Carrier { data: Object {"data": Number(1)} } version=1 id=1"#,
    ),
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
    (
        r#"{"type":"MANUAL","data":{"n":2},"id":1,"version":1,"source":1}"#,
        &[],
        "Manual { n: 2 } id=1 version=1 source=1",
    ),
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
    (
        r#"{"type":"STRICT","data":{"n":1,"id":2}}"#,
        &[],
        r#"{"type":"STRICT","data":{"n":1,"id":2}} does not fit strict"#,
    ),
    (r#"{"type":"NOTHING","data":5}"#, &[], r#"{"type":"NOTHING","data":5} does not fit nothing"#),
    (
        r#"{"type":"USER_LOGIN","id":"1","version":"1","source":"s","data":5}"#,
        &[],
        r#"{"type":"USER_LOGIN","id":"1","version":"1","source":"s","data":5} does not fit user_login"#,
    ),
    (r#"{"type":"USER_LOGIN","data":{}}"#, &[], r#"{"type":"USER_LOGIN","data":{}} does not fit user_login"#),
    (r#"{"type":"NOTHING","more":1}"#, &[], r#"{"type":"NOTHING","more":1} does not fit nothing"#),
    (r#"{"type":"TYPED"}"#, &[("type", "TYPED")], r#"Typed { type: "TYPED", id: None }"#),
    // Metadata is nothing unknown in whatever representation an enum has, and what is unknown stays so.
    (r#"{"type":"MOVED","x":1,"timestamp":"t"}"#, &[], "To { x: 1 } timestamp=t"),
    (r#"{"type":"MOVED","dx":2,"id":3}"#, &[], "By { dx: 2 } id=3"),
    (r#"{"type":"MOVED","x":1,"more":2}"#, &[], r#"{"type":"MOVED","x":1,"more":2} does not fit moved"#),
    (r#"{"type":"TURNED","kind":"Left","body":1,"timestamp":"t"}"#, &[], "Left(1) timestamp=t"),
    (
        r#"{"type":"TURNED","kind":"Left","body":1,"more":2}"#,
        &[],
        r#"{"type":"TURNED","kind":"Left","body":1,"more":2} does not fit turned"#,
    ),
    // An event whose tag stands at the top is no envelope, whatever its other fields are called.
    (
        r#"{"type":"FILE","kind":"Text","data":{"length":1}}"#,
        &[],
        "Text(Content { data: Length { length: 1 } })",
    ),
    (
        r#"{"type":"FILE","data":{"kind":"Text","data":{"length":2}}}"#,
        &[],
        "Text(Content { data: Length { length: 2 } })",
    ),
    // What JavaScript and Python write, and serde_json by itself refuses.
    (r#"{"type":"PAID","cents":5.0}"#, &[], "Paid { cents: 5, rate: None, note: None }"),
    (
        r#"{"type":"PAID","data":{"cents":5e2,"rate":1.5},"source":"s"}"#,
        &[],
        "Paid { cents: 500, rate: Some(1.5), note: None } source=s",
    ),
    (r#"{"type":"PAID","cents":-0.0}"#, &[], "Paid { cents: 0, rate: None, note: None }"),
    (
        r#"{"type":"PAID","cents":1,"note":"a\ud83d"}"#,
        &[],
        "Paid { cents: 1, rate: None, note: Some(\"a\u{fffd}\") }",
    ),
    (
        r#"{"type":"PAID","cents":1,"note":"\ude00\ud83d\ude00"}"#,
        &[],
        "Paid { cents: 1, rate: None, note: Some(\"\u{fffd}\u{1f600}\") }",
    ),
    (r#"{"type":"PAID","cents":5.5}"#, &[], r#"{"type":"PAID","cents":5.5} does not fit paid"#),
    (r#"{"type":"PAID","cents":1e30}"#, &[], r#"{"type":"PAID","cents":1e30} does not fit paid"#),
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
