//! What events look like to others.

use std::collections::BTreeMap;

use narad::prelude::*;
use narad::serde_json::Value;

use crate::{Application, Seen, say, text};

#[derive(Event)]
#[event(topic = "wire.written", type = "USER_LOGIN", version = "2.1", key = user_id)]
#[serde(rename_all = "camelCase")]
struct UserLogin {
    user_id: String,
    ip: Option<String>,
}

#[derive(Event)]
#[event(topic = "wire.written", format = "flat", key = user_id)]
#[serde(rename_all = "camelCase")]
struct FlatLogin {
    user_id: u64,
    ip: Option<String>,
}

#[derive(Event)]
#[event(topic = "wire.written", format = "flat")]
struct OwnNames {
    r#type: u8,
    id: u8,
    version: u8,
    timestamp: u8,
    source: u8,
    data: u8,
    more: u8,
}

#[derive(Event)]
#[event(topic = "wire.written")]
enum Written {
    Login(UserLogin),
    #[event(type = "LOGIN_AS_CALLED_HERE")]
    Flat(FlatLogin),
    #[event(other)]
    Other,
}

#[derive(Event)]
#[event(topic = "wire.written", format = "flat", type = "FILE")]
#[serde(tag = "kind")]
enum File {
    Text(Content),
}

#[derive(EventData)]
struct Content {
    data: Length,
}

#[derive(EventData)]
struct Length {
    length: u8,
}

#[kafka_handler(topic = "wire.written", group = "wire-written", ordering = "partition")]
async fn written(record: Record, seen: State<Seen>) {
    let mut headers: Vec<_> =
        record.headers().map(|(name, value)| format!("{}={}", text(Some(name)), text(value))).collect();
    headers.sort();
    say(&seen, format!("{} {} {}", text(record.key()), text(record.payload()), headers.join(" ")));
}

/// An id and a time differ from event to event.
fn without_the_moment(mut written: String) -> String {
    for (before, length) in [("\"id\":\"", 36), ("\"timestamp\":\"", 24), ("narad-id=", 36)] {
        if let Some(at) = written.find(before) {
            written.replace_range(at + before.len()..at + before.len() + length, "…");
        }
    }
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn both_formats_and_closed_sets_are_written_as_documented() {
    let mut application = Application::start(&["wire-written"]).await;
    let narad = application.narad.clone();
    let login = || UserLogin { user_id: "ada".into(), ip: None };
    narad.event(&login()).partition(0).send().await.expect("an acknowledgement");
    narad
        .event(&FlatLogin { user_id: 7, ip: Some("::1".into()) })
        .partition(0)
        .send()
        .await
        .expect("an acknowledgement");
    narad
        .event(&OwnNames { r#type: 1, id: 2, version: 3, timestamp: 4, source: 5, data: 6, more: 7 })
        .partition(0)
        .send()
        .await
        .expect("one");
    narad.event(&Written::Login(login())).partition(0).send().await.expect("an acknowledgement");
    narad
        .event(&Written::Flat(FlatLogin { user_id: 8, ip: None }))
        .partition(0)
        .send()
        .await
        .expect("an acknowledgement");
    let all: Vec<_> = application.sightings(5).await;

    let envelope: Value =
        narad::serde_json::from_str(all[0].split_once(' ').unwrap().1.trim()).expect("an envelope");
    let id = envelope["id"].as_str().unwrap();
    assert_eq!((id.len(), id.as_bytes()[14]), (36, b'7'), "{id} is a UUIDv7");
    let timestamp = envelope["timestamp"].as_str().unwrap();
    assert!(
        timestamp.len() == 24 && timestamp.as_bytes()[10] == b'T' && timestamp.ends_with('Z'),
        "{timestamp} is RFC 3339 with milliseconds"
    );

    let all: Vec<_> = all.into_iter().map(without_the_moment).collect();
    let headers = "narad-id=… narad-source=wire narad-version=1.0";
    let login = r#"ada {"id":"…","type":"USER_LOGIN","version":"2.1","timestamp":"…","source":"wire","data":{"userId":"ada","ip":null}} "#;
    assert_eq!(all[0], login);
    assert_eq!(
        all[1],
        format!(r#"7 {{"type":"FLAT_LOGIN","userId":7,"ip":"::1","timestamp":"…"}} {headers}"#)
    );
    assert_eq!(
        all[2],
        r#"null {"type":1,"id":2,"version":3,"timestamp":4,"source":5,"data":6,"more":7} narad-id=… narad-source=wire narad-type=OWN_NAMES narad-version=1.0"#
    );
    assert_eq!(all[3], login);
    assert_eq!(
        all[4],
        format!(r#"8 {{"type":"LOGIN_AS_CALLED_HERE","userId":8,"ip":null,"timestamp":"…"}} {headers}"#)
    );

    let other = narad.publish(&Written::Other).await.expect_err("`other` is for reading");
    assert!(other.to_string().contains("`other` variant of Written is for reading"), "{other}");
    // Its tag says that it is no envelope.
    narad
        .publish(&File::Text(Content { data: Length { length: 1 } }))
        .await
        .expect("it is read as it is written");
    let file = without_the_moment(application.sightings(1).await.remove(0));
    assert!(file.contains(r#"{"type":"FILE","kind":"Text","data":{"length":1},"timestamp":"…"}"#), "{file}");
    application.stop().await;
}

#[derive(Event, Clone)]
#[event(topic = "wire.measured", type = "MEASURED")]
struct Measured {
    celsius: f64,
    coarse: Option<f32>,
    all: Vec<Sample>,
    #[serde(flatten)]
    more: BTreeMap<String, f64>,
}

#[derive(EventData, Clone)]
#[serde(tag = "kind")]
enum Sample {
    One { value: f32 },
    Two { value: (u8, f64) },
}

#[kafka_handler(topic = "wire.measured", group = "wire-measured", ordering = "partition")]
async fn measured(event: Measured, seen: State<Seen>) {
    say(&seen, format!("{:?} {:?} {}", event.celsius, event.coarse, event.more.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_float_that_is_not_finite_is_refused_wherever_it_stands_and_the_others_come_back_as_they_were() {
    let mut application = Application::start(&["wire-measured"]).await;
    let narad = application.narad.clone();
    let fine = Measured {
        celsius: 0.1 + 0.2,
        coarse: Some(0.1),
        all: vec![Sample::One { value: 1.0 }],
        more: BTreeMap::new(),
    };
    let bad = [
        Measured { celsius: f64::NAN, ..fine.clone() },
        Measured { celsius: f64::NEG_INFINITY, ..fine.clone() },
        Measured { coarse: Some(f32::INFINITY), ..fine.clone() },
        Measured { all: vec![Sample::One { value: f32::NAN }], ..fine.clone() },
        Measured { all: vec![Sample::Two { value: (1, f64::NAN) }], ..fine.clone() },
        Measured { more: BTreeMap::from([("a".to_owned(), f64::NAN)]), ..fine.clone() },
    ];
    for event in &bad {
        let error = narad.publish(event).await.expect_err("JSON has no word for it").to_string();
        assert!(error.contains("not finite"), "{error}");
    }
    let error =
        narad.send("wire.measured", [1.0, f64::NAN]).await.expect_err("JSON has no word for it").to_string();
    assert!(error.contains("wire.measured") && error.contains("not finite"), "{error}");
    narad.publish(&fine).await.expect("an acknowledgement");
    assert_eq!(application.sightings(1).await, ["0.30000000000000004 Some(0.1) 0"]);
    application.stop().await;
}

#[kafka_handler(topic = "wire.nul", group = "wire-nul")]
async fn nul(record: Record, seen: State<Seen>) {
    let names: Vec<_> =
        record.headers().map(|(name, value)| format!("{}={}", text(Some(name)), text(value))).collect();
    say(&seen, names.join(" "));
}

/// A limit of librdkafka's, which hands over no length with a name.
#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_a_header_ends_at_its_first_nul_byte() {
    let mut application = Application::start(&["wire-nul"]).await;
    let narad = application.narad.clone();
    narad
        .message("wire.nul", 1)
        .header("before\0behind", "a")
        .header("\0", "b")
        .header("c", "d\0e")
        .send()
        .await
        .expect("an acknowledgement");
    assert_eq!(application.sightings(1).await, ["before=a =b c=d\0e"]);
    application.stop().await;
}
