//! The entries of the registry.

use narad_syntax::options::{self, OPTIONS};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::codec::{Fields, Format, Shape};
use crate::handler::{EventKind, HandlerSpec, OptionsSpec, Takes, TopicsSpec};

/// An event, as it is declared.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct EventEntry {
    /// The name of the Rust type.
    pub name: &'static str,
    /// Its `type` on the wire; of a closed set, the types that it takes.
    pub types: Vec<&'static str>,
    /// Its `version` on the wire; empty for a closed set, whose events have their own.
    pub version: &'static str,
    /// Its topic, with placeholders as they are written.
    pub topic: Option<&'static str>,
    /// Its key, as the attribute has it: a field or an expression.
    pub key: Option<&'static str>,
    /// How it is laid out in a record: `envelope` or `flat`.
    pub format: &'static str,
    /// Its doc comment.
    pub docs: String,
    /// The names of its fields on the wire, with serde's aliases and tag; `None` where they are not known or
    /// there are none: with `#[serde(flatten)]`, with `serde = manual`, for closed sets, newtypes, tuples and
    /// units, and for enums that are not an object in every variant.
    pub fields: Option<Vec<&'static str>>,
    /// The source file, as the compiler was given it.
    pub file: &'static str,
    /// The line of its derive.
    pub line: u32,
}

/// A handler, as it is declared.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct HandlerEntry {
    /// The group that its attribute names, with placeholders as they are written; `None`: `KAFKA_GROUP_ID`,
    /// else `KAFKA_CLIENT_ID`.
    pub group: Option<&'static str>,
    /// The name of the function, or `name = "…"`.
    pub name: &'static str,
    /// The path of its module.
    pub module: &'static str,
    /// The source file, as the compiler was given it.
    pub file: &'static str,
    /// The line of its attribute.
    pub line: u32,
    /// Its doc comment.
    pub docs: String,
    /// The topics that it names, with placeholders as they are written; empty where it has a pattern.
    pub topics: Vec<&'static str>,
    /// The regular expression that its topics match.
    pub pattern: Option<&'static str>,
    /// What it takes of a record: `event`, `record`, `json`, or `value` for a type that implements
    /// [`FromRecord`](crate::FromRecord). Parameters that take nothing of the value (`Context`, `Meta`,
    /// `State`) are not listed.
    pub takes: Vec<TakesEvent>,
    /// The events that it may return, each once.
    pub returns: Vec<ReturnsEvent>,
    /// The options that are written in the attribute, as a JSON object by their names there, as in
    /// `{"concurrency": 4, "retry": {"attempts": 3, "backoff": "250ms..2m"}}`; `NARAD_HANDLER_…` does not
    /// change them.
    pub options: Value,
}

/// What a parameter of a handler takes of a record.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TakesEvent {
    /// `event`, `record`, `json` or `value`.
    pub kind: &'static str,
    /// The name of the event's type.
    pub event: Option<&'static str>,
    /// In which form it takes the event: `event`, `option` or `envelope`; of several records at once `batch`,
    /// `batch<option>`, `batch<envelope>`, and `batch` beside the kind `record`.
    pub form: Option<&'static str>,
}

/// An event that a handler may return.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ReturnsEvent {
    /// The name of its type.
    pub event: &'static str,
    /// The topic to which it goes, with placeholders as they are written.
    pub topic: &'static str,
}

impl EventEntry {
    pub(super) fn of(shape: &'static Shape) -> Self {
        let about = shape.about;
        Self {
            name: about.name,
            types: shape.types.to_vec(),
            version: shape.version,
            topic: shape.topic,
            key: about.key,
            format: match shape.format {
                Format::Envelope => "envelope",
                Format::Flat => "flat",
            },
            docs: docs(about.docs),
            fields: match shape.fields {
                Fields::Named(names) => Some(names.to_vec()),
                _ => None,
            },
            file: about.file,
            line: about.line,
        }
    }
}

impl HandlerEntry {
    pub(super) fn of(spec: &HandlerSpec) -> Self {
        let (topics, pattern) = match spec.topics {
            TopicsSpec::Names(names) => (names.to_vec(), None),
            TopicsSpec::Pattern(pattern) => (Vec::new(), Some(pattern)),
        };
        let mut returns = Vec::new();
        for event in spec.returned().events {
            let entry = ReturnsEvent { event: event.shape.about.name, topic: event.topic };
            if !returns.contains(&entry) {
                returns.push(entry);
            }
        }
        Self {
            group: spec.group,
            name: spec.name,
            module: spec.module,
            file: spec.about.file,
            line: spec.about.line,
            docs: docs(spec.about.docs),
            topics,
            pattern,
            takes: spec.takes().filter_map(takes).collect(),
            returns,
            options: options(&spec.options),
        }
    }
}

/// `None` for what stands beside the value.
fn takes(takes: Takes) -> Option<TakesEvent> {
    let plain = |kind| Some(TakesEvent { kind, event: None, form: None });
    match takes {
        Takes::Event(form, shape) => Some(TakesEvent {
            kind: "event",
            event: Some(shape.about.name),
            form: Some(match form {
                EventKind::Plain => "event",
                EventKind::Optional => "option",
                EventKind::Envelope => "envelope",
            }),
        }),
        Takes::Batch(each) => batch(each()),
        Takes::Record => plain("record"),
        Takes::Json => plain("json"),
        Takes::Own => plain("value"),
        Takes::State(_) | Takes::Other => None,
    }
}

/// Several of what is taken of one record.
fn batch(each: Takes) -> Option<TakesEvent> {
    let form = match each {
        Takes::Event(EventKind::Optional, _) => "batch<option>",
        Takes::Event(EventKind::Envelope, _) => "batch<envelope>",
        _ => "batch",
    };
    takes(each).map(|each| TakesEvent { form: Some(form), ..each })
}

/// Each line of a doc comment begins with the blank behind its slashes.
fn docs(written: &str) -> String {
    let lines = written.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end());
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn options(written: &OptionsSpec) -> Value {
    let mut options = Map::new();
    if written.default {
        options.insert("default".to_owned(), true.into());
    }
    for option in OPTIONS {
        let value = match written.get(option) {
            None => continue,
            Some(options::Value::Count(count)) => count.into(),
            Some(value) => value.to_string().into(),
        };
        match option.within {
            Some(whole) => options.entry(whole).or_insert_with(|| json!({}))[option.name()] = value,
            None => drop(options.insert(option.field.to_owned(), value)),
        }
    }
    Value::Object(options)
}
