//! The options of `#[kafka_handler(…)]`.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Expr, Path};

use crate::attr::{Arg, Slot, Text, ungroup};
use crate::diagnostics::Diagnostics;
use crate::literal;

#[derive(Default)]
pub(crate) struct Args {
    pub(crate) topic: Slot<Text>,
    pub(crate) topics: Slot<Vec<Text>>,
    pub(crate) pattern: Slot<Text>,
    pub(crate) group: Slot<Text>,
    pub(crate) name: Slot<Text>,
    pub(crate) default: Slot<()>,
    pub(crate) ordering: Slot<Ordering>,
    pub(crate) concurrency: Slot<Concurrency>,
    pub(crate) retry: Slot<Retry>,
    pub(crate) dead_letter: Slot<DeadLetter>,
    pub(crate) timeout: Slot<u64>,
    pub(crate) batch: Slot<Batch>,
    pub(crate) start: Slot<Start>,
    pub(crate) krate: Slot<Path>,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Ordering {
    Key,
    Partition,
    None,
}

/// The span is that of the value.
pub(crate) struct Concurrency {
    pub(crate) count: u32,
    pub(crate) span: Span,
}

/// `retry(attempts = 5, backoff = "100ms..30s")`; milliseconds.
#[derive(Default)]
pub(crate) struct Retry {
    pub(crate) attempts: Slot<u32>,
    pub(crate) backoff: Slot<(u64, u64)>,
}

pub(crate) enum DeadLetter {
    Topic(Text),
    Off,
    Skip,
}

/// `batch(max = 500, wait = "50ms")`; milliseconds.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) max: Slot<u32>,
    pub(crate) wait: Slot<u64>,
}

#[derive(Clone, Copy)]
pub(crate) enum Start {
    Earliest,
    Latest,
}

const OPTIONS: &[&str] = &[
    "topic",
    "topics",
    "pattern",
    "group",
    "name",
    "default",
    "ordering",
    "concurrency",
    "retry",
    "dead_letter",
    "timeout",
    "batch",
    "start",
    "crate",
];

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
            "ordering" => self.ordering.set(arg, ordering(arg, diagnostics), diagnostics),
            "concurrency" => self.concurrency.set(arg, concurrency(arg, diagnostics), diagnostics),
            "retry" => self.retry.set(arg, Retry::of(arg, diagnostics), diagnostics),
            "dead_letter" => self.dead_letter.set(arg, dead_letter(arg, diagnostics), diagnostics),
            "timeout" => self.timeout.set(arg, timeout(arg, diagnostics), diagnostics),
            "batch" => self.batch.set(arg, batch(arg, diagnostics), diagnostics),
            "start" => self.start.set(arg, start(arg, diagnostics), diagnostics),
            "crate" => self.krate.set(arg, arg.path(diagnostics), diagnostics),
            other => diagnostics.unknown(&arg.name, format!("option `{other}`"), other, OPTIONS),
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

fn ordering(arg: &Arg, diagnostics: &Diagnostics) -> Option<Ordering> {
    let choices = [("key", Ordering::Key), ("partition", Ordering::Partition), ("none", Ordering::None)];
    arg.choice(&choices, "ordering = \"partition\"", diagnostics)
}

fn concurrency(arg: &Arg, diagnostics: &Diagnostics) -> Option<Concurrency> {
    let usage = "concurrency = 16";
    let count = arg.count(usage, diagnostics)?;
    Some(Concurrency { count, span: arg.expr(usage, diagnostics)?.span() })
}

fn dead_letter(arg: &Arg, diagnostics: &Diagnostics) -> Option<DeadLetter> {
    let usage = "dead_letter = \"user.events.failed\"";
    let value = arg.expr(usage, diagnostics)?;
    if let Expr::Path(path) = value
        && let Some(word) = path.path.get_ident()
    {
        match word.to_string().as_str() {
            "off" => return Some(DeadLetter::Off),
            "skip" => return Some(DeadLetter::Skip),
            // The name of a constant is in capitals.
            other if other.starts_with(|c: char| c.is_lowercase()) => {
                diagnostics.unknown(
                    word,
                    format!("`dead_letter`: `{other}`"),
                    other,
                    &["off", "skip", "\"topic\""],
                );
                return None;
            }
            _ => {}
        }
    }
    Text::of(value, usage, diagnostics).map(DeadLetter::Topic)
}

fn timeout(arg: &Arg, diagnostics: &Diagnostics) -> Option<u64> {
    literal::timeout(&arg.literal("timeout = \"30s\"", diagnostics)?, diagnostics)
}

fn start(arg: &Arg, diagnostics: &Diagnostics) -> Option<Start> {
    arg.choice(&[("earliest", Start::Earliest), ("latest", Start::Latest)], "start = \"latest\"", diagnostics)
}

impl Retry {
    /// Also of `#[retry(…)]` on a variant of an error.
    pub(crate) fn of(arg: &Arg, diagnostics: &Diagnostics) -> Option<Self> {
        let mut retry = Self::default();
        for arg in &arg.list("retry(attempts = 5, backoff = \"100ms..30s\")", diagnostics)? {
            match arg.key().as_str() {
                "attempts" => retry.attempts.set(arg, arg.count("attempts = 5", diagnostics), diagnostics),
                "backoff" => {
                    let range = arg
                        .literal("backoff = \"100ms..30s\"", diagnostics)
                        .and_then(|literal| literal::range(&literal, diagnostics));
                    retry.backoff.set(arg, range, diagnostics);
                }
                other => diagnostics.unknown(
                    &arg.name,
                    format!("option `{other}` of `retry`"),
                    other,
                    &["attempts", "backoff"],
                ),
            }
        }
        Some(retry)
    }
}

fn batch(arg: &Arg, diagnostics: &Diagnostics) -> Option<Batch> {
    let mut batch = Batch::default();
    for arg in &arg.list("batch(max = 500, wait = \"50ms\")", diagnostics)? {
        match arg.key().as_str() {
            "max" => batch.max.set(arg, arg.count("max = 500", diagnostics), diagnostics),
            "wait" => {
                let wait = arg
                    .literal("wait = \"50ms\"", diagnostics)
                    .and_then(|literal| literal::duration(&literal, diagnostics));
                batch.wait.set(arg, wait, diagnostics);
            }
            other => diagnostics.unknown(
                &arg.name,
                format!("option `{other}` of `batch`"),
                other,
                &["max", "wait"],
            ),
        }
    }
    Some(batch)
}
