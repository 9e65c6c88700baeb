//! Dead letters that come back as records to be handled: such a record would go round for ever, and each
//! round is a copy that all readers of the topic see.
//!
//! What is read from a dead-letter topic goes back to that topic, with its rounds counted. A topic is one by
//! its name (`*.dlq`), or because another handler's dead letters go there.

use std::collections::HashSet;

use super::handler::Resolved;
use crate::dead_letter::DeadLetter;
use crate::error::{Error, Result};

pub(super) fn refuse<'a>(handlers: impl Iterator<Item = &'a Resolved>) -> Result<()> {
    let handlers: Vec<_> = handlers.filter_map(|handler| Some((handler, target(handler)?))).collect();
    for (handler, to) in &handlers {
        let fed = handlers.iter().any(|(other, target)| target == to && !other.takes_topic(to));
        if handler.takes_topic(to) && !fed {
            return Err(Error::Start(format!(
                "handler {}: dead_letter = \"{to}\" is a topic that it takes: a record that fails would be \
                 appended there and read again. Name \
                 another topic, or leave dead_letter out",
                handler.spec.name
            )));
        }
        if let Some(mut round) = round(&handlers, handler, to) {
            round.insert(0, handler.spec.name);
            return Err(Error::Start(format!(
                "handlers {}: each one's dead letters are read by the next, and the last one's by the first: a \
                 record that fails would go round for ever. Name another topic in the dead_letter of one of \
                 them",
                round.join(", ")
            )));
        }
    }
    Ok(())
}

/// Where its dead letters go, if that is a topic which handlers may take as any other.
fn target(handler: &Resolved) -> Option<&str> {
    match &handler.options.dead_letter {
        Some(DeadLetter::Topic(name)) if !name.ends_with(".dlq") => Some(name),
        _ => None,
    }
}

/// The handlers from a topic on, by their dead letters, to a topic that the first one takes.
fn round<'a>(
    handlers: &[(&'a Resolved, &'a str)],
    first: &Resolved,
    from: &'a str,
) -> Option<Vec<&'static str>> {
    let mut seen = HashSet::from([from]);
    let mut ways = vec![(from, Vec::new())];
    while let Some((topic, way)) = ways.pop() {
        for (handler, to) in
            handlers.iter().filter(|(handler, to)| *to != topic && handler.takes_topic(topic))
        {
            let mut way = way.clone();
            way.push(handler.spec.name);
            if goes_round(first, to) {
                return Some(way);
            }
            if seen.insert(to) {
                ways.push((to, way));
            }
        }
    }
    None
}

/// The first one takes this topic, and its dead letters from there go on.
fn goes_round(first: &Resolved, topic: &str) -> bool {
    target(first) != Some(topic) && first.takes_topic(topic)
}
