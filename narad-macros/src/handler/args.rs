//! What stands in `#[kafka_handler(…)]`.

use syn::{Expr, Path};

use super::options::{self, Written};
use crate::attr::{Arg, Slot, Text, ungroup};
use crate::diagnostics::Diagnostics;

#[derive(Default)]
pub(crate) struct Args {
    pub(crate) topic: Slot<Text>,
    pub(crate) topics: Slot<Vec<Text>>,
    pub(crate) pattern: Slot<Text>,
    pub(crate) group: Slot<Text>,
    pub(crate) name: Slot<Text>,
    pub(crate) default: Slot<()>,
    /// Those of the list.
    pub(crate) options: Written,
    pub(crate) krate: Slot<Path>,
}

/// What says which records a handler gets, and who it is; behind it come the options of the list.
const OWN: [&str; 6] = ["topic", "topics", "pattern", "group", "name", "default"];

impl Args {
    pub(crate) fn of(written: Vec<Arg>, diagnostics: &Diagnostics) -> Self {
        let mut args = Self::default();
        for arg in &written {
            args.take(arg, diagnostics);
        }
        args
    }

    fn take(&mut self, arg: &Arg, diagnostics: &Diagnostics) {
        match arg.key().as_str() {
            "topic" => self.topic.set(arg, arg.text("topic = \"user.events\"", diagnostics), diagnostics),
            "topics" => self.topics.set(arg, topics(arg, diagnostics), diagnostics),
            "pattern" => {
                self.pattern.set(arg, arg.text("pattern = r\"^user\\..*\"", diagnostics), diagnostics)
            }
            "group" => {
                self.group.set(arg, arg.text("group = \"analytics-service\"", diagnostics), diagnostics)
            }
            "name" => self.name.set(arg, arg.text("name = \"count_login\"", diagnostics), diagnostics),
            "default" => self.default.set(arg, arg.flag(diagnostics), diagnostics),
            "crate" => self.krate.set(arg, arg.path(diagnostics), diagnostics),
            _ if self.options.take(arg, diagnostics) => {}
            other => {
                let all = [&OWN[..], &options::names(), &["crate"]].concat();
                diagnostics.unknown(&arg.name, format!("option `{other}`"), other, &all);
            }
        }
    }
}

fn topics(arg: &Arg, diagnostics: &Diagnostics) -> Option<Vec<Text>> {
    let usage = "topics = [\"user.login\", \"user.logout\"]";
    let value = arg.expr(usage, diagnostics)?;
    let Expr::Array(array) = ungroup(value) else {
        diagnostics.on(value, format!("expected a list: `{usage}`"));
        return None;
    };
    if array.elems.is_empty() {
        diagnostics.on(value, format!("`topics` needs at least one topic: `{usage}`"));
        return None;
    }
    // A wrong element is reported; the others are still checked.
    Some(array.elems.iter().filter_map(|topic| Text::of(topic, usage, diagnostics)).collect())
}
