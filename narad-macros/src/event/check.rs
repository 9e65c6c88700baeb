//! The rules for events that span several options.

use syn::visit_mut::VisitMut;
use syn::{DeriveInput, Path, Type, TypeReference};

use super::bounds::fields;
use super::model::{Kind, Known, Model, One, Set};
use super::serde_attr::SerdeAttrs;
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
            "`flat` puts `type` and `timestamp` beside the fields, so the event has to be an object: a \
             struct with named fields, \
             or an enum with `#[serde(tag = \"…\")]`; leave `format` out",
        );
    }
}

// #[event(version = "2.0")]
// enum UserEvents { Login(UserLogin) }
fn check_set_options(model: &Model<'_>, diagnostics: &Diagnostics) {
    if let Some(span) = model.args.version.given() {
        diagnostics
            .at(span, "each event of a closed set has its own version; put `version` on the held types");
    }
    if let Some(span) = model.args.format.given() {
        diagnostics.at(span, "each event of a closed set has its own format; put `format` on the held types");
    }
    if let Some(span) = model.args.encoding.given() {
        diagnostics
            .at(span, "each event of a closed set has its own encoding; put `encoding` on the held types");
    }
    if let Some(span) = model.args.manual.given() {
        diagnostics.at(
            span,
            "a closed set is not written by serde, the held events are; put `serde = \
         manual` on the held types",
        );
    }
}

// enum UserEvents { #[event(other)] Rest }
fn check_set(set: &Set<'_>, diagnostics: &Diagnostics) {
    if let (true, Some(other)) = (set.events.is_empty(), &set.other) {
        diagnostics.on(
            other.variant,
            "a closed set holds at least one event beside `other`; to take every record, use the parameter \
             `Record` or `Json<V>`",
        );
    }
    check_types_differ(set, diagnostics);
    for held in &set.events {
        if let Some(text) = held.r#type.as_ref().and_then(|text| text.as_literal())
            && text.value().is_empty()
        {
            diagnostics.on(text, "an event's type cannot be empty");
        }
    }
}

// enum UserEvents { Login(UserLogin), Again(UserLogin) }
//
// What these tokens show; the rest is found by constants in the expansion.
fn check_types_differ(set: &Set<'_>, diagnostics: &Diagnostics) {
    for (place, held) in set.events.iter().enumerate() {
        if let Some(first) = set.events[..place].iter().find(|first| first.has_the_type_of(held)) {
            diagnostics.at(
                held.type_span(),
                format!(
                    "`{}` and `{}` take the same event type, so the second one is never read; give one of \
                     them a type of its own: \
                     `#[event(type = \"…\")]`",
                    first.variant, held.variant
                ),
            );
        }
    }
}

// struct UserLogin<'de> { kind: &'static str, name: &'de str }
pub(crate) fn check_lifetimes(input: &DeriveInput, manual: bool, diagnostics: &Diagnostics) {
    for param in input.generics.lifetimes() {
        if param.lifetime.ident == "de" || param.lifetime.ident == "__narad" {
            diagnostics.on(
                &param.lifetime,
                format!(
                    "`{}` is the lifetime of the record in generated code; give this one another name",
                    param.lifetime
                ),
            );
        }
    }
    if manual || SerdeAttrs::parse(&input.attrs).converted {
        return;
    }
    for (variant, field) in fields(input) {
        let own = SerdeAttrs::parse(&field.attrs);
        if ![&variant, &own].into_iter().any(|attrs| attrs.skip.de || attrs.with.de) {
            StaticReferences(diagnostics).visit_type_mut(&mut field.ty.clone());
        }
    }
}

struct StaticReferences<'a>(&'a Diagnostics);

impl VisitMut for StaticReferences<'_> {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        if reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static") {
            let owned = match &*reference.elem {
                Type::Path(path) if path.path.is_ident("str") => "`String`, `Cow<'static, str>`",
                _ => "the value itself",
            };
            self.0.on(
                &*reference,
                format!(
                    "an event is read from records, which do not live as long as `'static`; write \
                 {owned}, or a lifetime of the type"
                ),
            );
        }
    }

    // What it is of is neither written nor read.
    fn visit_path_mut(&mut self, path: &mut Path) {
        if path.segments.last().is_none_or(|last| last.ident != "PhantomData") {
            syn::visit_mut::visit_path_mut(self, path);
        }
    }
}
