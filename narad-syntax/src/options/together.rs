//! What no option can say alone: what is in force of the group's, and what cannot be written together.

use super::{DeadLetter, InForce, OPTIONS, OptionSpec, Options, Ordering, Scope};

/// So many threads at most run the plain functions.
pub const MAX_THREADS: u32 = 512;

/// Of `batch` without a `Batch<T>`.
pub const BATCHES_ONLY: &str =
    "`batch` is for handlers that take a `Batch<T>`; take one, or leave the option out";

/// Of `concurrency` above 1 with a `Batch<T>`.
pub const ONE_BATCH_AT_A_TIME: &str =
    "the batches of a partition are handled one after the other; leave `concurrency` out";

/// Of a first wait of zero with `dead_letter = off`.
pub const NO_PAUSE: &str = "with `dead_letter = off` a record is tried for ever, so its first wait must not be \
                            zero; write a pause, as in \"100ms..30s\"";

/// Options that cannot be what they are.
#[derive(Debug)]
pub struct Refusal {
    /// The field of the option that is to be changed.
    pub field: &'static str,
    /// Where that is shown in an attribute.
    pub place: Place,
    /// Another option that it does not go with.
    pub beside: Option<&'static str>,
    /// Why, and what to do.
    pub why: String,
}

/// A part of an option as an attribute has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The option's name.
    Name,
    /// Its value.
    Value,
}

impl<T> Options<T> {
    /// What of the options cannot be, whatever the handler takes; `blocking` for a plain `fn`. Of an option
    /// that is there with a `wrong` value, what no other value would mend is said, too.
    pub fn refusals(&self, blocking: bool, wrong: &[&str]) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        let mut refuse = |field, place, beside, why: &str| {
            refusals.push(Refusal { field, place, beside, why: why.to_owned() });
        };
        let is_above = |most| self.concurrency.is_some_and(|concurrency| concurrency > most);
        if self.ordering == Some(Ordering::Partition) && is_above(1) {
            refuse(
                "concurrency",
                Place::Value,
                Some("ordering"),
                "with `ordering = \"partition\"` one record of a partition runs at a time; leave \
                 `concurrency` out, or order by `\"key\"`",
            );
        }
        if matches!((&self.dead_letter, self.retry_backoff), (Some(DeadLetter::Off), Some((0, _)))) {
            refuse("retry_backoff", Place::Name, Some("dead_letter"), NO_PAUSE);
        }
        let attempts = self.retry_attempts.unwrap_or(Self::NONE.over_defaults().retry_attempts);
        if self.batch_isolate.is_some_and(|failures| failures >= attempts)
            && !wrong.contains(&"retry_attempts")
        {
            let why = format!(
                "with {attempts} attempts in all, none is left for single records after so many failures of \
                 the batch; write an `isolate` below the attempts of `retry`"
            );
            refuse("batch_isolate", Place::Value, Some("retry_attempts"), &why);
        }
        if blocking && (self.timeout.is_some() || wrong.contains(&"timeout")) {
            refuse(
                "timeout",
                Place::Name,
                None,
                "a plain `fn` cannot be stopped, so it has no `timeout`; make it an `async fn`, or leave \
                 `timeout` out",
            );
        }
        if blocking && is_above(MAX_THREADS) {
            let why = format!(
                "a plain `fn` runs on a thread for each record, at most {MAX_THREADS}; make it an `async \
                 fn` for more"
            );
            refuse("concurrency", Place::Value, None, &why);
        }
        refusals
    }

    /// What of the options cannot be with or without a `Batch<T>`; for an attribute the compiler finds that
    /// out by the type.
    pub fn batch_refusals(&self, batch: bool) -> Vec<Refusal> {
        let refusal =
            |field, why: &str| Refusal { field, place: Place::Value, beside: None, why: why.to_owned() };
        let mut refusals = Vec::new();
        if !batch {
            let written = [
                ("batch_max", self.batch_max.is_some()),
                ("batch_wait", self.batch_wait.is_some()),
                ("batch_isolate", self.batch_isolate.is_some()),
            ];
            let written = written.into_iter().filter(|(_, is_written)| *is_written);
            refusals.extend(written.map(|(field, _)| refusal(field, BATCHES_ONLY)));
        } else if self.concurrency.is_some_and(|concurrency| concurrency > 1) {
            refusals.push(refusal("concurrency", ONE_BATCH_AT_A_TIME));
        }
        refusals
    }

    /// The options with all defaults; `batch` where the topic's handler takes batches.
    pub fn in_force(self, batch: bool) -> InForce<T> {
        let mut options = self.over_defaults();
        if batch || options.ordering == Ordering::Partition {
            options.concurrency = 1;
        }
        options
    }
}

impl<T: Clone + PartialEq> Options<T> {
    /// An option of the group's on the topic that both have, and not the same.
    pub fn group_difference(&self, other: &Self) -> Option<&'static OptionSpec> {
        group().find(|option| {
            let both = self.get(option).zip(other.get(option));
            both.is_some_and(|(one, other)| one != other)
        })
    }

    /// Takes the options of the group's on the topic over that another handler wrote.
    pub fn take_group_options(&mut self, other: &Self) {
        for option in group().filter(|option| self.get(option).is_none()).collect::<Vec<_>>() {
            if let Some(value) = other.get(option) {
                self.set(option, value);
            }
        }
    }
}

fn group() -> impl Iterator<Item = &'static OptionSpec> {
    OPTIONS.iter().filter(|option| option.scope == Scope::Group)
}

impl<T: Clone> Options<T> {
    /// The same options with other names of topics.
    pub fn map<U: Clone>(&self, topic: impl Fn(T) -> U) -> Options<U> {
        let mut options = Options { default: self.default, ..Options::NONE };
        for option in OPTIONS {
            if let Some(value) = self.get(option) {
                options.set(option, value.map(&topic));
            }
        }
        options
    }
}
