//! One handler: its names resolved, its options overridden, bound to a topic.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use narad_syntax::options::{InForce, NO_PAUSE};
use narad_syntax::topic::{MAX_LENGTH, RULE, is_name};
use regex::Regex;

use crate::application::Narad;
use crate::codec::Shape;
use crate::config::{Config, HandlerKind, Overridden};
use crate::consumer::{Handler, Threads};
use crate::context::Scope;
use crate::dead_letter::{DeadLetter, group_topic};
use crate::engine::{BatchPolicy, Taking};
use crate::error::{Error, Result};
use crate::handler::{Call, EventKind, HandlerSpec, Takes, TopicsSpec};
use crate::layer::Layers;
use crate::outcome::FailureEntry;
use crate::record::TypeHeaders;
use crate::state::States;

/// What handlers are bound to.
#[derive(Clone)]
pub(crate) struct Binding {
    pub(crate) states: Arc<States>,
    pub(crate) narad: Narad,
    pub(crate) layers: Layers,
    pub(crate) type_headers: TypeHeaders,
}

/// A handler whose names and options are resolved, not yet bound to a topic.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) spec: HandlerSpec,
    pub(super) group: String,
    pub(super) topics: Topics,
    pub(super) options: Overridden,
    /// The topics of the events that it may return; of a group that is not started nobody asks for them.
    pub(super) returned: Vec<String>,
    /// That its event names no key was said.
    pub(super) keyless: AtomicBool,
}

#[derive(Debug)]
pub(super) enum Topics {
    Names(Vec<String>),
    Pattern(Regex),
}

pub(super) fn kind(spec: &HandlerSpec) -> HandlerKind {
    HandlerKind { batch: spec.is_batch(), blocking: matches!(spec.call, Call::Blocking(_)) }
}

pub(super) fn event(spec: &HandlerSpec) -> Option<(EventKind, &'static Shape)> {
    spec.takes_of_a_record().find_map(|takes| match takes {
        Takes::Event(kind, shape) => Some((kind, shape)),
        _ => None,
    })
}

pub(super) fn resolve(spec: HandlerSpec, mut options: Overridden, config: &Config) -> Result<Resolved> {
    let place = format!("handler {}", spec.name);
    let topic_name = |written: &str, option: &str| {
        let topic = config.resolve(written, &format!("{place}, {option}"))?;
        if !is_name(&topic) {
            return Err(Error::Start(format!("{place}, {option}: {topic:?} is not a topic name: {RULE}")));
        }
        Ok(topic)
    };
    let group = match spec.group {
        Some(group) => config.resolve(group, &format!("{place}, group"))?,
        None => config.default_group(spec.name)?.to_owned(),
    };
    let topics = match spec.topics {
        TopicsSpec::Names(names) => {
            let mut topics = Vec::new();
            for name in names {
                let topic = topic_name(name, "topic")?;
                if !topics.contains(&topic) {
                    topics.push(topic);
                }
            }
            Topics::Names(topics)
        }
        TopicsSpec::Pattern(pattern) => {
            let pattern = config.resolve(pattern, &format!("{place}, pattern"))?;
            Topics::Pattern(Regex::new(&pattern).map_err(|error| {
                Error::Start(format!("{place}: {pattern:?} is not a regular expression: {error}"))
            })?)
        }
    };
    // One from the environment was checked when it was read, and has no placeholders.
    if let Some(DeadLetter::Topic(written)) = &mut options.dead_letter {
        *written = topic_name(written, "dead_letter")?;
    }
    Ok(Resolved { spec, group, topics, options, returned: Vec::new(), keyless: AtomicBool::new(false) })
}

/// A handler that tries a record for ever waits between its attempts, whatever its error says.
pub(super) fn check_pauses(Resolved { spec, options, .. }: &Resolved) -> Result<()> {
    let error = spec.returned().error.and_then(FailureEntry::of);
    match error.and_then(FailureEntry::pauseless) {
        Some(variant) if options.dead_letter == Some(DeadLetter::Off) => Err(Error::Start(format!(
            "handler {}, `#[retry(backoff = …)]` of {variant}: {}",
            spec.name, NO_PAUSE
        ))),
        _ => Ok(()),
    }
}

/// The topics of what a handler returns: found out here, not when its first record was handled.
pub(super) fn returned(spec: &HandlerSpec, config: &Config) -> Result<Vec<String>> {
    let mut topics = Vec::new();
    for returned in spec.returned().events {
        let place = format!("handler {} returns {}, topic", spec.name, (returned.event)());
        let topic = config.resolve(returned.topic, &place)?;
        if !is_name(&topic) {
            return Err(Error::Start(format!("{place}: {topic:?} is not a topic name: {RULE}")));
        }
        topics.push(topic);
    }
    Ok(topics)
}

impl Resolved {
    pub(super) fn takes_topic(&self, topic: &str) -> bool {
        match &self.topics {
            Topics::Names(names) => names.iter().any(|name| name == topic),
            Topics::Pattern(pattern) => {
                pattern.is_match(topic) && !topic.ends_with(".dlq") && !topic.starts_with("__")
            }
        }
    }

    /// The handler as it runs on one topic.
    pub(super) fn bind(
        &self,
        (place, topic): (usize, &str),
        options: InForce<String>,
        threads: &Arc<Threads>,
        binding: &Binding,
    ) -> Result<Arc<Handler>> {
        let dead_letter = self.dead_letter(topic)?;
        let event = event(&self.spec);
        let json = self.spec.takes().any(|takes| matches!(takes, Takes::Json));
        let as_it_is = self.spec.takes_of_a_record().any(|takes| matches!(takes, Takes::Record | Takes::Own));
        let takes = Taking {
            shape: event.map(|(_, shape)| shape),
            typed: event.is_some() && !self.spec.options.default,
            default: self.spec.options.default,
            tombstones: matches!(event, Some((EventKind::Optional, _))),
            any_bytes: event.is_none() && !json && as_it_is,
            json: event.is_none() && json,
            blind: event.is_none() && !json && !as_it_is,
        };
        let policy = BatchPolicy { max: options.batch_max as usize, wait: options.batch_wait };
        Ok(Arc::new(Handler {
            name: self.spec.name.to_owned(),
            place,
            call: self.spec.call,
            takes,
            options,
            dead_letter,
            batch: kind(&self.spec).batch.then_some(policy),
            layers: binding.layers.clone(),
            threads: threads.clone(),
            scope: Arc::new(Scope {
                handler: self.spec.name.to_owned(),
                group: self.group.as_str().into(),
                shape: event.map(|(_, shape)| shape),
                is_batch: kind(&self.spec).batch,
                states: binding.states.clone(),
                narad: binding.narad.clone(),
            }),
            waits: AtomicBool::new(false),
        }))
    }

    /// Where the handler's records go that it gives up.
    pub(super) fn dead_letter(&self, topic: &str) -> Result<DeadLetter> {
        if let Some(written) = &self.options.dead_letter {
            return Ok(written.clone());
        }
        let name = group_topic(topic, &self.group);
        if !is_name(&name) {
            return Err(Error::Start(format!(
                "handler {}: the name of its dead-letter topic, {name}, is longer than {MAX_LENGTH} characters: name \
                 one with dead_letter = \"…\"",
                self.spec.name
            )));
        }
        Ok(DeadLetter::Topic(name))
    }
}
