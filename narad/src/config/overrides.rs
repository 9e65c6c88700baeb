//! `NARAD_HANDLER_<NAME>_<OPTION>`: options of handlers, changed without a rebuild.

use std::collections::BTreeMap;

use narad_syntax::limits;
use narad_syntax::suggest::hint;

use super::options::{DeadLetter, HandlerKind, Options};
use super::{env, value};
use crate::error::{Error, Result};
use crate::handler::{OptionsSpec, Ordering, Start};

/// Options of handlers as the environment has them, by what follows `NARAD_HANDLER_`.
#[derive(Clone, Debug, Default)]
pub struct HandlerOverrides {
    values: BTreeMap<String, String>,
    /// Lines of `.env`, of those that stand there.
    lines: BTreeMap<String, usize>,
}

pub(super) const PREFIX: &str = "NARAD_HANDLER_";

const OPTIONS: [&str; 9] = [
    "ORDERING",
    "CONCURRENCY",
    "RETRY_ATTEMPTS",
    "RETRY_BACKOFF",
    "DEAD_LETTER",
    "TIMEOUT",
    "BATCH_MAX",
    "BATCH_WAIT",
    "START",
];

impl HandlerOverrides {
    /// Sets one, as `COUNT_LOGIN_CONCURRENCY`.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.values.insert(name.into(), value.into());
    }

    /// All of them, by their names and as they are written.
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Notes the line of `.env` where one stands.
    pub(super) fn stands_at(&mut self, name: &str, line: usize) {
        self.lines.insert(name.to_owned(), line);
    }

    /// The options of each handler: as written, then as overridden for every handler of that name.
    ///
    /// # Errors
    /// A variable of no handler or no option, or a value that the attribute would not take either.
    pub(crate) fn resolve(&self, handlers: &[(&str, &OptionsSpec, HandlerKind)]) -> Result<Vec<Options>> {
        let mut resolved: Vec<_> = handlers.iter().map(|(_, spec, _)| Options::of(spec)).collect();
        for (variable, text) in &self.values {
            let wrong = |why: String| self.wrong(variable, &why);
            let (name, option) = split(variable).ok_or_else(|| wrong(no_option(variable, handlers)))?;
            let mut meant = handlers
                .iter()
                .zip(&mut resolved)
                .filter(|((handler, ..), _)| in_variable(handler) == name)
                .peekable();
            if meant.peek().is_none() {
                return Err(wrong(no_handler(name, handlers)));
            }
            for ((_, _, kind), options) in meant {
                apply(options, option, text, *kind).map_err(wrong)?;
            }
        }
        for (options, (name, _, kind)) in resolved.iter_mut().zip(handlers) {
            options.check(*kind).map_err(|(parts, why)| {
                let is_part = |variable: &&String| {
                    split(variable).is_some_and(|(of, part)| of == in_variable(name) && parts.contains(&part))
                };
                match self.values.keys().find(is_part) {
                    Some(variable) => self.wrong(variable, &why),
                    None => Error::Config(format!("handler {name}: {why}")),
                }
            })?;
        }
        Ok(resolved)
    }

    fn wrong(&self, variable: &str, why: &str) -> Error {
        let line = self.lines.get(variable).map_or_else(String::new, |line| env::in_file(*line));
        Error::Config(format!("{PREFIX}{variable}: {why}{line}"))
    }
}

/// A variable's handler and option: the option is what it ends with, and no option is another one's ending.
fn split(variable: &str) -> Option<(&str, &'static str)> {
    let split = |option: &'static str| Some((variable.strip_suffix(option)?.strip_suffix('_')?, option));
    OPTIONS.into_iter().find_map(split).filter(|(name, _)| !name.is_empty())
}

/// What is said where a variable ends with no option.
fn no_option(variable: &str, handlers: &[(&str, &OptionsSpec, HandlerKind)]) -> String {
    let names: Vec<_> = handlers.iter().map(|(name, ..)| in_variable(name)).collect();
    let behind = |name: &String| {
        variable.strip_prefix(name.as_str())?.strip_prefix('_').map(|rest| (name.len(), rest))
    };
    let options = OPTIONS.join(", ");
    match names.iter().filter_map(behind).max() {
        Some((_, rest)) => format!("no option is called {rest}{}; there are: {options}", hint(rest, OPTIONS)),
        None if names.iter().any(|name| name == variable) => {
            format!("no option follows the handler's name; there are: {options}")
        }
        None => format!(
            "it has the name of no handler, which are: {}; and ends with no option, which are: {options}",
            names.join(", ")
        ),
    }
}

fn no_handler(name: &str, handlers: &[(&str, &OptionsSpec, HandlerKind)]) -> String {
    let mut names: Vec<_> = handlers.iter().map(|(name, ..)| in_variable(name)).collect();
    names.dedup();
    format!(
        "no handler has this name{}; there are: {}",
        hint(name, names.iter().map(String::as_str)),
        names.join(", ")
    )
}

/// A handler's name as it stands in a variable, which has no `-` and no `.`.
fn in_variable(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).flat_map(char::to_uppercase).collect()
}

fn apply(
    options: &mut Options,
    option: &str,
    text: &str,
    kind: HandlerKind,
) -> std::result::Result<(), String> {
    match option {
        "ORDERING" => {
            options.ordering = match text {
                "key" => Ordering::Key,
                "partition" => Ordering::Partition,
                "none" => Ordering::None,
                _ => return Err(format!("{} is none of key, partition, none", value::quoted(text))),
            };
            options.written.ordering = Some(options.ordering);
        }
        "CONCURRENCY" => {
            options.concurrency = value::count(text)?;
            if kind.batch && options.concurrency > 1 {
                return Err(
                    "the batches of a partition are handled one after the other: no concurrency above 1"
                        .to_owned(),
                );
            }
            options.written.concurrency = Some(options.concurrency);
        }
        "RETRY_ATTEMPTS" => options.retry_attempts = value::count(text)?,
        "RETRY_BACKOFF" => options.retry_backoff = value::backoff(text)?,
        "DEAD_LETTER" => {
            options.dead_letter = match text {
                "off" => DeadLetter::Off,
                "skip" => DeadLetter::Skip,
                topic => DeadLetter::Topic(value::topic(topic)?),
            }
        }
        "TIMEOUT" if kind.blocking => return Err(limits::PLAIN_TIMEOUT.to_owned()),
        "TIMEOUT" => options.timeout = Some(value::timeout(text)?),
        "BATCH_MAX" | "BATCH_WAIT" if !kind.batch => {
            return Err("`batch` is for handlers that take a `Batch<T>`; take one, or leave the option out"
                .to_owned());
        }
        "BATCH_MAX" => options.batch_max = value::count(text)?,
        "BATCH_WAIT" => options.batch_wait = value::duration(text)?,
        "START" => {
            options.start = match text {
                "earliest" => Start::Earliest,
                "latest" => Start::Latest,
                _ => return Err(format!("{} is neither earliest nor latest", value::quoted(text))),
            };
            options.written.start = Some(options.start);
        }
        other => return Err(format!("no option is called {other}")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use narad_syntax::duration;

    use super::*;

    const EVENTS: HandlerKind = HandlerKind { batch: false, blocking: false };

    fn one(variable: &str, text: &str) -> Result<Vec<Options>> {
        let mut overrides = HandlerOverrides::default();
        overrides.set(variable, text);
        overrides
            .resolve(&[("count", &OptionsSpec::NONE, EVENTS), ("count_login", &OptionsSpec::NONE, EVENTS)])
    }

    fn resolved(handlers: &[(&str, HandlerKind)], variables: &[(&str, &str)]) -> Result<Vec<Options>> {
        let mut overrides = HandlerOverrides::default();
        variables.iter().for_each(|(variable, text)| overrides.set(*variable, *text));
        overrides.resolve(
            &handlers.iter().map(|(name, kind)| (*name, &OptionsSpec::NONE, *kind)).collect::<Vec<_>>(),
        )
    }

    const BATCHES: HandlerKind = HandlerKind { batch: true, blocking: false };
    const PLAIN: HandlerKind = HandlerKind { batch: false, blocking: true };

    #[test]
    fn a_handler_is_what_stands_before_the_option() {
        let options = one("COUNT_LOGIN_CONCURRENCY", "64").unwrap();
        assert_eq!((options[0].concurrency, options[1].concurrency), (16, 64));
        let two = [("index", BATCHES), ("index_batch", BATCHES)];
        let options = resolved(&two, &[("INDEX_BATCH_MAX", "5"), ("INDEX_BATCH_BATCH_MAX", "6")]).unwrap();
        assert_eq!((options[0].batch_max, options[1].batch_max), (5, 6));
        for (other, variable, text) in [
            ("x_retry", "X_RETRY_ATTEMPTS", "7"),
            ("x_dead", "X_DEAD_LETTER", "off"),
            ("x_batch", "X_BATCH_WAIT", "7s"),
        ] {
            let options = resolved(&[("x", BATCHES), (other, BATCHES)], &[(variable, text)]).unwrap();
            let changed = |options: &Options| {
                options.retry_attempts == 7
                    || options.dead_letter == DeadLetter::Off
                    || options.batch_wait == Duration::from_secs(7)
            };
            assert!(changed(&options[0]) && !changed(&options[1]), "{variable}");
        }
    }

    #[test]
    fn no_option_is_the_ending_of_another_one() {
        for option in OPTIONS {
            let others = OPTIONS.into_iter().filter(|other| *other != option);
            assert!(!others.into_iter().any(|other| option.ends_with(&format!("_{other}"))), "{option}");
            assert_eq!(split(&format!("COUNT_{option}")), Some(("COUNT", option)));
        }
    }

    #[test]
    fn every_handler_whose_name_reads_so_is_meant() {
        let names = [
            ("by-pattern.v2", EVENTS),
            ("by_pattern_v2", EVENTS),
            ("by_pattern", EVENTS),
            ("by_pattern_v2", EVENTS),
        ];
        let options = resolved(&names, &[("BY_PATTERN_V2_CONCURRENCY", "64")]).unwrap();
        assert_eq!(options.iter().map(|options| options.concurrency).collect::<Vec<_>>(), [64, 64, 16, 64]);
    }

    /// Each text is that of the attribute.
    #[test]
    fn what_the_attribute_refuses_is_refused_here() {
        for (kind, variables, part) in [
            (EVENTS, &[("COUNT_TIMEOUT", "0s")][..], duration::read_timeout("0ms").unwrap_err()),
            (EVENTS, &[("COUNT_TIMEOUT", "5")], duration::read("5").unwrap_err()),
            (EVENTS, &[("COUNT_TIMEOUT", "99999999999999999999h")], duration::read("").unwrap_err()),
            (PLAIN, &[("COUNT_TIMEOUT", "5s")], limits::PLAIN_TIMEOUT),
            (EVENTS, &[("COUNT_RETRY_BACKOFF", "1s")], duration::read_backoff("").unwrap_err()),
            (EVENTS, &[("COUNT_RETRY_BACKOFF", "2s..1s")], duration::read_backoff("2s..1s").unwrap_err()),
            (EVENTS, &[("COUNT_RETRY_BACKOFF", "0s..0s"), ("COUNT_DEAD_LETTER", "off")], limits::NO_PAUSE),
            (EVENTS, &[("COUNT_RETRY_BACKOFF", "0s..30s"), ("COUNT_DEAD_LETTER", "off")], limits::NO_PAUSE),
            (EVENTS, &[("COUNT_RETRY_ATTEMPTS", "0")], "from 1 to 4294967295"),
            (EVENTS, &[("COUNT_RETRY_ATTEMPTS", "4294967296")], "from 1 to 4294967295"),
            (EVENTS, &[("COUNT_CONCURRENCY", "0")], "from 1 to 4294967295"),
            (EVENTS, &[("COUNT_CONCURRENCY", "-1")], "from 1 to 4294967295"),
            (EVENTS, &[("COUNT_CONCURRENCY", "2"), ("COUNT_ORDERING", "partition")], limits::PARTITION_ORDER),
            (PLAIN, &[("COUNT_CONCURRENCY", "513")], &limits::too_many_threads()),
            (BATCHES, &[("COUNT_CONCURRENCY", "2")], "one after the other"),
            (BATCHES, &[("COUNT_BATCH_MAX", "0")], "from 1 to 4294967295"),
            (BATCHES, &[("COUNT_BATCH_WAIT", "50")], duration::read("50").unwrap_err()),
            (EVENTS, &[("COUNT_BATCH_MAX", "5")], "`Batch<T>`"),
            (EVENTS, &[("COUNT_BATCH_WAIT", "5s")], "`Batch<T>`"),
            (EVENTS, &[("COUNT_DEAD_LETTER", "a b")], "a topic's name cannot have ' '"),
            (EVENTS, &[("COUNT_DEAD_LETTER", "..")], "a topic cannot be called `..`"),
            (EVENTS, &[("COUNT_DEAD_LETTER", &"a".repeat(250))], "250 characters"),
            (EVENTS, &[("COUNT_ORDERING", "keys")], "key, partition, none"),
            (EVENTS, &[("COUNT_START", "now")], "neither earliest nor latest"),
        ] {
            let said =
                resolved(&[("count", kind)], variables).expect_err(&format!("{variables:?}")).to_string();
            let named =
                variables.iter().any(|(variable, _)| said.starts_with(&format!("{PREFIX}{variable}: ")));
            assert!(named && said.contains(part), "{variables:?}: {said}");
        }
        for (kind, variables) in [
            (EVENTS, &[("COUNT_RETRY_BACKOFF", "0s..0s")][..]),
            (EVENTS, &[("COUNT_RETRY_BACKOFF", "1ms..1ms"), ("COUNT_DEAD_LETTER", "off")]),
            (EVENTS, &[("COUNT_CONCURRENCY", "513")]),
            (PLAIN, &[("COUNT_CONCURRENCY", "512")]),
            (EVENTS, &[("COUNT_CONCURRENCY", "1"), ("COUNT_ORDERING", "partition")]),
            (BATCHES, &[("COUNT_BATCH_WAIT", "0s"), ("COUNT_BATCH_MAX", "4294967295")]),
            (EVENTS, &[("COUNT_TIMEOUT", "4294967296ms")]),
        ] {
            assert!(resolved(&[("count", kind)], variables).is_ok(), "{variables:?}");
        }
    }

    #[test]
    fn what_cannot_be_names_the_variable() {
        for (variable, text, part) in [
            ("NOBODY_CONCURRENCY", "1", "COUNT, COUNT_LOGIN"),
            ("COUNT_LOGN_CONCURRENCY", "1", "did you mean COUNT_LOGIN?"),
            ("NOBODY_CONCURENCY", "1", "COUNT, COUNT_LOGIN"),
            ("CONCURRENCY", "1", "name of no handler"),
            ("COUNT_CONCURENCY", "1", "did you mean CONCURRENCY?"),
            ("COUNT", "1", "no option follows"),
            ("COUNT_CONCURRENCY", "0", "whole number"),
            ("COUNT_RETRY_BACKOFF", "1", "range of durations"),
        ] {
            let error = one(variable, text).unwrap_err().to_string();
            assert!(error.starts_with("NARAD_HANDLER_") && error.contains(part), "{error}");
        }
    }
}
