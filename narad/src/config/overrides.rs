//! `NARAD_HANDLER_<NAME>_<OPTION>`: options of handlers, changed without a rebuild.

use std::collections::BTreeMap;

use narad_syntax::options::{Grammar, OPTIONS, OptionSpec, Options, Refusal, Value};
use narad_syntax::suggest::hint;

use super::dotenv::in_file;
use super::value;
use crate::error::{Error, Result};
use crate::handler::OptionsSpec;

/// Options of handlers as the environment has them, by what follows `NARAD_HANDLER_`.
#[derive(Clone, Debug, Default)]
pub struct HandlerOverrides {
    values: BTreeMap<String, String>,
    /// Lines of `.env`, of those that stand there.
    lines: BTreeMap<String, usize>,
}

pub(super) const PREFIX: &str = "NARAD_HANDLER_";

/// What of a handler decides which options it can have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HandlerKind {
    /// It takes a `Batch<T>`.
    pub(crate) batch: bool,
    /// It is a plain `fn`.
    pub(crate) blocking: bool,
}

/// The options of a handler as written, and over them those of the environment.
pub(crate) type Overridden = Options<String>;

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
    pub(crate) fn resolve(&self, handlers: &[(&str, &OptionsSpec, HandlerKind)]) -> Result<Vec<Overridden>> {
        let mut resolved: Vec<_> = handlers.iter().map(|(_, spec, _)| spec.map(str::to_owned)).collect();
        for (variable, text) in &self.values {
            let wrong = |why: String| self.wrong(variable, &why);
            let (name, option) = split(variable).ok_or_else(|| wrong(no_option(variable, handlers)))?;
            let mut meant = handlers
                .iter()
                .zip(&mut resolved)
                .filter(|((handler, ..), _)| in_variable(handler) == name)
                .map(|(_, options)| options)
                .peekable();
            if meant.peek().is_none() {
                return Err(wrong(no_handler(name, handlers)));
            }
            let value = read(option, text).map_err(wrong)?;
            meant.for_each(|options| options.set(option, value.map(str::to_owned)));
        }
        for (options, (name, _, kind)) in resolved.iter().zip(handlers) {
            let of_batches = options.batch_refusals(kind.batch);
            if let Some(refusal) = of_batches.into_iter().chain(options.refusals(kind.blocking, &[])).next() {
                return Err(self.refused(name, &refusal));
            }
        }
        Ok(resolved)
    }

    /// Options that cannot be, by the variable that made them so.
    fn refused(&self, name: &str, refusal: &Refusal) -> Error {
        let makes_it_so = |variable: &&String| {
            split(variable).is_some_and(|(of, option)| {
                let is_part = option.field == refusal.field || Some(option.field) == refusal.beside;
                of == in_variable(name) && is_part
            })
        };
        match self.values.keys().find(makes_it_so) {
            Some(variable) => self.wrong(variable, &refusal.why),
            None => Error::Config(format!("handler {name}: {}", refusal.why)),
        }
    }

    fn wrong(&self, variable: &str, why: &str) -> Error {
        let line = self.lines.get(variable).map_or_else(String::new, |line| in_file(*line));
        Error::Config(format!("{PREFIX}{variable}: {why}{line}"))
    }
}

/// A variable's handler and option: the option is what it ends with, and no option is another one's ending.
fn split(variable: &str) -> Option<(&str, &'static OptionSpec)> {
    let split = |option: &'static OptionSpec| {
        Some((variable.strip_suffix(&option.variable())?.strip_suffix('_')?, option))
    };
    OPTIONS.iter().find_map(split).filter(|(name, _)| !name.is_empty())
}

/// A value as the attribute's grammar reads it; an error repeats it, unless it looks like a secret.
fn read<'t>(option: &OptionSpec, text: &'t str) -> std::result::Result<Value<&'t str>, String> {
    let shown = value::quoted(text);
    option.read(text, &shown).map_err(|why| match option.grammar {
        Grammar::Words(_) => why,
        _ => format!("{shown}: {why}"),
    })
}

/// What is said where a variable ends with no option.
fn no_option(variable: &str, handlers: &[(&str, &OptionsSpec, HandlerKind)]) -> String {
    let names: Vec<_> = handlers.iter().map(|(name, ..)| in_variable(name)).collect();
    let behind = |name: &String| {
        variable.strip_prefix(name.as_str())?.strip_prefix('_').map(|rest| (name.len(), rest))
    };
    let known: Vec<_> = OPTIONS.iter().map(OptionSpec::variable).collect();
    let options = known.join(", ");
    match names.iter().filter_map(behind).max() {
        Some((_, rest)) => format!(
            "no option is called {rest}{}; there are: {options}",
            hint(rest, known.iter().map(String::as_str))
        ),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use narad_syntax::duration;
    use narad_syntax::options::{BATCHES_ONLY, DeadLetter, LeftOver, ONE_BATCH_AT_A_TIME};

    use super::*;

    const EVENTS: HandlerKind = HandlerKind { batch: false, blocking: false };

    fn one(variable: &str, text: &str) -> Result<Vec<Overridden>> {
        let mut overrides = HandlerOverrides::default();
        overrides.set(variable, text);
        overrides
            .resolve(&[("count", &OptionsSpec::NONE, EVENTS), ("count_login", &OptionsSpec::NONE, EVENTS)])
    }

    fn resolved(handlers: &[(&str, HandlerKind)], variables: &[(&str, &str)]) -> Result<Vec<Overridden>> {
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
        assert_eq!((options[0].concurrency, options[1].concurrency), (None, Some(64)));
        let two = [("index", BATCHES), ("index_batch", BATCHES)];
        let options = resolved(&two, &[("INDEX_BATCH_MAX", "5"), ("INDEX_BATCH_BATCH_MAX", "6")]).unwrap();
        assert_eq!((options[0].batch_max, options[1].batch_max), (Some(5), Some(6)));
        for (other, variable, text) in [
            ("x_retry", "X_RETRY_ATTEMPTS", "7"),
            ("x_dead", "X_DEAD_LETTER", "off"),
            ("x_batch", "X_BATCH_WAIT", "7s"),
        ] {
            let options = resolved(&[("x", BATCHES), (other, BATCHES)], &[(variable, text)]).unwrap();
            let changed = |options: &Overridden| {
                options.retry_attempts == Some(7)
                    || options.dead_letter == Some(DeadLetter::Off)
                    || options.batch_wait == Some(Duration::from_secs(7))
            };
            assert!(changed(&options[0]) && !changed(&options[1]), "{variable}");
        }
    }

    #[test]
    fn no_option_is_the_ending_of_another_one() {
        let variables: Vec<_> = OPTIONS.iter().map(OptionSpec::variable).collect();
        for variable in &variables {
            let mut others = variables.iter().filter(|other| *other != variable);
            assert!(!others.any(|other| variable.ends_with(&format!("_{other}"))), "{variable}");
            let whole = format!("COUNT_{variable}");
            let (name, option) = split(&whole).expect("an option");
            assert_eq!((name, &option.variable()), ("COUNT", variable));
        }
    }

    #[test]
    fn what_becomes_of_a_record_that_nobody_takes_can_be_overridden() {
        let variables = [("COUNT_UNKNOWN", "dead_letter"), ("COUNT_TOMBSTONE", "skip")];
        let options = resolved(&[("count", EVENTS)], &variables).unwrap();
        let (unknown, tombstone) = (options[0].unknown, options[0].tombstone);
        assert_eq!((unknown, tombstone), (Some(LeftOver::DeadLetter), Some(LeftOver::Skip)));
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
        assert_eq!(
            options.iter().map(|options| options.concurrency).collect::<Vec<_>>(),
            [Some(64), Some(64), None, Some(64)]
        );
    }

    /// Each text is that of the attribute.
    #[test]
    fn what_the_attribute_refuses_is_refused_here() {
        for (kind, variables, part) in [
            (EVENTS, &[("COUNT_TIMEOUT", "0s")][..], duration::read_timeout("0ms").unwrap_err()),
            (EVENTS, &[("COUNT_TIMEOUT", "5")], duration::read("5").unwrap_err()),
            (EVENTS, &[("COUNT_TIMEOUT", "99999999999999999999h")], duration::read("").unwrap_err()),
            (
                PLAIN,
                &[("COUNT_TIMEOUT", "5s")],
                "a plain `fn` cannot be stopped, so it has no `timeout`; make it an `async fn`",
            ),
            (EVENTS, &[("COUNT_RETRY_BACKOFF", "1s")], duration::read_backoff("").unwrap_err()),
            (EVENTS, &[("COUNT_RETRY_BACKOFF", "2s..1s")], duration::read_backoff("2s..1s").unwrap_err()),
            (
                EVENTS,
                &[("COUNT_RETRY_BACKOFF", "0s..0s"), ("COUNT_DEAD_LETTER", "off")],
                "with `dead_letter = off` a record is tried for ever",
            ),
            (
                EVENTS,
                &[("COUNT_RETRY_BACKOFF", "0s..30s"), ("COUNT_DEAD_LETTER", "off")],
                "with `dead_letter = off` a record is tried for ever",
            ),
            (EVENTS, &[("COUNT_RETRY_ATTEMPTS", "0")], "from 1 to 4294967295"),
            (EVENTS, &[("COUNT_RETRY_ATTEMPTS", "4294967296")], "from 1 to 4294967295"),
            (EVENTS, &[("COUNT_CONCURRENCY", "0")], "from 1 to 4294967295"),
            (EVENTS, &[("COUNT_CONCURRENCY", "-1")], "from 1 to 4294967295"),
            (
                EVENTS,
                &[("COUNT_CONCURRENCY", "2"), ("COUNT_ORDERING", "partition")],
                "one record of a partition runs at a time; leave `concurrency` out",
            ),
            (
                PLAIN,
                &[("COUNT_CONCURRENCY", "513")],
                "a plain `fn` runs on a thread for each record, at most 512",
            ),
            (BATCHES, &[("COUNT_CONCURRENCY", "2")], ONE_BATCH_AT_A_TIME),
            (BATCHES, &[("COUNT_BATCH_MAX", "0")], "from 1 to 4294967295"),
            (BATCHES, &[("COUNT_BATCH_WAIT", "50")], duration::read("50").unwrap_err()),
            (EVENTS, &[("COUNT_BATCH_MAX", "5")], BATCHES_ONLY),
            (EVENTS, &[("COUNT_BATCH_WAIT", "5s")], BATCHES_ONLY),
            (EVENTS, &[("COUNT_BATCH_ISOLATE", "1")], BATCHES_ONLY),
            (BATCHES, &[("COUNT_BATCH_ISOLATE", "0")], "from 1 to 4294967295"),
            (
                BATCHES,
                &[("COUNT_BATCH_ISOLATE", "5")],
                "with 5 attempts in all, none is left for single records after so many failures of the batch",
            ),
            (
                BATCHES,
                &[("COUNT_BATCH_ISOLATE", "2"), ("COUNT_RETRY_ATTEMPTS", "2")],
                "with 2 attempts in all, none is left for single records",
            ),
            (EVENTS, &[("COUNT_DEAD_LETTER", "a b")], "a topic's name cannot have ' '"),
            (EVENTS, &[("COUNT_DEAD_LETTER", "..")], "a topic cannot be called `..`"),
            (EVENTS, &[("COUNT_DEAD_LETTER", &"a".repeat(250))], "250 characters"),
            (
                EVENTS,
                &[("COUNT_ORDERING", "keys")],
                "did you mean `key`? accepted: `key`, `partition`, `none`",
            ),
            (EVENTS, &[("COUNT_START", "now")], "unknown `start`: \"now\"; accepted: `earliest`, `latest`"),
            (
                EVENTS,
                &[("COUNT_UNKNOWN", "off")],
                "unknown `unknown`: \"off\"; accepted: `skip`, `dead_letter`",
            ),
            (EVENTS, &[("COUNT_TOMBSTONE", "dead")], "accepted: `skip`, `dead_letter`"),
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
            (BATCHES, &[("COUNT_BATCH_ISOLATE", "4")]),
            (BATCHES, &[("COUNT_BATCH_ISOLATE", "1"), ("COUNT_RETRY_ATTEMPTS", "2")]),
            (EVENTS, &[("COUNT_TIMEOUT", "4294967296ms")]),
            (EVENTS, &[("COUNT_RETRY_BACKOFF", "100ms .. 30s")]),
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
