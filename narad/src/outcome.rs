//! What became of one attempt of a handler.

mod told;

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use self::told::boxed_source;
pub(crate) use self::told::{SourceOf, bounded, told};
use crate::discard::{discard, panic_text};

/// What happens to a record after one attempt of its handler.
///
/// A handler returns it directly or as the error of a `Result`, where `?` turns any error that is `Display`
/// into a retry (or into what its `#[derive(Failure)]` says). For this to work, `Outcome` itself implements
/// neither `Display` nor `Error`.
#[derive(Debug)]
#[must_use = "an outcome has no effect unless the handler returns it: the record counts as done"]
pub struct Outcome {
    fate: Fate,
    cause: Option<Cause>,
    /// How this error overrides the handler's retry policy, by `#[retry(…)]` of `#[derive(Failure)]`.
    pub(crate) policy: Option<&'static RetryOverride>,
}

/// The kind of an [`Outcome`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutcomeKind {
    /// Handled.
    Done,
    /// A failed attempt: tried again by the handler's policy, then dead-lettered.
    Retry,
    /// A failed attempt, tried again after exactly this time; it counts as an attempt.
    RetryAfter(Duration),
    /// To the dead letter at once.
    DeadLetter,
    /// Dropped, counted and logged.
    Skip,
    /// Stops the application; nothing is committed past the record.
    Halt,
}

/// Which of its fates an outcome is, and how its attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Is(OutcomeKind),
    /// Retries, where the attempt had no end of its own.
    Panicked,
    TimedOut,
}

/// How an attempt ended, for those who count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The handler is done.
    Ok,
    /// It returned an error, or another outcome.
    Err,
    Panic,
    /// It had no result in time.
    Timeout,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    /// Bounded, with control characters escaped.
    pub(crate) text: String,
    /// The error's type, for the dead letter's `error-class`.
    pub(crate) class: &'static str,
}

impl Outcome {
    /// The record is handled.
    pub fn done() -> Self {
        Self { fate: Fate::Is(OutcomeKind::Done), cause: None, policy: None }
    }

    /// A failed attempt: tried again by the handler's policy, then dead-lettered.
    pub fn retry<E: Display + Send + 'static>(cause: E) -> Self {
        Self::failed(OutcomeKind::Retry, cause)
    }

    /// A failed attempt, tried again after `wait`; it counts as an attempt.
    pub fn retry_after<E: Display + Send + 'static>(cause: E, wait: Duration) -> Self {
        Self::failed(OutcomeKind::RetryAfter(wait), cause)
    }

    /// To the dead letter at once.
    pub fn dead_letter<E: Display + Send + 'static>(cause: E) -> Self {
        Self::failed(OutcomeKind::DeadLetter, cause)
    }

    /// A failed attempt that panicked.
    pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Self {
        let outcome = Self::retry(format!("panicked: {}", panic_text(&*panic)));
        discard(panic);
        Self { fate: Fate::Panicked, ..outcome }
    }

    /// A failed attempt that had no result in time.
    pub(crate) fn timed_out(timeout: Duration) -> Self {
        let outcome = Self::retry(format!("no result within its timeout of {timeout:?}"));
        Self { fate: Fate::TimedOut, ..outcome }
    }

    pub(crate) fn ending(&self) -> Ending {
        match self.fate {
            Fate::Is(OutcomeKind::Done) => Ending::Ok,
            Fate::Is(_) => Ending::Err,
            Fate::Panicked => Ending::Panic,
            Fate::TimedOut => Ending::Timeout,
        }
    }

    /// Drops the record, counted and logged.
    pub fn skip<E: Display + Send + 'static>(cause: E) -> Self {
        Self::failed(OutcomeKind::Skip, cause)
    }

    /// Stops the application with exit status 1; nothing is committed past the record.
    pub fn halt<E: Display + Send + 'static>(cause: E) -> Self {
        Self::failed(OutcomeKind::Halt, cause)
    }

    /// The kind of this outcome.
    pub fn kind(&self) -> OutcomeKind {
        match self.fate {
            Fate::Is(kind) => kind,
            Fate::Panicked | Fate::TimedOut => OutcomeKind::Retry,
        }
    }

    /// The type of the cause; empty where there is none.
    pub(crate) fn class(&self) -> &'static str {
        self.cause.as_ref().map_or("", |cause| cause.class)
    }

    /// The cause as it is logged and written to the dead letter: limited in length, with control characters
    /// escaped.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_ref().map(|cause| cause.text.as_str())
    }

    pub(crate) fn is_done(&self) -> bool {
        self.kind() == OutcomeKind::Done
    }

    /// Whether both records are tried again alike.
    pub(crate) fn has_the_fate_of(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.policy == other.policy
    }

    /// The same once more, for whoever only looks at it.
    pub(crate) fn again(&self) -> Self {
        Self { fate: self.fate, cause: self.cause.clone(), policy: self.policy }
    }

    pub(crate) fn into_cause(self) -> Cause {
        self.cause.unwrap_or(Cause { text: String::new(), class: "" })
    }

    fn failed<E: Display + Send + 'static>(kind: OutcomeKind, cause: E) -> Self {
        Self::failed_over(kind, cause, None)
    }

    fn failed_over<E: Display + Send + 'static>(
        kind: OutcomeKind,
        cause: E,
        source_of: Option<SourceOf>,
    ) -> Self {
        let source = match source_of {
            Some(source_of) => source_of(&cause),
            None => boxed_source(&cause)
                .or_else(|| FailureEntry::of(TypeId::of::<E>()).and_then(|entry| (entry.source_of?)(&cause))),
        };
        Self {
            fate: Fate::Is(kind),
            cause: Some(Cause { text: told(&cause, source), class: std::any::type_name::<E>() }),
            policy: None,
        }
    }

    /// The fate of an error: what its `#[derive(Failure)]` says, else a retry.
    pub(crate) fn of<E: Display + Send + 'static>(error: E) -> Self {
        Self::of_error(error, None)
    }

    /// The same of an error below which there may be others.
    pub(crate) fn of_error<E: Display + Send + 'static>(error: E, source_of: Option<SourceOf>) -> Self {
        let verdict =
            FailureEntry::of(TypeId::of::<E>()).map(|entry| (entry.verdict)(&error)).unwrap_or_default();
        let kind = match verdict {
            Verdict::Retry(_) => OutcomeKind::Retry,
            Verdict::DeadLetter => OutcomeKind::DeadLetter,
            Verdict::Skip => OutcomeKind::Skip,
            Verdict::Halt => OutcomeKind::Halt,
        };
        let policy = if let Verdict::Retry(policy) = verdict { policy } else { None };
        Self { policy, ..Self::failed_over(kind, error, source_of) }
    }
}

impl<E: Display + Send + 'static> From<E> for Outcome {
    /// What the error's `#[derive(Failure)]` says, else a retry.
    fn from(error: E) -> Self {
        Self::of(error)
    }
}

/// The fate that `#[derive(Failure)]` gives a variant of an error.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Verdict {
    Retry(Option<&'static RetryOverride>),
    DeadLetter,
    Skip,
    Halt,
}

impl Default for Verdict {
    fn default() -> Self {
        Self::Retry(None)
    }
}

/// `#[retry(attempts = …, backoff = "…")]` on a variant; what is `None` stays as the handler has it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryOverride {
    pub attempts: Option<u32>,
    pub backoff_ms: Option<(u64, u64)>,
}

/// An error that derives `Failure`, or a `Box` or `Arc` of one: what `#[fate(inner)]` asks for its fate.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not derive `Failure`, so it has no fate",
    label = "`#[fate(inner)]` takes its fate from here",
    note = "put `#[derive(Failure)]` on `{Self}`, or give the variant a fate of its own"
)]
pub trait Failing: Any {
    /// The errors whose fate a variant of it has.
    const INNER: &'static [fn() -> TypeId];

    /// The type that derives `Failure`.
    fn error() -> TypeId;

    fn verdict(&self) -> Verdict;
}

impl<T: Failing> Failing for Box<T> {
    const INNER: &'static [fn() -> TypeId] = T::INNER;

    fn error() -> TypeId {
        T::error()
    }

    fn verdict(&self) -> Verdict {
        T::verdict(self)
    }
}

impl<T: Failing> Failing for Arc<T> {
    const INNER: &'static [fn() -> TypeId] = T::INNER;

    fn error() -> TypeId {
        T::error()
    }

    fn verdict(&self) -> Verdict {
        T::verdict(self)
    }
}

/// One `#[derive(Failure)]`, found by the error's type.
#[doc(hidden)]
#[derive(Debug)]
pub struct FailureEntry {
    error: fn() -> TypeId,
    verdict: fn(&dyn Any) -> Verdict,
    /// A variant, as in `"CountError::Busy"`, that is tried again without a pause.
    pauseless: Option<&'static str>,
    inner: &'static [fn() -> TypeId],
    source_of: Option<SourceOf>,
}

inventory::collect!(FailureEntry);

impl FailureEntry {
    pub const fn new<E: Failing>(pauseless: Option<&'static str>, source_of: Option<SourceOf>) -> Self {
        Self {
            error: E::error,
            verdict: |error| error.downcast_ref().map(E::verdict).unwrap_or_default(),
            pauseless,
            inner: E::INNER,
            source_of,
        }
    }

    /// That of an error of this type.
    pub(crate) fn of(error: TypeId) -> Option<&'static Self> {
        static ENTRIES: OnceLock<HashMap<TypeId, &FailureEntry>> = OnceLock::new();
        let entries = ENTRIES.get_or_init(|| {
            inventory::iter::<FailureEntry>.into_iter().map(|failure| ((failure.error)(), failure)).collect()
        });
        entries.get(&error).copied()
    }

    /// A variant of it, or of an error whose fate it may have, that is tried again without a pause.
    pub(crate) fn pauseless(&self) -> Option<&'static str> {
        // An error may hold itself (`Box<Self>`): each is looked at once.
        let mut reached = vec![(self.error)()];
        let mut next = 0;
        while let Some(error) = reached.get(next) {
            next += 1;
            let Some(entry) = Self::of(*error) else { continue };
            if entry.pauseless.is_some() {
                return entry.pauseless;
            }
            for inner in entry.inner.iter().map(|error| error()) {
                if !reached.contains(&inner) {
                    reached.push(inner);
                }
            }
        }
        None
    }
}
