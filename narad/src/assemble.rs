//! From registered handlers to groups: names resolved, options overridden, and everything that cannot work
//! refused before anything runs.

mod handler;
mod loops;
mod table;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use narad_syntax::options::InForce;
use narad_syntax::topic::{MAX_LENGTH, is_name};

use crate::config::Config;
use crate::consumer::{Threads, TopicPlan};
use crate::dead_letter::{DeadLetter, group_topic};
use crate::engine::Routes;
use crate::error::{Error, Result};
use crate::handler::{HandlerSpec, Ordering, Takes};
use crate::state::States;
pub(crate) use handler::Binding;
use handler::{Resolved, Topics, check_pauses, event, kind, resolve, returned};

/// The handlers of one group.
#[derive(Debug)]
pub(crate) struct GroupPlan {
    pub(crate) name: String,
    handlers: Vec<Resolved>,
}

/// Resolves the handlers and puts them into groups.
///
/// # Errors
/// One line for the first thing that cannot work: it names the handler, and what to change.
pub(crate) fn groups(specs: Vec<HandlerSpec>, config: &Config, states: &States) -> Result<Vec<GroupPlan>> {
    if specs.is_empty() {
        return Err(Error::Start(
            "no handlers: none is linked into this program. Annotate a function with #[kafka_handler(topic \
             = \"…\")]; where handlers live in a \
             library (the package's own lib.rs included), write `narad::handlers!(my_lib);` in the binary, \
              since crates that nothing names are \
             not linked"
                .to_owned(),
        ));
    }
    let mut options = config
        .handler_overrides
        .resolve(&specs.iter().map(|spec| (spec.name, &spec.options, kind(spec))).collect::<Vec<_>>())?;
    let mut groups: BTreeMap<String, Vec<Resolved>> = BTreeMap::new();
    for spec in specs.into_iter().rev() {
        // In the order of the handlers, taken from the end.
        let Some(options) = options.pop() else { break };
        let resolved = resolve(spec, options, config)?;
        groups.entry(resolved.group.clone()).or_default().insert(0, resolved);
    }
    // Also of groups that another process runs.
    loops::refuse(groups.values().flatten())?;
    if let Some(wanted) = &config.groups {
        if let Some(missing) = wanted.iter().find(|name| !groups.contains_key(*name)) {
            let known: Vec<_> = groups.keys().map(String::as_str).collect();
            return Err(Error::Start(format!(
                "NARAD_GROUPS: no handler has the group {missing}; there are: {}",
                known.join(", ")
            )));
        }
        groups.retain(|name, _| wanted.contains(name));
    }
    let mut groups: Vec<_> =
        groups.into_iter().map(|(name, handlers)| GroupPlan { name, handlers }).collect();
    for group in &mut groups {
        for handler in &mut group.handlers {
            check_states(&handler.spec, states)?;
            check_pauses(handler)?;
            handler.returned = returned(&handler.spec, config)?;
        }
        group.check()?;
    }
    Ok(groups)
}

/// A group that is not started here may want what only another process has.
fn check_states(spec: &HandlerSpec, states: &States) -> Result<()> {
    for takes in spec.takes() {
        if let Takes::State(wanted) = takes
            && !states.contains(&wanted)
        {
            return Err(Error::Start(format!(
                "handler {} takes State<{1}>, and no {1} was given: call .state(…) with one on \
                 Narad::builder()",
                spec.name,
                (wanted.name)()
            )));
        }
    }
    Ok(())
}

impl GroupPlan {
    /// Its handlers, each with the topics that it names.
    pub(crate) fn handlers(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.handlers.iter().map(|handler| match &handler.topics {
            Topics::Names(names) => (handler.spec.name, &names[..]),
            Topics::Pattern(_) => (handler.spec.name, &[][..]),
        })
    }

    /// The topics that the handlers name, in order.
    pub(crate) fn topics(&self) -> Vec<String> {
        let mut topics: Vec<String> = self
            .handlers
            .iter()
            .flat_map(|handler| match &handler.topics {
                Topics::Names(names) => names.clone(),
                Topics::Pattern(_) => Vec::new(),
            })
            .collect();
        topics.sort();
        topics.dedup();
        topics
    }

    /// The topics of the events that the handlers may return.
    pub(crate) fn returned(&self) -> Vec<String> {
        self.handlers.iter().flat_map(|handler| handler.returned.iter().cloned()).collect()
    }

    pub(crate) fn has_patterns(&self) -> bool {
        self.handlers.iter().any(|handler| matches!(handler.topics, Topics::Pattern(_)))
    }

    /// Whether a handler of the group takes the topic.
    pub(crate) fn takes_topic(&self, topic: &str) -> bool {
        self.handlers.iter().any(|handler| handler.takes_topic(topic))
    }

    /// The handlers of the group that take a topic.
    fn on(&self, topic: &str) -> impl Iterator<Item = &Resolved> {
        self.handlers.iter().filter(move |handler| handler.takes_topic(topic))
    }

    /// The dead-letter topics that may be written for a topic. Of a stranger's that a pattern matches the
    /// name may leave no room for them.
    pub(crate) fn dead_letters(&self, topic: &str) -> Vec<String> {
        let mut topics: Vec<_> = self.dead_letter(topic).into_iter().collect();
        for handler in self.on(topic) {
            if let Some(DeadLetter::Topic(name)) = &handler.options.dead_letter
                && !topics.contains(name)
            {
                topics.push(name.clone());
            }
        }
        topics
    }

    /// Where the group writes what no handler takes. A name that would be too long for a topic
    /// gives way to one that a handler has for its own dead letters.
    fn dead_letter(&self, topic: &str) -> Result<String> {
        let name = group_topic(topic, &self.name);
        if is_name(&name) {
            return Ok(name);
        }
        let own = self.on(topic).find_map(|handler| match &handler.options.dead_letter {
            Some(DeadLetter::Topic(name)) => Some(name.clone()),
            _ => None,
        });
        own.ok_or_else(|| {
            Error::Start(format!(
                "group {}, topic {topic}: the name of the dead-letter topic for records that are no events, \
                 {name}, is longer than {MAX_LENGTH} \
                 characters: name one with dead_letter = \"…\" on a handler of the topic, or give the group \
                  a shorter name",
                self.name
            ))
        })
    }

    fn check(&self) -> Result<()> {
        let mut names: HashMap<&str, &Resolved> = HashMap::new();
        for handler in &self.handlers {
            if let Some(other) = names.insert(handler.spec.name, handler) {
                return Err(Error::Start(format!(
                    "group {}: two handlers are called {}, in {} and in {}: give one of them name = \"…\"",
                    self.name, handler.spec.name, other.spec.module, handler.spec.module
                )));
            }
        }
        self.topics().iter().try_for_each(|topic| self.check_topic(topic))
    }

    /// Options that belong to the group on a topic must not be written out differently, and a batch handler
    /// has its topic to itself.
    fn check_topic(&self, topic: &str) -> Result<()> {
        let handlers: Vec<_> = self.on(topic).collect();
        for handler in &handlers {
            handler.dead_letter(topic)?;
        }
        self.dead_letter(topic)?;
        for (place, first) in handlers.iter().enumerate() {
            for second in &handlers[place + 1..] {
                if let Some(option) = first.options.group_difference(&second.options) {
                    let written = |handler: &Resolved| {
                        let value = handler.options.get(option).map(|value| option.written(&value));
                        format!("{} ({})", handler.spec.name, value.unwrap_or_default())
                    };
                    return Err(Error::Start(format!(
                        "group {}, topic {topic}: {} belongs to the group on the topic, and {} and {} differ: \
                         write the same for both, or for one of them only",
                        self.name,
                        option.field,
                        written(first),
                        written(second)
                    )));
                }
            }
        }
        if handlers.len() > 1
            && let Some(batch) = handlers.iter().find(|handler| kind(&handler.spec).batch)
        {
            let other = handlers
                .iter()
                .find(|handler| handler.spec.name != batch.spec.name)
                .map_or("", |handler| handler.spec.name);
            return Err(Error::Start(format!(
                "group {}, topic {topic}: the batch handler {} has its topic to itself in its group, and \
                 {other} is there, too: give one of them another group",
                self.name, batch.spec.name
            )));
        }
        Ok(())
    }

    /// The plan for one topic; `None` where no handler takes it.
    ///
    /// # Errors
    /// What cannot work on this topic, as for those that are named at the start.
    pub(crate) fn plan(
        &self,
        topic: &str,
        threads: &HashMap<String, Arc<Threads>>,
        binding: &Binding,
    ) -> Result<Option<Arc<TopicPlan>>> {
        self.check_topic(topic)?;
        let handlers: Vec<_> = self.on(topic).collect();
        let Some(first) = handlers.first() else { return Ok(None) };
        let options = in_force(first, self.on(topic));
        let bound = handlers
            .iter()
            .enumerate()
            .map(|(place, handler)| {
                let options = in_force(handler, self.on(topic));
                handler.bind((place, topic), options, &threads[handler.spec.name], binding)
            })
            .collect::<Result<Vec<_>>>()?;
        let batch = bound.iter().find_map(|handler| handler.batch.map(|policy| (handler.clone(), policy)));
        if options.ordering == Ordering::Key {
            for handler in &handlers {
                if let Some((_, shape)) = event(&handler.spec)
                    && !shape.keyed
                    && !handler.keyless.swap(true, Relaxed)
                {
                    tracing::warn!(
                        group = self.name,
                        handler = handler.spec.name,
                        "its event names no key, and records without one are handled one at a time in each \
                         partition: name a key with \
                         #[event(key = …)], or write ordering = \"none\" or \"partition\""
                    );
                }
            }
        }
        Ok(Some(Arc::new(TopicPlan {
            routes: Routes::new(bound.iter().map(|handler| handler.takes).collect())
                .with_left_over(options.unknown, options.tombstone),
            handlers: bound,
            dead_letter: self.dead_letter(topic)?.into(),
            options,
            type_headers: binding.type_headers.clone(),
            batch,
        })))
    }

    /// The threads of the handlers that are plain functions, by name.
    pub(crate) fn threads(&self, runtime: &tokio::runtime::Handle) -> HashMap<String, Arc<Threads>> {
        self.handlers
            .iter()
            .map(|handler| (handler.spec.name.to_owned(), Threads::new(handler.spec.name, runtime.clone())))
            .collect()
    }
}

/// The options that are in force for a handler beside these on a topic: its own, and of the group's those
/// that one of them wrote.
fn in_force<'a>(handler: &Resolved, on_topic: impl Iterator<Item = &'a Resolved>) -> InForce<String> {
    let mut options = handler.options.clone();
    on_topic.for_each(|other| options.take_group_options(&other.options));
    // A batch handler has its topic to itself.
    options.in_force(kind(&handler.spec).batch)
}

#[cfg(test)]
mod tests;
