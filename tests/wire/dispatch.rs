//! Who gets a record.

use narad::prelude::*;
use narad::serde_json::Value;
use narad::{Event, FromRecord};

use crate::{Application, Headers, Payload, Seen, say, text};

#[derive(Event, Debug)]
struct Opened {
    n: u8,
}

#[derive(Event, Debug)]
struct Closed {
    n: u8,
}

/// Whatever it holds, it is no event parameter.
struct Held<'r>(&'r [u8], Option<Opened>);

impl<'r> FromRecord<'r> for Held<'r> {
    type Error = &'static str;

    fn from_record(record: &'r Record, _: &Context) -> Result<Self, Self::Error> {
        record.payload().map(|payload| Held(payload, None)).ok_or("it holds nothing")
    }
}

#[kafka_handler(topic = "wire.many", group = "wire-many", ordering = "partition")]
async fn opened(event: Opened, seen: State<Seen>) {
    say(&seen, format!("opened {}", event.n));
}

#[kafka_handler(topic = "wire.many", group = "wire-many")]
fn opened_too(ctx: Context, event: Envelope<Opened>, seen: State<Seen>) {
    say(&seen, format!("{} {}", ctx.handler(), event.data.n));
}

#[kafka_handler(topic = "wire.many", group = "wire-many")]
async fn closed(seen: State<Seen>, event: Option<Closed>) {
    say(&seen, format!("closed {:?}", event.map(|event| event.n)));
}

#[kafka_handler(topic = "wire.many", group = "wire-many")]
async fn every(record: Record, seen: State<Seen>) {
    say(&seen, format!("every {}", text(record.payload())));
}

#[kafka_handler(topic = "wire.many", group = "wire-many")]
async fn json(Json(value): Json<Value>, seen: State<Seen>) {
    say(&seen, format!("json {value}"));
}

#[kafka_handler(topic = "wire.many", group = "wire-many", default)]
async fn rest(meta: Meta<'_>, record: Record, seen: State<Seen>) {
    say(&seen, format!("rest {:?} {}", meta.r#type.as_deref(), text(record.payload())));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_record_goes_to_all_that_take_it_and_the_rest_to_the_default() {
    let mut application = Application::start(&["wire-many"]).await;
    let cases: &[(Payload<'_>, Headers<'_>, &[&str])] = &[
        (
            Some(br#"{"type":"OPENED","n":1}"#),
            &[],
            &[
                "every {\"type\":\"OPENED\",\"n\":1}",
                "json {\"n\":1,\"type\":\"OPENED\"}",
                "opened 1",
                "opened_too 1",
            ],
        ),
        (
            Some(br#"{"type":"CLOSED","n":2}"#),
            &[],
            &["closed Some(2)", "every {\"type\":\"CLOSED\",\"n\":2}", "json {\"n\":2,\"type\":\"CLOSED\"}"],
        ),
        (
            Some(br#"{"type":"X"}"#),
            &[],
            &["every {\"type\":\"X\"}", "json {\"type\":\"X\"}", "rest Some(\"X\") {\"type\":\"X\"}"],
        ),
        // Two typed handlers and more: none is the only one.
        (Some(b"{}"), &[], &["every {}", "json {}", "rest None {}"]),
        // A tombstone, also one that says of which type.
        (None, &[], &["closed None", "every null"]),
        (None, &[("type", "OPENED")], &["closed None", "every null"]),
        // No typed handler takes these.
        (Some(b"[1]"), &[], &["every [1]", "json [1]", "rest None [1]"]),
        (Some(b"null"), &[], &["every null", "json null", "rest None null"]),
        (Some(b"{garbage"), &[], &["every {garbage", "rest None {garbage"]),
    ];
    for (payload, headers, expected) in cases {
        application.write("wire.many", *payload, headers);
        let mut seen = application.sightings(expected.len()).await;
        seen.sort();
        assert_eq!(seen, *expected, "{}", text(*payload));
    }
    application.stop().await;
}

#[kafka_handler(
    topic = "wire.only",
    group = "wire-only",
    ordering = "partition",
    dead_letter = "wire.only.unfit"
)]
async fn only(event: Opened, seen: State<Seen>) {
    say(&seen, format!("only {}", event.n));
}

macro_rules! dead {
    ($($name:ident: $topic:literal;)*) => {$(
        #[kafka_handler(topic = $topic, group = $topic, ordering = "partition")]
        async fn $name(record: Record, seen: State<Seen>) {
            let handler = text(record.header("narad-dlq-handler"));
            say(&seen, format!("dead {} by {handler:?} in {}", text(record.payload()), record.topic()));
        }
    )*};
}
dead! {
    only_dead: "wire.only.wire-only.dlq";
    only_unfit: "wire.only.unfit";
    set_dead: "wire.set.wire-set.dlq";
    held_dead: "wire.held.wire-held.dlq";
    late_dead: "wire.late.wire-late.dlq";
    late_raw_dead: "wire.late.raw.wire-late.dlq";
    late_rest_dead: "wire.late.rest.wire-late.dlq";
    late_set_dead: "wire.late.set.wire-late.dlq";
    blind_dead: "wire.blind.wire-blind.dlq";
    blind_more_dead: "wire.blind.more.wire-blind-more.dlq";
    blind_none_dead: "wire.blind.none.wire-blind-more.dlq";
    values_dead: "wire.values.wire-values.dlq";
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topics_only_typed_handler_takes_what_has_no_type_and_the_groups_dead_letter_what_nobody_can_take()
{
    let mut application =
        Application::start(&["wire-only", "wire.only.wire-only.dlq", "wire.only.unfit"]).await;
    let group = "in wire.only.wire-only.dlq";
    let cases: &[(Payload<'_>, Headers<'_>, String)] = &[
        (Some(br#"{"n":1}"#), &[], "only 1".to_owned()),
        (Some(br#"{"data":{"n":2}}"#), &[], "only 2".to_owned()),
        (None, &[], format!("dead null by \"\" {group}")),
        (Some(b"[1]"), &[], format!("dead [1] by \"\" {group}")),
        (Some(b"3"), &[("type", "OPENED")], format!("dead 3 by \"\" {group}")),
        (Some(b"\xff"), &[], format!("dead \u{fffd} by \"\" {group}")),
        (Some(b""), &[], format!("dead  by \"\" {group}")),
        // Found when the event is decoded: still not well-formed.
        (
            Some(br#"{"type":"OPENED","n":1"#),
            &[],
            format!("dead {{\"type\":\"OPENED\",\"n\":1 by \"\" {group}"),
        ),
        (
            Some(br#"{"type":"OPENED","data":{"n":1}"#),
            &[],
            format!("dead {{\"type\":\"OPENED\",\"data\":{{\"n\":1}} by \"\" {group}"),
        ),
        (
            Some(br#"{"type":"OPENED"}"#),
            &[],
            "dead {\"type\":\"OPENED\"} by \"only\" in wire.only.unfit".to_owned(),
        ),
        // Nobody takes it, and that is that.
        (Some(br#"{"type":"X"}"#), &[], String::new()),
        (Some(br#"{"n":4}"#), &[("type", "X")], String::new()),
        (Some(br#"{"n":5}"#), &[], "only 5".to_owned()),
    ];
    for (payload, headers, expected) in cases {
        application.write("wire.only", *payload, headers);
        if !expected.is_empty() {
            assert_eq!(application.sightings(1).await, [expected.as_str()]);
        }
    }
    application.stop().await;
}

#[derive(Event, Debug)]
enum WithUnit {
    Opened(Opened),
    #[event(other)]
    Rest,
}

#[derive(Event, Debug)]
enum WithJson {
    Opened(Opened),
    #[event(type = "SHUT")]
    Closed(Closed),
    #[event(other)]
    #[allow(dead_code)]
    Rest(Json<Value>),
}

#[derive(Event, Debug)]
enum WithRecord {
    Closed(Closed),
    #[event(other)]
    Rest(Record),
}

#[derive(Event, Debug)]
enum Without {
    Opened(Opened),
    Closed(Closed),
}

#[kafka_handler(topic = "wire.set", group = "wire-set", ordering = "partition")]
async fn with_unit(event: WithUnit, seen: State<Seen>) {
    say(&seen, format!("unit {event:?}"));
}

#[kafka_handler(topic = "wire.set.json", group = "wire-set", ordering = "partition")]
async fn with_json(event: Envelope<WithJson>, seen: State<Seen>) {
    say(&seen, format!("{:?} {:?} {:?}", event.r#type, event.data, event.data.event_type()));
}

#[kafka_handler(topic = "wire.set.record", group = "wire-set", ordering = "partition")]
async fn with_record(event: Option<WithRecord>, seen: State<Seen>) {
    match event {
        Some(WithRecord::Rest(record)) => say(&seen, format!("record {}", text(record.payload()))),
        other => say(&seen, format!("record {other:?}")),
    }
}

#[kafka_handler(topic = "wire.set.without", group = "wire-set", ordering = "partition")]
async fn without(event: Without, seen: State<Seen>) {
    say(&seen, format!("without {event:?}"));
}

#[kafka_handler(topic = "wire.set.without", group = "wire-set", default)]
async fn without_rest(record: Record, seen: State<Seen>) {
    say(&seen, format!("rest {}", text(record.payload())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_set_takes_its_types_and_in_other_all_the_rest() {
    let mut application = Application::start(&["wire-set", "wire.set.wire-set.dlq"]).await;
    let cases: &[(&str, Payload<'_>, &str)] = &[
        ("wire.set", Some(br#"{"type":"OPENED","n":1}"#), "unit Opened(Opened { n: 1 })"),
        ("wire.set", Some(br#"{"type":"X","n":1}"#), "unit Rest"),
        ("wire.set", Some(br#"{"n":1}"#), "unit Rest"),
        ("wire.set", None, "dead null by \"\" in wire.set.wire-set.dlq"),
        ("wire.set", Some(b"1"), "dead 1 by \"\" in wire.set.wire-set.dlq"),
        (
            "wire.set.json",
            Some(br#"{"type":"SHUT","data":{"n":1}}"#),
            r#"Some("SHUT") Closed(Closed { n: 1 }) "SHUT""#,
        ),
        (
            "wire.set.json",
            Some(br#"{"type":"CLOSED","n":1}"#),
            r#"Some("CLOSED") Rest(Json(Object {"n": Number(1), "type": String("CLOSED")})) """#,
        ),
        ("wire.set.record", Some(br#"{"type":"CLOSED","n":1}"#), "record Some(Closed(Closed { n: 1 }))"),
        ("wire.set.record", Some(br#"{"type":"X","data":1}"#), "record {\"type\":\"X\",\"data\":1}"),
        ("wire.set.record", None, "record None"),
        ("wire.set.without", Some(br#"{"type":"CLOSED","n":1}"#), "without Closed(Closed { n: 1 })"),
        ("wire.set.without", Some(br#"{"type":"X"}"#), "rest {\"type\":\"X\"}"),
        ("wire.set.without", Some(br#"{"n":1}"#), "rest {\"n\":1}"),
    ];
    for (topic, payload, expected) in cases {
        application.write(topic, *payload, &[]);
        assert_eq!(application.sightings(1).await, [*expected]);
    }
    application.stop().await;
}

#[kafka_handler(topic = "wire.held", group = "wire-held", ordering = "partition")]
async fn held(held: Held<'_>, seen: State<Seen>) {
    tokio::task::yield_now().await;
    say(&seen, format!("held {} {}", text(Some(held.0)), held.1.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_of_ones_own_takes_every_record_and_its_error_is_as_a_payload_that_does_not_fit() {
    let mut application = Application::start(&["wire-held", "wire.held.wire-held.dlq"]).await;
    application.write("wire.held", &b"{garbage"[..], &[]);
    application.write("wire.held", None, &[]);
    let mut seen = application.sightings(2).await;
    seen.sort();
    assert_eq!(seen, ["dead null by \"held\" in wire.held.wire-held.dlq", "held {garbage false"]);
    application.stop().await;
}

macro_rules! ordered {
    ($($name:ident($($param:ident: $ty:ty),*) $($default:ident)?;)*) => {$(
        #[kafka_handler(topic = "wire.ordered", group = "wire-ordered" $(, $default)?)]
        async fn $name($($param: $ty,)* seen: State<Seen>) {
            let _ = ($($param,)*);
            say(&seen, stringify!($name).to_owned());
        }
    )*};
}
// Handlers are sorted by name; who gets a record is not for their names to say.
ordered! {
    a_rest(record: Record) default;
    m_closed(event: Option<Closed>);
    m_opened(event: Opened);
    y_rest(record: Record) default;
    z_json(value: Json<Value>) default;
}

#[tokio::test(flavor = "multi_thread")]
async fn which_handlers_get_a_record_does_not_depend_on_their_names() {
    let mut application = Application::start(&["wire-ordered"]).await;
    let cases: &[(Payload<'_>, &[&str])] = &[
        (None, &["m_closed"]),
        (Some(br#"{"type":"CLOSED","n":1}"#), &["m_closed"]),
        (Some(br#"{"type":"X"}"#), &["a_rest", "y_rest", "z_json"]),
        (Some(b"[1]"), &["a_rest", "y_rest", "z_json"]),
        (Some(b"{garbage"), &["a_rest", "y_rest"]),
    ];
    for (payload, expected) in cases {
        application.write("wire.ordered", *payload, &[]);
        let mut seen = application.sightings(expected.len()).await;
        seen.sort();
        assert_eq!(seen, *expected, "{}", text(*payload));
    }
    application.stop().await;
}

#[kafka_handler(topic = "wire.late", group = "wire-late", ordering = "partition")]
async fn late(event: Opened, seen: State<Seen>) {
    say(&seen, format!("late {}", event.n));
}

#[kafka_handler(topic = "wire.late", group = "wire-late")]
async fn late_too(event: Envelope<Opened>, seen: State<Seen>) {
    say(&seen, format!("late too {}", event.data.n));
}

#[kafka_handler(topic = "wire.late.raw", group = "wire-late", ordering = "partition")]
async fn late_typed(event: Opened, seen: State<Seen>) {
    say(&seen, format!("typed {}", event.n));
}

#[kafka_handler(topic = "wire.late.raw", group = "wire-late")]
async fn late_raw(record: Record, seen: State<Seen>) {
    say(&seen, format!("raw {}", text(record.payload())));
}

#[kafka_handler(topic = "wire.late.rest", group = "wire-late", ordering = "partition")]
async fn late_beside_rest(event: Opened, seen: State<Seen>) {
    say(&seen, format!("typed {}", event.n));
}

#[kafka_handler(topic = "wire.late.rest", group = "wire-late", default)]
async fn late_rest(record: Record, seen: State<Seen>) {
    say(&seen, format!("rest {}", text(record.payload())));
}

#[kafka_handler(topic = "wire.late.set", group = "wire-late", ordering = "partition")]
async fn late_set(event: WithUnit, seen: State<Seen>) {
    say(&seen, format!("set {event:?}"));
}

/// The scan of a record stops at `data` behind `type`, and sees the rest when it is asked for: nobody is to
/// notice.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_malformed_behind_data_goes_where_it_goes_when_it_is_found_before() {
    let mut application = Application::start(&[
        "wire-late",
        "wire.late.wire-late.dlq",
        "wire.late.raw.wire-late.dlq",
        "wire.late.rest.wire-late.dlq",
        "wire.late.set.wire-late.dlq",
    ])
    .await;
    let early = [r#"{"type":"OPENED","n":1"#, r#"{"data":{"n":1},"type":"OPENED""#];
    let late = [
        r#"{"type":"OPENED","data":{"n":1}"#,
        r#"{"type":"OPENED","data":{"n":1}} x"#,
        r#"{"type":"OPENED","data":{"n":"#,
    ];
    for malformed in early.into_iter().chain(late) {
        for (topic, expected) in [
            ("wire.late", format!("dead {malformed} by \"\" in wire.late.wire-late.dlq")),
            ("wire.late.raw", format!("raw {malformed}")),
            ("wire.late.rest", format!("rest {malformed}")),
            ("wire.late.set", format!("dead {malformed} by \"\" in wire.late.set.wire-late.dlq")),
        ] {
            application.write(topic, malformed.as_bytes(), &[]);
            assert_eq!(application.sightings(1).await, [expected], "{topic}");
        }
    }
    let unknown = r#"{"type":"X","data":{"n":1}"#;
    application.write("wire.late.set", unknown.as_bytes(), &[]);
    assert_eq!(
        application.sightings(1).await,
        [format!("dead {unknown} by \"\" in wire.late.set.wire-late.dlq")]
    );
    // Also where nobody takes its type, so that nobody decodes it.
    for unknown in [
        r#"{"type":"X","data":{"n":1}"#,
        r#"{"type":"X","data":{"n":1}} x"#,
        r#"{"type":"X","data":{"n":[1}}"#,
        r#"{"type":"X","data":{"n":"\x"}}"#,
        r#"{"type":"X","data":{"n":01}}"#,
    ] {
        application.write("wire.late", unknown.as_bytes(), &[]);
        let dead = format!("dead {unknown} by \"\" in wire.late.wire-late.dlq");
        assert_eq!(application.sightings(1).await, [dead]);
    }
    application.write("wire.late", &br#"{"type":"X","data":{"n":["\ud800"]}}"#[..], &[]);
    // Where it is whole, everybody gets it.
    application.write("wire.late", &br#"{"type":"OPENED","data":{"n":2}}"#[..], &[]);
    let mut seen = application.sightings(2).await;
    seen.sort();
    assert_eq!(seen, ["late 2", "late too 2"]);
    application.stop().await;
}

#[kafka_handler(topic = "wire.blind", group = "wire-blind", ordering = "partition")]
async fn blind(meta: Meta<'_>, ctx: Context, seen: State<Seen>) {
    say(&seen, format!("{} {:?}", ctx.handler(), meta.r#type.as_deref()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_does_not_see_the_value_is_not_given_what_has_nothing_to_dispatch_on() {
    let mut application = Application::start(&["wire-blind", "wire.blind.wire-blind.dlq"]).await;
    for (payload, expected) in [
        (Some(r#"{"type":"X"}"#), "blind Some(\"X\")"),
        (Some("{}"), "blind None"),
        (Some("{garbage"), "dead {garbage by \"\" in wire.blind.wire-blind.dlq"),
        (Some("[1]"), "dead [1] by \"\" in wire.blind.wire-blind.dlq"),
        (None, "dead null by \"\" in wire.blind.wire-blind.dlq"),
    ] {
        application.write("wire.blind", payload.map(str::as_bytes), &[]);
        assert_eq!(application.sightings(1).await, [expected]);
    }
    application.stop().await;
}

#[kafka_handler(topic = "wire.blind.more", group = "wire-blind-more", ordering = "partition")]
async fn blind_but_for_a_state(seen: State<Seen>) {
    say(&seen, "state".to_owned());
}

#[kafka_handler(topic = "wire.blind.more", group = "wire-blind-more", default)]
fn blind_and_default(ctx: Context, seen: State<Seen>) {
    say(&seen, ctx.handler().to_owned());
}

#[kafka_handler(topic = "wire.blind.more", group = "wire-blind-more")]
async fn beside_the_blind(json: Json<Value>, seen: State<Seen>) {
    say(&seen, format!("json {}", json.0));
}

#[kafka_handler(topic = "wire.blind.none", group = "wire-blind-more")]
async fn blind_to_all() {
    panic!("it was given something");
}

/// Whatever it is called, and whether it is for what others leave over: what is not well-formed is nothing
/// for a handler that sees neither the record nor its JSON.
#[tokio::test(flavor = "multi_thread")]
async fn no_handler_that_takes_neither_the_record_nor_its_json_is_given_garbage() {
    let groups =
        ["wire-blind-more", "wire.blind.more.wire-blind-more.dlq", "wire.blind.none.wire-blind-more.dlq"];
    let mut application = Application::start(&groups).await;
    let dead = |payload: &str| format!("dead {payload} by \"\" in wire.blind.more.wire-blind-more.dlq");
    for (payload, expected) in [
        (
            Some(r#"{"type":"X"}"#),
            vec!["blind_and_default".to_owned(), r#"json {"type":"X"}"#.to_owned(), "state".to_owned()],
        ),
        (Some("[1]"), vec!["json [1]".to_owned()]),
        (Some(r#"{"type":"X","data":{"#), vec![dead(r#"{"type":"X","data":{"#)]),
        (Some("garbage"), vec![dead("garbage")]),
        (None, vec![dead("null")]),
    ] {
        application.write("wire.blind.more", payload.map(str::as_bytes), &[]);
        let mut seen = application.sightings(expected.len()).await;
        seen.sort();
        assert_eq!(seen, expected);
    }
    for garbage in ["{", r#"{"type":"X","data":{"n":[1}}"#, "\u{feff}{}"] {
        application.write("wire.blind.none", garbage.as_bytes(), &[]);
        let dead = format!("dead {garbage} by \"\" in wire.blind.none.wire-blind-more.dlq");
        assert_eq!(application.sightings(1).await, [dead]);
    }
    application.stop().await;
}

#[derive(Event, Debug)]
struct Nick(String);

#[derive(Event, Debug)]
struct Counted(u8);

#[derive(Event, Debug)]
enum Values {
    Nick(Nick),
    #[event(type = "COUNT")]
    Counted(Counted),
    Opened(Opened),
    #[event(other)]
    Rest,
}

#[kafka_handler(topic = "wire.values", group = "wire-values", ordering = "partition")]
async fn values(event: Values, seen: State<Seen>) {
    say(&seen, format!("{event:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_set_takes_values_that_are_no_objects_by_the_type_in_a_header() {
    let mut application = Application::start(&["wire-values", "wire.values.wire-values.dlq"]).await;
    let cases: &[(&str, Headers<'_>, &str)] = &[
        (r#""Ada""#, &[("type", "NICK")], r#"Nick(Nick("Ada"))"#),
        ("7", &[("narad-type", "COUNT")], "Counted(Counted(7))"),
        // What is an object is not read from anything else, and `other` is for what can be dispatched.
        ("7", &[("type", "OPENED")], "dead 7 by \"\" in wire.values.wire-values.dlq"),
        ("7", &[("type", "X")], "dead 7 by \"\" in wire.values.wire-values.dlq"),
        ("8", &[], "dead 8 by \"\" in wire.values.wire-values.dlq"),
    ];
    for (payload, headers, expected) in cases {
        application.write("wire.values", payload.as_bytes(), headers);
        assert_eq!(application.sightings(1).await, [*expected]);
    }
    application.stop().await;
}
