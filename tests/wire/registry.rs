//! What the program says of its events and handlers.

use narad::BatchOutcome;
use narad::prelude::*;
use serde_json::{Value, json};

/// A parcel has left.
///
/// Nobody can call it back.
#[derive(Event)]
#[event(topic = "registry.${STAGE:-dev}", key = self.route.id.to_string())]
struct ParcelLeft {
    route: Route,
    #[serde(rename = "weightInGrams")]
    _weight: u32,
}

#[derive(EventData)]
struct Route {
    id: u32,
}

#[derive(Event)]
#[event(topic = "registry.notes", format = "flat", type = "NOTE", version = "2.0")]
struct Note<'a> {
    text: &'a str,
}

#[derive(Event)]
#[event(topic = "registry.changes", type = "CHANGED")]
struct Changed<T> {
    to: T,
}

#[derive(Event)]
#[event(type = "NAMED_BY_NOBODY")]
struct Boxed<T> {
    value: T,
}

#[derive(Event)]
#[event(type = "KEPT")]
struct Kept<const N: usize> {
    bytes: u8,
}

narad::events!(Kept<4>);

/// Either of them.
#[derive(Event)]
enum ParcelEvents {
    Left(ParcelLeft),
    Changed(Changed<u8>),
}

/// Writes it down.
#[kafka_handler(
    topics = ["registry.${STAGE:-dev}", "registry.changes"],
    group = "registry",
    name = "write_down",
    concurrency = 4,
    retry(attempts = 3, backoff = "250ms..2m"),
    dead_letter = "registry.failed",
    timeout = "90s"
)]
async fn note(event: ParcelEvents, _: Context) -> Result<Option<Changed<u8>>, String> {
    Ok(match event {
        ParcelEvents::Left(left) => Some(Changed { to: left.route.id as u8 }),
        ParcelEvents::Changed(_) => None,
    })
}

#[kafka_handler(pattern = "registry\\.raw\\..*", group = "registry-raw", start = "latest", default)]
fn raw(_: Record) {}

#[kafka_handler(topic = "registry.changes", group = "registry-options")]
fn batch_of_options(_: Batch<Option<Changed<u8>>>) -> Result<(BatchOutcome, Vec<Changed<u8>>), String> {
    Ok((BatchOutcome::done(), Vec::new()))
}

#[kafka_handler(topic = "registry.changes", group = "registry-envelopes")]
fn batch_of_envelopes(_: Batch<Envelope<Changed<u8>>>) {}

#[kafka_handler(topic = "registry.changes", group = "registry-records")]
fn batch_of_records(_: Batch<Record>) {}

fn registry() -> Value {
    serde_json::to_value(narad::registry()).expect("JSON")
}

/// The entry of this file by this name.
fn entry(of: &str, name: &str) -> Value {
    let registry = registry();
    let found: Vec<&Value> = registry[of]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|entry| entry["name"] == name && entry["file"].as_str().unwrap().ends_with("registry.rs"))
        .collect();
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    let mut entry = found[0].clone();
    assert!(entry["line"].as_u64().is_some_and(|line| line > 5), "{entry}");
    entry.as_object_mut().unwrap().retain(|name, _| name != "line" && name != "file");
    entry
}

#[test]
fn events_are_told_as_they_are_declared() {
    assert_eq!(
        entry("events", "ParcelLeft"),
        json!({
            "name": "ParcelLeft", "types": ["PARCEL_LEFT"], "version": "1.0", "topic": "registry.${STAGE:-dev}",
            "key": "self.route.id.to_string()", "format": "envelope",
            "docs": "A parcel has left.\n\nNobody can call it back.", "fields": ["route", "weightInGrams"],
        })
    );
    assert_eq!(
        entry("events", "Note"),
        json!({
            "name": "Note", "types": ["NOTE"], "version": "2.0", "topic": "registry.notes", "key": null,
            "format": "flat", "docs": "", "fields": ["text"],
        })
    );
    let set = entry("events", "ParcelEvents");
    assert_eq!(
        (&set["types"], &set["docs"]),
        (&json!(["PARCEL_LEFT", "CHANGED"]), &json!("Either of them."))
    );
}

#[test]
fn events_with_parameters_are_told_where_a_handler_or_the_program_names_them() {
    assert_eq!(entry("events", "Changed")["topic"], "registry.changes");
    assert_eq!(entry("events", "Kept")["types"], json!(["KEPT"]));
    let names = registry()["events"].to_string();
    assert!(!names.contains("NAMED_BY_NOBODY"), "{names}");
    let _ = (Boxed { value: 1 }.value, Kept::<1> { bytes: 1 }.bytes, Note { text: "" }.text);
}

#[test]
fn batches_are_told_by_what_they_are_of() {
    let takes =
        |kind: &str, event: Option<&str>, form: &str| json!([{ "kind": kind, "event": event, "form": form }]);
    for (name, expected) in [
        ("batch_of_options", takes("event", Some("Changed"), "batch<option>")),
        ("batch_of_envelopes", takes("event", Some("Changed"), "batch<envelope>")),
        ("batch_of_records", takes("record", None, "batch")),
    ] {
        assert_eq!(entry("handlers", name)["takes"], expected);
    }
    let returns = json!([{ "event": "Changed", "topic": "registry.changes" }]);
    assert_eq!(entry("handlers", "batch_of_options")["returns"], returns);
}

#[test]
fn handlers_are_told_as_they_are_declared() {
    assert_eq!(
        entry("handlers", "write_down"),
        json!({
            "group": "registry", "name": "write_down", "module": "wire::registry", "docs": "Writes it down.",
            "topics": ["registry.${STAGE:-dev}", "registry.changes"], "pattern": null,
            "takes": [{ "kind": "event", "event": "ParcelEvents", "form": "event" }],
            "returns": [{ "event": "Changed", "topic": "registry.changes" }],
            "options": {
                "concurrency": 4, "retry": { "attempts": 3, "backoff": "250ms..2m" },
                "dead_letter": "registry.failed", "timeout": "90s",
            },
        })
    );
    let raw = entry("handlers", "raw");
    assert_eq!(
        (&raw["pattern"], &raw["topics"], &raw["options"], &raw["takes"][0]["kind"]),
        (
            &json!("registry\\.raw\\..*"),
            &json!([]),
            &json!({ "default": true, "start": "latest" }),
            &json!("record")
        )
    );
}

#[test]
fn the_entries_are_sorted() {
    let names = |of: &str, by: &[&str]| {
        let entries = registry()[of].as_array().unwrap().clone();
        entries
            .iter()
            .map(|entry| by.iter().map(|name| entry[name].as_str().unwrap().to_owned()).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    assert!(names("events", &["name"]).is_sorted());
    assert!(names("handlers", &["module", "name"]).is_sorted());
}
