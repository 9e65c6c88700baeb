//! The options of a handler: one list. Of each entry come the field of what an attribute says and of what is
//! in force, how the attribute and the variable `NARAD_HANDLER_<NAME>_<OPTION>` are read, what is said of a
//! wrong value, the columns of the table at the start, and the rows of the documentation's tables.
//!
//! An option is added here and used where it acts; `tests/options` has an example. One of a kind of value
//! that there is not yet also wants a [`Grammar`].

#[macro_use]
mod list;
mod grammar;
mod pages;
mod together;

use std::time::Duration;

pub use grammar::{Grammar, Held, OptionSpec, Scope, Value, Word};
pub use pages::row;
pub use together::{BATCHES_ONLY, MAX_THREADS, NO_PAUSE, ONE_BATCH_AT_A_TIME, Place, Refusal};

options! {
    /// which records of a partition may not overtake each other; records without a key keep the order of
    /// their partition among themselves, and where the event names no key, one warning says so
    ordering: Ordering {
        grammar: Grammar::Words(Ordering::WORDS),
        default: (Ordering::Key),
        example: "\"partition\"",
        scope: Scope::Group,
        column: Some("ordering"),
    }

    /// records of one partition at once; more than 1 with `partition` or with `Batch<T>` does not compile. A
    /// plain `fn` has a thread for each running call, of 512 that all handlers of a process share, and one
    /// more for each handler
    concurrency: u32 {
        grammar: Grammar::Count,
        default: (16),
        shown: "16 with `key` and `none`, 1 with `partition`",
        example: "16",
        scope: Scope::Group,
        column: Some("concurrency"),
    }

    /// attempts in all, the first included
    retry_attempts: u32 {
        within: "retry",
        grammar: Grammar::Count,
        default: (5),
        example: "5",
        scope: Scope::Handler,
        column: Some("attempts"),
    }

    /// the backoff doubles up to the second figure, with full jitter
    retry_backoff: (u64, u64) {
        within: "retry",
        grammar: Grammar::Backoff,
        default: (100, 30_000),
        example: "\"100ms..30s\"",
        scope: Scope::Handler,
        column: None,
    }

    /// where a record goes after its attempts; a name is a topic's. `off` keeps trying at the longest backoff
    /// while the key waits and health says so; `skip` drops the record after the attempts, counted and logged
    dead_letter: DeadLetter<T> {
        grammar: Grammar::Topic(DEAD_LETTER_WORDS),
        default: none,
        shown: "`\"<topic>.<group>.dlq\"`, `\"name\"`, `off`, `skip`",
        example: "\"user.events.failed\"",
        scope: Scope::Handler,
        column: None,
    }

    /// per attempt, as `"30s"`: drops the future and counts as a failure; on a plain `fn` it does not compile
    timeout: Duration {
        grammar: Grammar::Timeout,
        default: none,
        shown: "none",
        example: "\"30s\"",
        scope: Scope::Handler,
        column: None,
    }

    /// with `Batch<T>`: at most this many records of one partition
    batch_max: u32 {
        within: "batch",
        grammar: Grammar::Count,
        default: (500),
        example: "500",
        scope: Scope::Handler,
        column: None,
    }

    /// how long a batch that is not full waits for more
    batch_wait: Duration {
        within: "batch",
        grammar: Grammar::Duration,
        default: (Duration::from_millis(50)),
        example: "\"50ms\"",
        scope: Scope::Handler,
        column: None,
    }

    /// after so many failures of a whole batch (an error, a panic, a timeout) its records are handed over one
    /// by one; below the attempts of `retry`, else it does not compile
    batch_isolate: u32 {
        within: "batch",
        grammar: Grammar::Count,
        default: none,
        example: "2",
        scope: Scope::Handler,
        column: None,
    }

    /// where a group that never committed begins; partitions that are added later begin at the earliest
    start: Start {
        grammar: Grammar::Words(Start::WORDS),
        default: (Start::Earliest),
        example: "\"latest\"",
        scope: Scope::Group,
        column: None,
    }

    /// a well-formed record of a type that no handler of the group takes: passed over and counted, or to the
    /// group's dead letter
    unknown: LeftOver {
        grammar: Grammar::Words(LeftOver::WORDS),
        default: (LeftOver::Skip),
        example: "\"dead_letter\"",
        scope: Scope::Group,
        column: None,
    }

    /// a null value that no handler of the group takes: to the group's dead letter, or passed over and
    /// counted
    tombstone: LeftOver {
        grammar: Grammar::Words(LeftOver::WORDS),
        default: (LeftOver::DeadLetter),
        example: "\"skip\"",
        scope: Scope::Group,
        column: None,
    }
}

words! {
    /// Which records of a partition may run at once.
    Ordering {
        /// Those of different keys.
        Key = "key",
        /// One.
        Partition = "partition",
        /// All.
        None = "none",
    }
}

words! {
    /// Where a new group begins.
    Start {
        /// At the lowest offset that there is.
        Earliest = "earliest",
        /// Behind what there is.
        Latest = "latest",
    }
}

words! {
    /// What becomes of a record that no handler takes.
    LeftOver {
        /// It is passed over, and counted.
        Skip = "skip",
        /// It goes to the group's dead letter.
        DeadLetter = "dead_letter",
    }
}

/// Where a record goes that its handler gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetter<T> {
    /// To this topic.
    Topic(T),
    /// Nowhere: it is tried for ever.
    Off,
    /// Nowhere: it is dropped.
    Skip,
}

const DEAD_LETTER_WORDS: &[Word] =
    &[Word { word: "off", path: "DeadLetterSpec::Off" }, Word { word: "skip", path: "DeadLetterSpec::Skip" }];

impl<T: Clone> Held<T> for DeadLetter<T> {
    fn of(value: Value<T>) -> Option<Self> {
        match value {
            Value::Topic(topic) => Some(Self::Topic(topic)),
            Value::Word(Word { word: "off", .. }) => Some(Self::Off),
            Value::Word(Word { word: "skip", .. }) => Some(Self::Skip),
            _ => None,
        }
    }

    fn value(&self) -> Value<T> {
        match self {
            Self::Topic(topic) => Value::Topic(topic.clone()),
            Self::Off => Value::Word(&DEAD_LETTER_WORDS[0]),
            Self::Skip => Value::Word(&DEAD_LETTER_WORDS[1]),
        }
    }
}
