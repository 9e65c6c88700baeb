//! Several events at once: what a batch handler takes, and what it says of each.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::context::Context;
use crate::outcome::Outcome;

/// Several events of one partition, in order: of an event, of [`Envelope<T>`](crate::Envelope), of
/// `Option<T>` (`None`: a null value, a tombstone) or of [`Record`](crate::Record).
///
/// Each has a context of its own, in the same order:
///
/// ```
/// use narad::prelude::*;
///
/// #[derive(Event)]
/// #[event(topic = "profiles", key = user)]
/// struct Profile { user: String }
///
/// #[kafka_handler(topic = "profiles", group = "search", batch(max = 100))]
/// async fn index(batch: Batch<Option<Profile>>) {
///     for (profile, ctx) in batch.iter().zip(batch.contexts()) {
///         match profile {
///             Some(profile) => println!("{} at offset {}", profile.user, ctx.offset()),
///             None => println!("{:?} is deleted", ctx.key()),
///         }
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Batch<T> {
    events: Vec<T>,
    /// Shared with the attempt: no record costs a copy of its own.
    contexts: Arc<[Context]>,
}

impl<T> Batch<T> {
    /// Of as many contexts as events.
    pub(crate) fn new(events: Vec<T>, contexts: Arc<[Context]>) -> Self {
        Self { events, contexts }
    }

    /// The contexts of the events, in the same order: one for each.
    pub fn contexts(&self) -> &[Context] {
        &self.contexts
    }

    /// The events in order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.events.iter()
    }

    /// The number of events.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there are no events; a handler never gets an empty batch.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

impl<T: fmt::Debug> fmt::Debug for Batch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("events", &self.events).finish_non_exhaustive()
    }
}

impl<T> IntoIterator for Batch<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;
    fn into_iter(self) -> Self::IntoIter {
        self.events.into_iter()
    }
}

impl<'b, T> IntoIterator for &'b Batch<T> {
    type Item = &'b T;
    type IntoIter = std::slice::Iter<'b, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// What became of each record of a [`Batch`], by its place in it.
///
/// A batch handler returns it, alone or in a `Result`, where some records may fail while others succeed: each
/// record has its own [`Outcome`] and its own attempts, and does not affect other records. An `Err` still
/// fails the whole batch. Collect it from one result for each record, in order:
///
/// ```
/// use narad::{BatchOutcome, prelude::*};
/// # #[derive(Event)] struct Reading { sensor: String }
/// # struct Index;
/// # impl Index { async fn add(&self, _: &[Reading]) -> std::io::Result<Vec<Result<(), String>>> { Ok(vec![]) } }
///
/// #[kafka_handler(topic = "readings", group = "search")]
/// async fn index(batch: Batch<Reading>, index: State<Index>) -> Result<BatchOutcome, std::io::Error> {
///     let readings: Vec<Reading> = batch.into_iter().collect();
///     // Its error fails the whole batch; what it says of each reading counts for that one.
///     let results = index.add(&readings).await?;
///     Ok(results.into_iter().collect())
/// }
/// ```
/// or begin with all records done, and set those that are not:
///
/// ```
/// use narad::BatchOutcome;
///
/// let mut outcome = BatchOutcome::done();
/// outcome.set(3, "the shard is busy"); // any error: tried again, or what its `#[derive(Failure)]` says
/// ```
/// To publish events as well, return a pair: `(outcome, events)`, alone or in a `Result`. All events are
/// published first, whatever the outcomes are; then each record gets its outcome. The handler gets a record
/// that is tried again once more, and the events that it returns then are published, too: return only the
/// events of the records that are done. A record behind one of its key that is tried again comes again as
/// well, whatever its outcome (with `ordering = "partition"` behind any such record): return no events for
/// it.
///
/// ```
/// use narad::{BatchOutcome, prelude::*};
///
/// #[derive(Event)]
/// #[event(topic = "orders", key = order)]
/// struct Ordered { order: String, amount: u64 }
///
/// #[derive(Event)]
/// #[event(topic = "bills", key = order)]
/// struct Billed { order: String }
///
/// #[kafka_handler(topic = "orders", group = "billing")]
/// async fn bill(batch: Batch<Ordered>) -> (BatchOutcome, Vec<Billed>) {
///     let (mut outcome, mut billed) = (BatchOutcome::done(), Vec::new());
///     for (place, ordered) in batch.into_iter().enumerate() {
///         match ordered.amount {
///             0 => outcome.set(place, Outcome::dead_letter("nothing to pay")),
///             _ => billed.push(Billed { order: ordered.order }),
///         }
///     }
///     (outcome, billed)
/// }
/// ```
/// While a record is tried again, later records wait for it, whatever their outcome was: the handler gets
/// them after it, as if for the first time. With `ordering = "key"` these are the later records of its key in
/// the batch, with `"partition"` all later ones, with `"none"` none. So a handler that stops at the first
/// failure of a key does not have to report the rest of that key. If the number of outcomes differs from the
/// number of records, or a place is beyond the batch, the whole batch fails, because Narad cannot know which
/// record is meant. In a handler of single records the only place is 0.
#[derive(Debug, Default)]
#[must_use = "it says what becomes of the records where the handler returns it"]
pub struct BatchOutcome {
    /// Of how many records it was made; `None` where it names only those that are not done.
    count: Option<usize>,
    /// Those that are not done, by place.
    failed: BTreeMap<usize, Outcome>,
    /// What becomes of all others, where they are not done: an event that was returned for them can never be
    /// published.
    others: Option<Outcome>,
}

impl BatchOutcome {
    /// Every record is handled.
    pub fn done() -> Self {
        Self::default()
    }

    /// Sets the outcome of the record at a place, counted from 0: an [`Outcome`], or an error.
    pub fn set(&mut self, index: usize, outcome: impl Into<Outcome>) {
        let outcome = outcome.into();
        if outcome.is_done() {
            self.failed.remove(&index);
        } else {
            self.failed.insert(index, outcome);
        }
    }

    /// Whether every record is handled.
    ///
    /// ```
    /// use narad::BatchOutcome;
    ///
    /// let outcome: BatchOutcome = [Ok(()), Err("the shard is busy")].into_iter().collect();
    /// assert!(!outcome.is_done());
    /// assert_eq!(outcome.count(), Some(2));
    /// assert!(outcome.get(0).is_none());
    /// assert_eq!(outcome.get(1).and_then(|outcome| outcome.cause()), Some("the shard is busy"));
    /// ```
    pub fn is_done(&self) -> bool {
        self.failed.is_empty() && self.others.is_none()
    }

    /// The outcome of the record at a place, counted from 0; `None` if that record is handled.
    pub fn get(&self, index: usize) -> Option<&Outcome> {
        self.failed.get(&index)
    }

    /// The places of the records that are not handled, in order, with their outcomes.
    pub fn failed(&self) -> impl Iterator<Item = (usize, &Outcome)> {
        self.failed.iter().map(|(index, outcome)| (*index, outcome))
    }

    /// The number of outcomes that it was collected from; `None` if it began as [`done`](Self::done) and so
    /// fits a batch of any size.
    pub fn count(&self) -> Option<usize> {
        self.count
    }

    /// Whether it says no more than that everything is handled, whatever the number of records.
    pub(crate) fn is_plain(&self) -> bool {
        self.count.is_none() && self.is_done()
    }

    /// What became of a record; `None` where it is handled.
    pub(crate) fn take(&mut self, index: usize) -> Option<Outcome> {
        self.failed.remove(&index).or_else(|| self.others.as_ref().map(Outcome::again))
    }

    /// What was returned for the records that are done cannot be published: this becomes of them.
    pub(crate) fn without_events(mut self, outcome: Outcome) -> Self {
        self.others = Some(outcome);
        self
    }

    /// The outcome of the whole batch as layers see it: done, or the first that is not.
    pub(crate) fn first(&self) -> Outcome {
        self.failed.values().next().or(self.others.as_ref()).map_or_else(Outcome::done, Outcome::again)
    }

    /// What is wrong with it for a batch of so many records.
    pub(crate) fn misfit(&self, records: usize) -> Option<String> {
        if let Some(count) = self.count.filter(|count| *count != records) {
            return Some(format!(
                "the handler returned {count} outcomes for a batch of {records}: return one for each record, in order"
            ));
        }
        let (last, _) = self.failed.last_key_value().filter(|(last, _)| **last >= records)?;
        Some(format!(
            "the handler returned an outcome for place {last} of a batch of {records}: places begin at 0"
        ))
    }
}

impl FromIterator<Outcome> for BatchOutcome {
    /// One outcome for each record, in the order of the batch.
    fn from_iter<I: IntoIterator<Item = Outcome>>(outcomes: I) -> Self {
        let mut batch = Self::done();
        let mut count = 0;
        for outcome in outcomes {
            batch.set(count, outcome);
            count += 1;
        }
        batch.count = Some(count);
        batch
    }
}

impl<E: Into<Outcome>> FromIterator<Result<(), E>> for BatchOutcome {
    /// One result for each record, in the order of the batch.
    fn from_iter<I: IntoIterator<Item = Result<(), E>>>(results: I) -> Self {
        results.into_iter().map(|result| result.map_or_else(Into::into, |()| Outcome::done())).collect()
    }
}
