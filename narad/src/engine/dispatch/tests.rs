//! Who gets a record, and who does not.

use proptest::prelude::*;

use super::*;
use crate::codec::{Format, Parcel};
use crate::event::Event;
use crate::record::{Assignment, Source};
use crate::transport::{Message, OwnedMessage};

const fn shape(types: &'static [&'static str], fields: Fields) -> Shape {
    Shape::of_tests(types, Format::Envelope, fields)
}

/// Every way in which a handler may see the type of a record.
static SHAPES: [Shape; 9] = [
    shape(&["A"], Fields::Named(&["x"])),
    shape(&["B"], Fields::Named(&["x", "type"])),
    shape(&["C"], Fields::Open),
    shape(&["A"], Fields::Value),
    shape(&["B"], Fields::Named(&["data"])),
    shape(&["5"], Fields::Named(&[])),
    Shape {
        variants: &[shape(&["A"], Fields::Named(&["type"])), shape(&["D"], Fields::Open)],
        ..shape(&["A", "D"], Fields::Value)
    },
    Shape { variants: &[shape(&["C"], Fields::Named(&[]))], other: true, ..shape(&["C"], Fields::Value) },
    shape(&["E"], Fields::Open),
];

fn body() -> impl Strategy<Value = String> {
    let r#type = prop::sample::select(vec![
        "",
        r#""type":"A","#,
        r#""type":"B","#,
        r#""type":"\u0043","#,
        r#""type":5,"#,
        r#""type":"E","#,
    ]);
    let rest = prop::sample::select(vec![
        r#""x":1"#,
        r#""data":{}"#,
        r#""data":1"#,
        r#""id":"","version":"","source":"","data":{}"#,
    ]);
    (r#type, rest, any::<bool>()).prop_map(
        |(r#type, rest, object)| {
            if object { format!("{{{type}{rest}}}") } else { "7".to_owned() }
        },
    )
}

fn header() -> impl Strategy<Value = Option<&'static str>> {
    prop::option::of(prop::sample::select(vec!["A", "B", "C", "D", "E", "F"]))
}

fn record<'h>(payload: &[u8], headers: impl IntoIterator<Item = (&'h str, &'h str)>) -> Record {
    let headers = headers.into_iter().map(|(name, value)| (name.into(), Some(value.into()))).collect();
    let message = OwnedMessage { payload: Some(payload.to_vec()), headers, ..OwnedMessage::default() };
    let source = Source::bare("t".into(), 0, Assignment::new(Default::default()));
    Record::new(source, Message::Owned(message))
}

/// Where a record goes: the places of its handlers, or why it has none.
fn went(routes: &Routes, record: &Record) -> Result<Vec<usize>, &'static str> {
    match routes.route(&routes.look_at(record)) {
        Route::Handlers(targets) => Ok(targets.as_slice().to_vec()),
        Route::Nobody(Unhandled::UnknownType) => Err("nobody"),
        Route::Nobody(_) => Err("passed over"),
        Route::GroupDeadLetter(_, cause) => Err(cause.class),
    }
}

static PARCEL: Shape = Parcel::<1>::SHAPE;

#[test]
fn a_record_that_is_no_json_goes_where_its_header_says() {
    let routes = Routes::new(vec![Taking::event(&PARCEL)]);
    let parcel = Parcel::<1>::new("Ada", "1 kg").payload();
    for (name, value, expected) in [
        ("narad-type", "PARCEL", Ok(vec![0])),
        ("type", "PARCEL", Ok(vec![0])),
        ("type", "OTHER", Err("nobody")),
        // It is the topic's only typed handler.
        ("other", "PARCEL", Ok(vec![0])),
    ] {
        assert_eq!(went(&routes, &record(&parcel, [(name, value)])), expected, "{name}: {value}");
    }
    let malformed = record(b"F\x01\x09Ada", [("type", "PARCEL")]);
    assert_eq!(went(&routes, &malformed), Err("narad::Malformed"));
    // The same bytes on a topic of JSON are what they ever were.
    let json = Routes::new(vec![Taking::event(&SHAPES[0])]);
    assert_eq!(went(&json, &record(&parcel, [("type", "A")])), Err("narad::Malformed"));
}

#[test]
fn on_a_topic_of_several_encodings_a_header_says_which_a_record_has() {
    let routes = Routes::new(vec![Taking::event(&SHAPES[0]), Taking::event(&PARCEL)]);
    let parcel = Parcel::<1>::new("Ada", "1 kg").payload();
    assert_eq!(went(&routes, &record(&parcel, [("narad-type", "PARCEL")])), Ok(vec![1]));
    assert_eq!(went(&routes, &record(br#"{"type":"A","x":1}"#, [])), Ok(vec![0]));
    assert_eq!(went(&routes, &record(br#"{"x":1}"#, [("type", "A")])), Ok(vec![0]));
    assert_eq!(went(&routes, &record(&parcel, [])), Err("narad::Malformed"));
    assert_eq!(went(&routes, &record(br#"{"x":1}"#, [("type", "PARCEL")])), Err("narad::Malformed"));
}

#[test]
fn what_nobody_takes_is_passed_over_or_goes_to_the_groups_dead_letter_as_the_group_says() {
    use LeftOver::{DeadLetter, Skip};
    let null = {
        let source = Source::bare("t".into(), 0, Assignment::new(Default::default()));
        Record::new(source, Message::Owned(OwnedMessage::default()))
    };
    let (other, malformed) = (record(br#"{"type":"F\n","x":1}"#, []), record(br#"{"type":"F""#, []));
    let routes =
        |unknown, tombstone| Routes::new(vec![Taking::event(&SHAPES[0])]).with_left_over(unknown, tombstone);
    for (routes, of_other, of_null) in [
        (Routes::new(vec![Taking::event(&SHAPES[0])]), "nobody", "tombstone"),
        (routes(Skip, Skip), "nobody", "passed over"),
        (routes(DeadLetter, Skip), "unknown_type", "passed over"),
        (routes(DeadLetter, DeadLetter), "unknown_type", "tombstone"),
    ] {
        assert_eq!(went(&routes, &other), Err(of_other));
        assert_eq!(went(&routes, &null), Err(of_null));
        assert_eq!(went(&routes, &malformed), Err("narad::Malformed"), "no option is about it");
        assert_eq!(went(&routes, &record(br#"{"type":"A","x":1}"#, [])), Ok(vec![0]));
    }
    let routes = routes(DeadLetter, Skip);
    let Route::GroupDeadLetter(why, cause) = routes.route(&routes.look_at(&other)) else {
        panic!("a dead letter");
    };
    assert_eq!(why, Unhandled::UnknownType);
    assert_eq!(cause.text, "no handler of the topic takes the type: F\\n");
}

proptest! {
    /// Taken by the body's `type` as it stands there, or by whatever says what the type is: the same
    /// handlers get the record.
    #[test]
    fn the_type_in_the_body_says_no_other_than_all_that_is_known_of_it(payload in body(), own in header(), foreign in header()) {
        let headers = [("narad-type", own), ("type", foreign)].into_iter();
        let headers = headers.filter_map(|(name, value)| Some((name, value?)));
        let record = record(payload.as_bytes(), headers);
        let body = Body::json(&record);
        for handlers in SHAPES.iter().map(|shape| vec![shape]).chain([SHAPES.iter().collect()]) {
            let routes = Routes::new(handlers.into_iter().map(Taking::event).collect());
            let asks = Routes { by_body: vec![false; routes.by_body.len()], ..Routes::new(routes.handlers.clone()) };
            let (mut quick, mut asked) = (Targets::none(), Targets::none());
            let quick_by_type = routes.add_typed(&mut quick, &body, &routes.typed, |_| true);
            let asked_by_type = asks.add_typed(&mut asked, &body, &asks.typed, |_| true);
            prop_assert_eq!((quick, quick_by_type), (asked, asked_by_type));
        }
    }

    /// Found by type, or asked one after the other: the same handlers get the record.
    #[test]
    fn the_index_finds_whoever_takes_a_record(payload in body(), own in header(), foreign in header()) {
        let routes = Routes::new(SHAPES.iter().map(Taking::event).collect());
        let headers = [("narad-type", own), ("type", foreign)].into_iter();
        let headers = headers.filter_map(|(name, value)| Some((name, value?)));
        let record = record(payload.as_bytes(), headers);
        let body = Body::json(&record);
        let (mut asked, mut found) = (Targets::none(), Targets::none());
        routes.add_typed(&mut asked, &body, &routes.typed, |_| true);
        routes.add_typed(&mut found, &body, &routes.of_its_types(&body), |_| true);
        prop_assert_eq!(asked, found);
    }
}
