//! `NARAD_HANDLER_<NAME>_<OPTION>`: options of handlers, changed without a rebuild.

use std::collections::BTreeMap;

use super::options::{DeadLetter, HandlerKind, Options};
use super::suggest::hint;
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

const OPTIONS: [&str; 9] =
    ["ORDERING", "CONCURRENCY", "RETRY_ATTEMPTS", "RETRY_BACKOFF", "DEAD_LETTER", "TIMEOUT", "BATCH_MAX", "BATCH_WAIT", "START"];

impl HandlerOverrides {
    /// Sets one, as `COUNT_LOGIN_CONCURRENCY`.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.values.insert(name.into(), value.into());
    }

    /// Notes the line of `.env` where one stands.
    pub(super) fn stands_at(&mut self, name: &str, line: usize) {
        self.lines.insert(name.to_owned(), line);
    }

    /// The options of each handler: as written, then as overridden for every handler of that name.
    ///
    /// # Errors
    /// A variable of no handler or no option, or a value that is none.
    pub(crate) fn resolve(&self, handlers: &[(&str, &OptionsSpec, HandlerKind)]) -> Result<Vec<Options>> {
        let mut resolved: Vec<_> = handlers.iter().map(|(_, spec, _)| Options::of(spec)).collect();
        for (variable, text) in &self.values {
            let line = self.lines.get(variable).map_or_else(String::new, |line| env::in_file(*line));
            // The longest name that matches: `count` may not take what is meant for `count_login`.
            let option = |name: &str| variable.strip_prefix(&in_variable(name)).and_then(|rest| rest.strip_prefix('_'));
            let matching = handlers.iter().filter_map(|(name, ..)| Some((*name, option(name)?)));
            let Some((name, option)) = matching.max_by_key(|(name, _)| name.len()) else {
                if handlers.iter().any(|(name, ..)| in_variable(name) == *variable) {
                    return Err(Error::Config(format!(
                        "{PREFIX}{variable}: no option follows the handler's name; there are: {}{line}",
                        OPTIONS.join(", ")
                    )));
                }
                let names: Vec<String> = handlers.iter().map(|(name, ..)| in_variable(name)).collect();
                return Err(Error::Config(format!("{PREFIX}{variable}: no handler has this name; there are: {}{line}", names.join(", "))));
            };
            for (place, (_, _, kind)) in handlers.iter().enumerate().filter(|(_, (other, ..))| *other == name) {
                apply(&mut resolved[place], option, text, *kind)
                    .map_err(|why| Error::Config(format!("{PREFIX}{variable}: {why}{line}")))?;
            }
        }
        for (options, (name, ..)) in resolved.iter_mut().zip(handlers) {
            options.check(name)?;
        }
        Ok(resolved)
    }
}

/// A handler's name as it stands in a variable, which has no `-` and no `.`.
fn in_variable(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).flat_map(char::to_uppercase).collect()
}

fn apply(options: &mut Options, option: &str, text: &str, kind: HandlerKind) -> std::result::Result<(), String> {
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
        "TIMEOUT" if kind.blocking => return Err("the handler is a plain fn, which cannot be stopped: no timeout".to_owned()),
        "TIMEOUT" => options.timeout = Some(value::duration(text)?),
        "BATCH_MAX" | "BATCH_WAIT" if !kind.batch => return Err("the handler takes no Batch<T>".to_owned()),
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
        _ => return Err(format!("no option is called {option}{}; there are: {}", hint(option, OPTIONS), OPTIONS.join(", "))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: HandlerKind = HandlerKind { batch: false, blocking: false };

    fn one(variable: &str, text: &str) -> Result<Vec<Options>> {
        let mut overrides = HandlerOverrides::default();
        overrides.set(variable, text);
        overrides.resolve(&[("count", &OptionsSpec::NONE, EVENTS), ("count_login", &OptionsSpec::NONE, EVENTS)])
    }

    #[test]
    fn the_longest_name_wins() {
        let options = one("COUNT_LOGIN_CONCURRENCY", "64").unwrap();
        assert_eq!((options[0].concurrency, options[1].concurrency), (16, 64));
    }

    #[test]
    fn a_name_may_have_characters_that_variables_have_not() {
        let mut overrides = HandlerOverrides::default();
        overrides.set("BY_PATTERN_V2_CONCURRENCY", "64");
        let options = overrides.resolve(&[("by-pattern.v2", &OptionsSpec::NONE, EVENTS)]).unwrap();
        assert_eq!(options[0].concurrency, 64);
    }

    #[test]
    fn what_cannot_be_names_the_variable() {
        for (variable, text, part) in [
            ("NOBODY_CONCURRENCY", "1", "COUNT, COUNT_LOGIN"),
            ("COUNT_CONCURENCY", "1", "did you mean CONCURRENCY?"),
            ("COUNT", "1", "no option follows"),
            ("COUNT_CONCURRENCY", "0", "whole number"),
            ("COUNT_BATCH_MAX", "5", "no Batch<T>"),
            ("COUNT_RETRY_BACKOFF", "1", "not a backoff"),
        ] {
            let error = one(variable, text).unwrap_err().to_string();
            assert!(error.starts_with("NARAD_HANDLER_") && error.contains(part), "{error}");
        }
    }
}
