//! The options of a handler with all defaults resolved.

use std::time::Duration;

use narad_syntax::limits;

use crate::handler::{DeadLetterSpec, OptionsSpec, Ordering, Start};

/// The options of a handler.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) ordering: Ordering,
    /// Records of one partition at once.
    pub(crate) concurrency: u32,
    /// In all, the first included.
    pub(crate) retry_attempts: u32,
    /// First and longest wait.
    pub(crate) retry_backoff: (Duration, Duration),
    pub(crate) dead_letter: DeadLetter,
    pub(crate) timeout: Option<Duration>,
    pub(crate) batch_max: u32,
    pub(crate) batch_wait: Duration,
    pub(crate) start: Start,
    /// What of the options that belong to the group on the topic was written out.
    pub(crate) written: Written,
}

/// Options that belong to the group on a topic, where they were written out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    pub(crate) ordering: Option<Ordering>,
    pub(crate) concurrency: Option<u32>,
    pub(crate) start: Option<Start>,
}

/// Where a record goes that its handler gives up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeadLetter {
    /// `<topic>.<group>.dlq`
    Default,
    Topic(String),
    Off,
    Skip,
}

/// What of a handler decides which options it can have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HandlerKind {
    /// It takes a `Batch<T>`.
    pub(crate) batch: bool,
    /// It is a plain `fn`.
    pub(crate) blocking: bool,
}

impl Options {
    pub(super) fn of(spec: &OptionsSpec) -> Self {
        let ordering = spec.ordering.unwrap_or(Ordering::Key);
        let milliseconds = |(first, longest)| (Duration::from_millis(first), Duration::from_millis(longest));
        Self {
            ordering,
            concurrency: spec.concurrency.unwrap_or(default_concurrency(ordering)),
            retry_attempts: spec.retry_attempts.unwrap_or(5),
            retry_backoff: milliseconds(spec.retry_backoff.unwrap_or((100, 30_000))),
            dead_letter: match spec.dead_letter {
                None => DeadLetter::Default,
                Some(DeadLetterSpec::Topic(name)) => DeadLetter::Topic(name.to_owned()),
                Some(DeadLetterSpec::Off) => DeadLetter::Off,
                Some(DeadLetterSpec::Skip) => DeadLetter::Skip,
            },
            timeout: spec.timeout,
            batch_max: spec.batch_max.unwrap_or(500),
            batch_wait: spec.batch_wait.unwrap_or(Duration::from_millis(50)),
            start: spec.start.unwrap_or(Start::Earliest),
            written: Written { ordering: spec.ordering, concurrency: spec.concurrency, start: spec.start },
        }
    }

    /// Checks what no single option can.
    ///
    /// # Errors
    /// What the attribute says of it, and the options that do not go together.
    pub(super) fn check(&mut self, kind: HandlerKind) -> Result<(), (&'static [&'static str], String)> {
        let written = self.written.concurrency;
        if self.ordering == Ordering::Partition && written.is_some_and(|concurrency| concurrency > 1) {
            return Err((&["ORDERING", "CONCURRENCY"], limits::PARTITION_ORDER.to_owned()));
        }
        if kind.blocking && written.is_some_and(|concurrency| concurrency > limits::MAX_THREADS) {
            return Err((&["CONCURRENCY"], limits::too_many_threads()));
        }
        if self.dead_letter == DeadLetter::Off && self.retry_backoff.0.is_zero() {
            return Err((&["RETRY_BACKOFF", "DEAD_LETTER"], limits::NO_PAUSE.to_owned()));
        }
        self.concurrency = written.unwrap_or(default_concurrency(self.ordering));
        Ok(())
    }
}

fn default_concurrency(ordering: Ordering) -> u32 {
    if ordering == Ordering::Partition { 1 } else { 16 }
}
