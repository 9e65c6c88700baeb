//! The rules for events that span several options.

use super::model::{Kind, Known, Model, One, Set};
use crate::diagnostics::Diagnostics;
use crate::literal;

pub(crate) fn check(model: &Model<'_>, diagnostics: &Diagnostics) {
    let args = model.args;
    if let Some(topic) = args.topic.get().and_then(|topic| topic.as_literal()) {
        literal::check_topic(topic, diagnostics);
    }
    for (slot, what) in [(&args.r#type, "an event's type"), (&args.version, "an event's version")] {
        if let Some(text) = slot.get().and_then(|text| text.as_literal())
            && text.value().is_empty()
        {
            diagnostics.on(text, format!("{what} cannot be empty"));
        }
    }
    match &model.kind {
        Kind::One(one) => check_flat(one, diagnostics),
        Kind::Set(set) => {
            check_set_options(model, diagnostics);
            check_set(set, diagnostics);
        }
    }
}

// #[event(format = "flat")]
// struct Temperature(f64);
fn check_flat(one: &One, diagnostics: &Diagnostics) {
    if let (Some(format), Known::Value) = (one.format, &one.fields)
        && format.flat
    {
        diagnostics.at(
            format.span,
            "`flat` puts `type` and `timestamp` beside the fields, so the event has to be an object: a struct with named fields, \
             or an enum with `#[serde(tag = \"…\")]`; leave `format` out",
        );
    }
}

// #[event(version = "2.0")]
// enum UserEvents { Login(UserLogin) }
fn check_set_options(model: &Model<'_>, diagnostics: &Diagnostics) {
    if let Some(span) = model.args.version.given() {
        diagnostics.at(span, "each event of a closed set has its own version; put `version` on the held types");
    }
    if let Some(span) = model.args.format.given() {
        diagnostics.at(span, "each event of a closed set has its own format; put `format` on the held types");
    }
    if let Some(span) = model.args.manual.given() {
        diagnostics.at(span, "a closed set is not written by serde, the held events are; put `serde = manual` on the held types");
    }
}

// enum UserEvents { #[event(other)] Rest }
fn check_set(set: &Set<'_>, diagnostics: &Diagnostics) {
    if let (true, Some(other)) = (set.events.is_empty(), &set.other) {
        diagnostics.on(
            other.variant,
            "a closed set holds at least one event beside `other`; to take every record, use the parameter `Record` or `Json<V>`",
        );
    }
    for held in &set.events {
        if let Some(text) = held.r#type.as_ref().and_then(|text| text.as_literal())
            && text.value().is_empty()
        {
            diagnostics.on(text, "an event's type cannot be empty");
        }
    }
}
