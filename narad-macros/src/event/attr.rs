//! `#[event(…)]` on types and on the variants of closed sets.

use proc_macro2::{Ident, Span};
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Expr, Meta, Path};

use crate::attr::{Arg, Slot, Text, parse_args, ungroup};
use crate::diagnostics::Diagnostics;

/// What `#[event(…)]` says on a type.
#[derive(Default)]
pub(crate) struct EventArgs {
    pub(crate) r#type: Slot<Text>,
    pub(crate) version: Slot<Text>,
    pub(crate) topic: Slot<Text>,
    pub(crate) key: Slot<Expr>,
    pub(crate) format: Slot<Format>,
    pub(crate) encoding: Slot<Encoding>,
    /// `serde = manual`
    pub(crate) manual: Slot<()>,
    pub(crate) krate: Slot<Path>,
}

/// Where the metadata stands as the event is written; the span is that of the value.
#[derive(Clone, Copy)]
pub(crate) struct Format {
    pub(crate) flat: bool,
    pub(crate) span: Span,
}

/// The bytes of the event: the name of the codec, which `narad` knows as `Encoding` and in `codecs`.
#[derive(Clone, Copy)]
pub(crate) struct Encoding(&'static str);

/// The word of each encoding, and its codec; the first is what an event has that names none.
const ENCODINGS: &[(&str, Encoding)] = &[("json", Encoding("Json"))];

const EVENT: &[&str] = &["topic", "type", "version", "key", "format", "encoding", "serde", "crate"];

impl EventArgs {
    pub(crate) fn parse(attrs: &[Attribute], diagnostics: &Diagnostics) -> Self {
        let mut args = Self::default();
        for arg in event_args(attrs, diagnostics) {
            match arg.key().as_str() {
                "topic" => {
                    args.topic.set(&arg, arg.text("topic = \"user.events\"", diagnostics), diagnostics)
                }
                "type" => args.r#type.set(&arg, arg.text("type = \"USER_LOGIN\"", diagnostics), diagnostics),
                "version" => args.version.set(&arg, arg.text("version = \"1.0\"", diagnostics), diagnostics),
                "key" => args.key.set(&arg, arg.expr("key = user_id", diagnostics).cloned(), diagnostics),
                "format" => args.format.set(&arg, format(&arg, diagnostics), diagnostics),
                "encoding" => args.encoding.set(
                    &arg,
                    arg.choice(ENCODINGS, "encoding = \"json\"", diagnostics),
                    diagnostics,
                ),
                "serde" => args.manual.set(&arg, manual(&arg, diagnostics), diagnostics),
                "crate" => args.krate.set(&arg, arg.path(diagnostics), diagnostics),
                other => diagnostics.unknown(&arg.name, format!("option `{other}`"), other, EVENT),
            }
        }
        args
    }
}

impl Encoding {
    pub(crate) fn codec(self) -> Ident {
        Ident::new(self.0, Span::call_site())
    }
}

impl Default for Encoding {
    fn default() -> Self {
        ENCODINGS[0].1
    }
}

fn format(arg: &Arg, diagnostics: &Diagnostics) -> Option<Format> {
    let usage = "format = \"flat\"";
    let flat = arg.choice(&[("envelope", false), ("flat", true)], usage, diagnostics)?;
    Some(Format { flat, span: arg.literal(usage, diagnostics)?.span() })
}

fn manual(arg: &Arg, diagnostics: &Diagnostics) -> Option<()> {
    let value = arg.expr("serde = manual", diagnostics)?;
    match ungroup(value) {
        Expr::Path(path) if path.path.is_ident("manual") => Some(()),
        other => {
            diagnostics.on(
                other,
                "the only value is `manual`, for a type with its own `Serialize` and \
             `Deserialize`: `serde = manual`",
            );
            None
        }
    }
}

/// What `#[event(…)]` says on a variant of a closed set.
#[derive(Default)]
pub(crate) struct VariantArgs {
    pub(crate) r#type: Slot<Text>,
    pub(crate) other: Slot<()>,
}

impl VariantArgs {
    pub(crate) fn parse(attrs: &[Attribute], diagnostics: &Diagnostics) -> Self {
        let mut args = Self::default();
        for arg in event_args(attrs, diagnostics) {
            match arg.key().as_str() {
                "type" => args.r#type.set(&arg, arg.text("type = \"USER_LOGIN\"", diagnostics), diagnostics),
                "other" => args.other.set(&arg, arg.flag(diagnostics), diagnostics),
                other => diagnostics.unknown(
                    &arg.name,
                    format!("option `{other}` of a variant"),
                    other,
                    &["type", "other"],
                ),
            }
        }
        args
    }
}

/// What `#[event(…)]` says on the data of events.
#[derive(Default)]
pub(crate) struct DataArgs {
    pub(crate) krate: Slot<Path>,
}

impl DataArgs {
    pub(crate) fn parse(input: &DeriveInput, diagnostics: &Diagnostics) -> Self {
        let mut args = Self::default();
        for arg in event_args(&input.attrs, diagnostics) {
            match arg.key().as_str() {
                "crate" => args.krate.set(&arg, arg.path(diagnostics), diagnostics),
                event if EVENT.contains(&event) => {
                    diagnostics.on(
                        &arg.name,
                        format!(
                            "`{event}` belongs to an event, and `EventData` is for types inside events: derive `Event` instead, or leave it out"
                        ),
                    );
                }
                other => diagnostics.unknown(&arg.name, format!("option `{other}`"), other, &["crate"]),
            }
        }
        if let Data::Union(data) = &input.data {
            diagnostics.on(data.union_token, "the data of an event is a struct or an enum");
        }
        refuse_on_fields(&input.data, true, diagnostics);
        args
    }
}

/// `#[event(…)]` where it means nothing would be ignored without a word.
pub(crate) fn refuse_on_fields(data: &Data, variants: bool, diagnostics: &Diagnostics) {
    let refuse = |attrs: &[Attribute], text: &str| {
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("event")) {
            diagnostics.on(attr, text);
        }
    };
    let fields: Vec<_> = match data {
        Data::Struct(data) => data.fields.iter().collect(),
        Data::Enum(data) => data.variants.iter().flat_map(|variant| variant.fields.iter()).collect(),
        Data::Union(_) => vec![],
    };
    for field in fields {
        refuse(
            &field.attrs,
            "`#[event(…)]` goes on the type, not on a field; a field's key is named there: `#[event(key = \
             field)]`",
        );
    }
    if let (Data::Enum(data), true) = (data, variants) {
        for variant in &data.variants {
            refuse(
                &variant.attrs,
                "`#[event(…)]` goes on the variants of a closed set; this enum is one event, or the data of \
                 one",
            );
        }
    }
}

fn event_args(attrs: &[Attribute], diagnostics: &Diagnostics) -> Vec<Arg> {
    let mut args = Vec::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("event")) {
        match &attr.meta {
            Meta::List(list) => args.extend(parse_args(list.tokens.clone(), diagnostics)),
            other => {
                diagnostics.at(other.span(), "expected options in parentheses: `#[event(topic = \"…\")]`")
            }
        }
    }
    args
}
