//! Acknowledgements: one completion per call, resolved by the delivery reports of its records.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use super::failure::Failure;
use super::{SendAllError, Sent};
use crate::error::{Error, Result};
use crate::supervision::foreign;

/// One call of the send API: what became of its records, and who waits for it.
pub(crate) struct Call {
    topic: Arc<str>,
    state: Mutex<State>,
}

struct State {
    /// Records without an outcome.
    open: usize,
    outcomes: Outcomes,
    waker: Option<Waker>,
}

enum Outcomes {
    /// A single send needs no allocation besides the call's.
    One(Option<Result<Sent, Failure>>),
    Many(Vec<Option<Result<Sent, Failure>>>),
}

/// What travels with a record through librdkafka and comes back with its delivery report.
pub(crate) enum Ticket {
    /// The only record of its call.
    Whole(Arc<Call>),
    /// One of several.
    Part(Box<Part>),
}

/// A record's place in its call.
pub(crate) struct Part {
    call: Arc<Call>,
    index: usize,
}

impl Call {
    pub(crate) fn one(topic: Arc<str>) -> Arc<Self> {
        Self::new(topic, 1, Outcomes::One(None))
    }

    pub(crate) fn many(topic: Arc<str>, records: usize) -> Arc<Self> {
        Self::new(topic, records, Outcomes::Many((0..records).map(|_| None).collect()))
    }

    fn new(topic: Arc<str>, open: usize, outcomes: Outcomes) -> Arc<Self> {
        Arc::new(Self { topic, state: Mutex::new(State { open, outcomes, waker: None }) })
    }

    pub(crate) fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    pub(crate) fn ticket(self: &Arc<Self>, index: usize) -> Ticket {
        match self.state.lock().unwrap_or_else(PoisonError::into_inner).outcomes {
            Outcomes::One(_) => Ticket::Whole(Arc::clone(self)),
            Outcomes::Many(_) => Ticket::Part(Box::new(Part { call: Arc::clone(self), index })),
        }
    }

    /// Records one outcome, and wakes whoever waits once it is the last.
    pub(crate) fn resolve(&self, index: usize, outcome: Result<Sent, Failure>) {
        let waker = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let slot = match &mut state.outcomes {
                Outcomes::One(slot) => slot,
                Outcomes::Many(slots) => &mut slots[index],
            };
            if slot.replace(outcome).is_some() {
                return;
            }
            state.open -= 1;
            if state.open > 0 {
                return;
            }
            state.waker.take()
        };
        if let Some(waker) = waker {
            // On the producer's thread, between the delivery reports of others.
            foreign("a waker", || waker.wake());
        }
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Outcomes> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.open == 0 {
            return Poll::Ready(std::mem::replace(&mut state.outcomes, Outcomes::One(None)));
        }
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Ticket {
    pub(crate) fn topic(&self) -> &Arc<str> {
        match self {
            Self::Whole(call) => call.topic(),
            Self::Part(part) => part.call.topic(),
        }
    }

    pub(crate) fn resolve(self, outcome: Result<Sent, Failure>) {
        match self {
            Self::Whole(call) => call.resolve(0, outcome),
            Self::Part(part) => part.call.resolve(part.index, outcome),
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("topic", &self.topic).finish_non_exhaustive()
    }
}

/// One record on its way: resolves when a broker has acknowledged it.
///
/// # Errors
/// [`Error::NotConnected`] where nothing was enqueued, [`Error::Send`] where the record cannot be written, [`Error::DeliveryUnknown`]
/// where no acknowledgement came in time.
///
/// # Cancel safety
/// The record is on its way since the call; dropping the future loses the acknowledgement, not the record.
#[derive(Debug)]
#[must_use = "without awaiting it, nobody learns whether the record was acknowledged"]
pub struct Sending(Way);

#[derive(Debug)]
enum Way {
    Call(Arc<Call>),
    /// Refused before anything was enqueued.
    Refused(Option<Error>),
}

impl Sending {
    pub(super) fn of(call: Arc<Call>) -> Self {
        Self(Way::Call(call))
    }

    pub(crate) fn refused(error: Error) -> Self {
        Self(Way::Refused(Some(error)))
    }
}

impl Future for Sending {
    type Output = Result<Sent>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Sent>> {
        match &mut self.0 {
            Way::Call(call) => poll_one(call, cx).map_err(|failure| failure.error),
            Way::Refused(error) => Poll::Ready(Err(error.take().unwrap_or(Error::NotConnected))),
        }
    }
}

/// Narad's own send, with the class of its failure.
#[derive(Debug)]
#[must_use = "the record counts as written only once this resolves"]
pub(crate) struct Delivery(pub(super) Arc<Call>);

impl Future for Delivery {
    type Output = Result<Sent, Failure>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Sent, Failure>> {
        poll_one(&self.0, cx)
    }
}

fn poll_one(call: &Call, cx: &Context<'_>) -> Poll<Result<Sent, Failure>> {
    call.poll(cx).map(|outcomes| match outcomes {
        Outcomes::One(Some(outcome)) => outcome,
        // Polled again after it was ready.
        Outcomes::One(None) | Outcomes::Many(_) => Err(Failure::not_connected()),
    })
}

/// Several records on their way: resolves when each of them has been acknowledged or refused.
///
/// # Errors
/// [`Error::SendAll`] with each record's outcome where one was not acknowledged; [`Error::Send`] where a value cannot be encoded, and
/// then none was enqueued.
///
/// # Cancel safety
/// The records are on their way since the call; dropping the future loses the acknowledgements, not the records.
#[derive(Debug)]
#[must_use = "without awaiting it, nobody learns whether the records were acknowledged"]
pub struct SendingAll(Way);

impl SendingAll {
    pub(super) fn of(call: Arc<Call>) -> Self {
        Self(Way::Call(call))
    }

    pub(crate) fn refused(error: Error) -> Self {
        Self(Way::Refused(Some(error)))
    }
}

impl Future for SendingAll {
    type Output = Result<Vec<Sent>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Vec<Sent>>> {
        match &mut self.0 {
            Way::Call(call) => call.poll(cx).map(|outcomes| match outcomes {
                Outcomes::Many(outcomes) => collect(outcomes),
                Outcomes::One(_) => Err(Error::NotConnected),
            }),
            Way::Refused(error) => Poll::Ready(Err(error.take().unwrap_or(Error::NotConnected))),
        }
    }
}

fn collect(outcomes: Vec<Option<Result<Sent, Failure>>>) -> Result<Vec<Sent>> {
    // The call is ready only once each slot is filled.
    let outcomes: Vec<Result<Sent>> = outcomes.into_iter().flatten().map(|outcome| outcome.map_err(|failure| failure.error)).collect();
    if outcomes.iter().all(Result::is_ok) {
        return outcomes.into_iter().collect();
    }
    // Callers fall back on `NotConnected`, which says that nothing was enqueued: true of the whole only if of each.
    if outcomes.iter().all(|outcome| matches!(outcome, Err(Error::NotConnected))) {
        return Err(Error::NotConnected);
    }
    Err(Error::SendAll(SendAllError::new(outcomes)))
}
