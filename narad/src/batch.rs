//! Several events at once: what a batch handler takes, and what it says of each.

use std::collections::BTreeMap;

use crate::outcome::Outcome;

/// Several events of one partition, in order.
#[derive(Clone, Debug)]
pub struct Batch<T> {
    events: Vec<T>,
}

impl<T> Batch<T> {
    pub(crate) fn new(events: Vec<T>) -> Self {
        Self { events }
    }

    /// The events in order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.events.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there are none; the engine gives no empty batch.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
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
/// A batch handler returns it, alone or in a `Result`, where some records may fail while others are done:
/// each has the fate that its [`Outcome`] says, with attempts of its own, and costs no other record anything.
/// An `Err` still stands for the whole batch.
///
/// It is made of one result for each record, in order:
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
///
/// or of those that are not done:
///
/// ```
/// use narad::BatchOutcome;
///
/// let mut outcome = BatchOutcome::done();
/// outcome.set(3, "the shard is busy"); // any error: tried again, or what its `#[derive(Failure)]` says
/// ```
///
/// Where records keep an order, those behind a record that is tried again wait for it, whatever was said of
/// them: they are handed over again after it, as if for the first time. With `ordering = "key"` these are the
/// later records of its key in the batch, with `"partition"` all later ones, with `"none"` none. A handler
/// that stops at the first failure of a key need not say anything of the rest of that key.
///
/// An outcome for each of more or fewer records than there were, or a place beyond the batch, fails the
/// attempt for the whole batch: which record is meant cannot be known. In a handler of single records the one
/// place is 0.
#[derive(Debug, Default)]
#[must_use = "it says what becomes of the records where the handler returns it"]
pub struct BatchOutcome {
    /// Of how many records it was made; `None` where it names only those that are not done.
    count: Option<usize>,
    /// Those that are not done, by place.
    failed: BTreeMap<usize, Outcome>,
}

impl BatchOutcome {
    /// Every record is handled.
    pub fn done() -> Self {
        Self::default()
    }

    /// Says what became of the record at a place, the first being 0: an [`Outcome`], or an error.
    pub fn set(&mut self, index: usize, outcome: impl Into<Outcome>) {
        let outcome = outcome.into();
        if outcome.is_done() {
            self.failed.remove(&index);
        } else {
            self.failed.insert(index, outcome);
        }
    }

    /// Whether it says no more than that everything is handled, whatever the number of records.
    pub(crate) fn is_plain(&self) -> bool {
        self.count.is_none() && self.failed.is_empty()
    }

    /// What became of a record; `None` where it is handled.
    pub(crate) fn take(&mut self, index: usize) -> Option<Outcome> {
        self.failed.remove(&index)
    }

    /// The outcome of the whole batch as layers see it: done, or the first that is not.
    pub(crate) fn first(&self) -> Outcome {
        self.failed.values().next().map_or_else(Outcome::done, Outcome::again)
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
