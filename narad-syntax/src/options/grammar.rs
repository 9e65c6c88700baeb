//! How an option is written, and what it then is.

use std::fmt;
use std::time::Duration;

use crate::{duration, suggest, topic};

/// An option, as the list has it.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// Its field in [`Options`](super::Options); in capitals what a variable ends with.
    pub field: &'static str,
    /// The option that it is a part of, as `retry` of `retry(attempts = 5)`.
    pub within: Option<&'static str>,
    /// What its values are.
    pub grammar: Grammar,
    /// Whose it is.
    pub scope: Scope,
    /// A value, as an attribute has it.
    pub example: &'static str,
    /// Its name in the table at the start, where that always has it.
    pub column: Option<&'static str>,
    /// Its values in the documentation, where the grammar does not say them.
    pub shown: Option<&'static str>,
    /// Its line in the documentation.
    pub doc: &'static [&'static str],
}

/// Whose an option is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The handler's.
    Handler,
    /// The group's on the topic: all handlers there have the same, whoever wrote it.
    Group,
}

/// What the values of an option are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// A whole number from 1.
    Count,
    /// A duration.
    Duration,
    /// A duration above zero.
    Timeout,
    /// A range of durations.
    Backoff,
    /// One of these words, in quotes.
    Words(&'static [Word]),
    /// A topic in quotes, or one of these words without them.
    Topic(&'static [Word]),
}

/// A word, and the value that it stands for, as a path behind `narad::__private`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// As it is written.
    pub word: &'static str,
    /// What it is in Rust.
    pub path: &'static str,
}

/// A value of an option; `T` is the name of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<T> {
    /// A number.
    Count(u32),
    /// A duration.
    Duration(Duration),
    /// Milliseconds: first, longest.
    Backoff(u64, u64),
    /// A word.
    Word(&'static Word),
    /// A topic.
    Topic(T),
}

/// What a field of the options holds: a value of its grammar.
pub trait Held<T>: Sized {
    /// The value as the field has it; `None` for one of another grammar.
    fn of(value: Value<T>) -> Option<Self>;

    /// The value as every field has it.
    fn value(&self) -> Value<T>;
}

impl OptionSpec {
    /// As it is written in an attribute, within its option if it is a part of one.
    pub fn name(&self) -> &'static str {
        let part = |within| self.field.strip_prefix(within)?.strip_prefix('_');
        self.within.and_then(part).unwrap_or(self.field)
    }

    /// What a variable ends with.
    pub fn variable(&self) -> String {
        self.field.to_uppercase()
    }

    /// How it is written, for one who wrote it in another way.
    pub fn usage(&self) -> String {
        format!("{} = {}", self.name(), self.example)
    }

    /// Reads a value out of a variable, or out of the literal of an attribute. An error repeats the value as
    /// `shown`, or not at all.
    ///
    /// # Errors
    /// What is accepted.
    pub fn read<'t>(&self, text: &'t str, shown: &str) -> Result<Value<&'t str>, String> {
        let millis = Duration::from_millis;
        match self.grammar {
            Grammar::Count => match text.parse() {
                Ok(count) if count > 0 => Ok(Value::Count(count)),
                _ => Err(format!("not a whole number from 1 to {}", u32::MAX)),
            },
            Grammar::Duration => Ok(Value::Duration(duration::read(text).map(millis)?)),
            Grammar::Timeout => Ok(Value::Duration(duration::read_timeout(text).map(millis)?)),
            Grammar::Backoff => {
                duration::read_backoff(text).map(|(a, b)| Value::Backoff(a, b)).map_err(str::to_owned)
            }
            Grammar::Words(words) => word(words, text).ok_or_else(|| self.unknown(text, shown)),
            Grammar::Topic(words) => match word(words, text) {
                Some(word) => Ok(word),
                None => topic::check(text, text).map(|()| Value::Topic(text)),
            },
        }
    }

    /// What is said of a word that is none of the option's.
    pub fn unknown(&self, word: &str, shown: &str) -> String {
        let words = |words: &'static [Word]| words.iter().map(|word| word.word).collect::<Vec<_>>();
        let accepted = match self.grammar {
            Grammar::Words(accepted) => words(accepted),
            Grammar::Topic(accepted) => [words(accepted), vec!["\"topic\""]].concat(),
            Grammar::Count | Grammar::Duration | Grammar::Timeout | Grammar::Backoff => Vec::new(),
        };
        suggest::unknown(&format!("`{}`: {shown}", self.name()), word, &accepted)
    }

    /// A value as an attribute has it.
    pub fn written<T: fmt::Display>(&self, value: &Value<T>) -> String {
        match (value, self.grammar) {
            (Value::Count(_), _) | (Value::Word(_), Grammar::Topic(_)) => value.to_string(),
            _ => format!("\"{value}\""),
        }
    }
}

fn word<T>(words: &'static [Word], text: &str) -> Option<Value<T>> {
    words.iter().find(|word| word.word == text).map(Value::Word)
}

impl<T> Value<T> {
    /// The same value with another name of its topic.
    pub fn map<U>(self, topic: impl FnOnce(T) -> U) -> Value<U> {
        match self {
            Self::Count(count) => Value::Count(count),
            Self::Duration(duration) => Value::Duration(duration),
            Self::Backoff(first, longest) => Value::Backoff(first, longest),
            Self::Word(word) => Value::Word(word),
            Self::Topic(name) => Value::Topic(topic(name)),
        }
    }
}

/// As a variable has it.
impl<T: fmt::Display> fmt::Display for Value<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let duration = |duration: &Duration| duration::written(duration.as_millis());
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Duration(wait) => f.write_str(&duration(wait)),
            Self::Backoff(first, longest) => {
                let [first, longest] = [first, longest].map(|millis| duration::written((*millis).into()));
                write!(f, "{first}..{longest}")
            }
            Self::Word(word) => f.write_str(word.word),
            Self::Topic(topic) => write!(f, "{topic}"),
        }
    }
}

impl<T> Held<T> for u32 {
    fn of(value: Value<T>) -> Option<Self> {
        if let Value::Count(count) = value { Some(count) } else { None }
    }

    fn value(&self) -> Value<T> {
        Value::Count(*self)
    }
}

impl<T> Held<T> for Duration {
    fn of(value: Value<T>) -> Option<Self> {
        if let Value::Duration(duration) = value { Some(duration) } else { None }
    }

    fn value(&self) -> Value<T> {
        Value::Duration(*self)
    }
}

impl<T> Held<T> for (u64, u64) {
    fn of(value: Value<T>) -> Option<Self> {
        if let Value::Backoff(first, longest) = value { Some((first, longest)) } else { None }
    }

    fn value(&self) -> Value<T> {
        Value::Backoff(self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{OPTIONS, Options};
    use super::*;

    #[test]
    fn what_a_variable_has_is_what_is_in_force() {
        for option in OPTIONS {
            let text = option.example.trim_matches('"');
            let value = option.read(text, text).unwrap_or_else(|why| panic!("{}: {why}", option.field));
            let mut options = Options::NONE;
            options.set(option, value);
            assert_eq!(options.get(option), Some(value), "the field of {} has its grammar", option.field);
            assert_eq!((value.to_string().as_str(), option.written(&value).as_str()), (text, option.example));
            let others = OPTIONS.iter().filter(|other| other.field != option.field);
            assert!(others.into_iter().all(|other| options.get(other).is_none()), "{}", option.field);
            assert_eq!(options.in_force(false).get(option), Some(value), "{}", option.field);
        }
    }

    #[test]
    fn every_word_stands_for_one_value() {
        for option in OPTIONS {
            let (Grammar::Words(words) | Grammar::Topic(words)) = option.grammar else { continue };
            for word in words {
                let mut options = Options::NONE;
                options.set(option, Value::<&str>::Word(word));
                assert_eq!(options.get(option), Some(Value::Word(word)), "{}", option.field);
            }
        }
    }

    #[test]
    fn a_wrong_value_says_what_is_accepted() {
        let said = |field: &str, text: &str| {
            let option = OPTIONS.iter().find(|option| option.field == field).expect("an option");
            option.read(text, &format!("{text:?}")).expect_err("a wrong value")
        };
        let near = said("ordering", "keys");
        assert_eq!(
            near,
            "unknown `ordering`: \"keys\"; did you mean `key`? accepted: `key`, `partition`, `none`"
        );
        assert_eq!(said("retry_attempts", "0"), "not a whole number from 1 to 4294967295");
        assert_eq!(said("dead_letter", ".."), "a topic cannot be called `..`");
    }
}
