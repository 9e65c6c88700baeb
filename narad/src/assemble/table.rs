//! The table of handlers that the log shows at the start: what is in force, whoever wrote it.

use std::fmt::Write;

use super::handler::{Resolved, Topics, event};
use super::{GroupPlan, in_force};

impl GroupPlan {
    /// The lines of the group: one for each handler, and where the group's options are not the same on all of
    /// its topics, one for those that have the same.
    pub(crate) fn table(&self, lines: &mut String) {
        for handler in &self.handlers {
            let types = types(handler);
            for (topics, columns) in self.places(handler) {
                let _ = write!(
                    lines,
                    "\n  {} ◄ {} {types} group={}{columns}",
                    handler.spec.name,
                    topics.join(","),
                    self.name
                );
            }
        }
    }

    /// Where a handler reads, with what is in force there.
    fn places(&self, handler: &Resolved) -> Vec<(Vec<String>, String)> {
        let mut places: Vec<(Vec<String>, String)> = Vec::new();
        let on = |topic: &str| in_force(handler, self.on(topic)).columns();
        match &handler.topics {
            Topics::Names(names) => names.iter().for_each(|topic| add(&mut places, topic.clone(), on(topic))),
            Topics::Pattern(pattern) => {
                // Which topics it will find is not known yet; handlers of the same pattern will be there,
                // too.
                let same = self.handlers.iter().filter(|other| match &other.topics {
                    Topics::Pattern(other) => other.as_str() == pattern.as_str(),
                    Topics::Names(_) => false,
                });
                let everywhere = in_force(handler, same).columns();
                add(&mut places, format!("/{pattern}/"), everywhere.clone());
                for topic in self.topics().into_iter().filter(|topic| handler.takes_topic(topic)) {
                    let columns = on(&topic);
                    if columns != everywhere {
                        add(&mut places, topic, columns);
                    }
                }
            }
        }
        places
    }
}

fn add(places: &mut Vec<(Vec<String>, String)>, topic: String, columns: String) {
    match places.iter_mut().find(|(_, other)| *other == columns) {
        Some((topics, _)) => topics.push(topic),
        None => places.push((vec![topic], columns)),
    }
}

fn types(handler: &Resolved) -> String {
    match event(&handler.spec) {
        _ if handler.spec.options.default => "(the rest)".to_owned(),
        Some((_, shape)) => {
            let mut types = shape.types.join(",");
            if shape.other {
                types.push_str(if types.is_empty() { "*" } else { ",*" });
            }
            types
        }
        None => "(every record)".to_owned(),
    }
}
