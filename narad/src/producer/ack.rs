//! Acknowledgements: one completion per call, resolved by the delivery reports of its records.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use super::failure::{Failure, FailureClass};
use super::gate::Gate;
use super::lines::Lines;
use super::room::Load;
use crate::error::SendAllError;
use crate::error::{Error, Result};
use crate::sent::Sent;
use crate::supervision::foreign;
use crate::transport::ffi::produce::Opaque;

/// One call of the send API: what became of its records, and who waits for it.
pub(crate) struct Call {
    gate: Arc<Gate>,
    /// What the only record takes of the room; `None` where there are several.
    load: Option<Load>,
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

/// What travels with a record through librdkafka: its call, or its part in one.
pub(crate) type Ticket = Opaque<Call, Part>;

/// A record's place in its call.
pub(crate) struct Part {
    call: Arc<Call>,
    index: usize,
    load: Load,
}

impl Call {
    /// Of one record with so many bytes.
    pub(super) fn one(gate: Arc<Gate>, bytes: usize) -> Arc<Self> {
        Self::new(gate, Some(Load::one(bytes)), 1, Outcomes::One(None))
    }

    pub(super) fn many(gate: Arc<Gate>, records: usize) -> Arc<Self> {
        Self::new(gate, None, records, Outcomes::Many((0..records).map(|_| None).collect()))
    }

    fn new(gate: Arc<Gate>, load: Option<Load>, open: usize, outcomes: Outcomes) -> Arc<Self> {
        Arc::new(Self { gate, load, state: Mutex::new(State { open, outcomes, waker: None }) })
    }

    pub(super) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    pub(super) fn topic(&self) -> &Arc<str> {
        self.gate.topic()
    }

    /// What its only record takes of the room.
    pub(super) fn load(&self) -> Option<Load> {
        self.load
    }

    /// For the record at this place, which has so many bytes.
    pub(super) fn ticket(self: &Arc<Self>, index: usize, bytes: impl FnOnce() -> usize) -> Ticket {
        match self.load {
            Some(_) => Ticket::Whole(Arc::clone(self)),
            None => Ticket::Part(Box::new(Part { call: Arc::clone(self), index, load: Load::one(bytes()) })),
        }
    }

    /// What has no outcome yet has this one.
    pub(super) fn resolve_all(&self, outcome: impl Fn() -> Result<Sent, Failure>) {
        let records = match &self.state.lock().unwrap_or_else(PoisonError::into_inner).outcomes {
            Outcomes::One(_) => 1,
            Outcomes::Many(slots) => slots.len(),
        };
        (0..records).for_each(|index| self.resolve(index, outcome()));
    }

    /// Records one outcome, and wakes whoever waits once it is the last.
    pub(super) fn resolve(&self, index: usize, outcome: Result<Sent, Failure>) {
        let waker = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.open == 0 {
                // It ended before its record was done with.
                return;
            }
            let slot = match &mut state.outcomes {
                Outcomes::One(slot) => slot,
                Outcomes::Many(slots) => &mut slots[index],
            };
            // The first outcome counts.
            if slot.is_some() {
                return;
            }
            *slot = Some(outcome);
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
    pub(super) fn gate(&self) -> &Arc<Gate> {
        match self {
            Self::Whole(call) => call.gate(),
            Self::Part(part) => part.call.gate(),
        }
    }

    pub(super) fn topic(&self) -> &Arc<str> {
        self.gate().topic()
    }

    /// What the record takes of the room.
    pub(super) fn load(&self) -> Load {
        match self {
            Self::Whole(call) => call.load.unwrap_or_default(),
            Self::Part(part) => part.load,
        }
    }

    pub(super) fn resolve(self, outcome: Result<Sent, Failure>) {
        match self {
            Self::Whole(call) => call.resolve(0, outcome),
            Self::Part(part) => part.call.resolve(part.index, outcome),
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("topic", self.topic()).finish_non_exhaustive()
    }
}

/// One record on its way: resolves when a broker has acknowledged it.
///
/// # Errors
/// [`Error::NotConnected`] where nothing was enqueued, [`Error::Send`] where the record cannot be written or
/// found no room within `delivery.timeout.ms` ([`QueueFull`](crate::SendErrorKind::QueueFull)),
/// [`Error::DeliveryUnknown`] where no acknowledgement came in time.
///
/// # Cancel safety
/// The record is on its way since the call; dropping the future loses the acknowledgement, not the record.
/// The exception is a send for which there was no room, because 32 MiB or 200,000 records were waiting
/// (`queue.buffering.max.kbytes`, `queue.buffering.max.messages`): it enters once its future was polled,
/// later sends to its topic stay behind it, and a future that is dropped before that has sent nothing. The
/// log says how many. One that is kept and never polled holds back the application's later sends to its topic
/// until it is `QueueFull`; dead letters and returned events go past it.
#[derive(Debug)]
#[must_use = "without awaiting it, nobody learns whether the record was acknowledged"]
pub struct Sending(Way);

#[derive(Debug)]
enum Way {
    Call(Arc<Call>),
    Outside(Outside),
    /// Refused before anything was enqueued.
    Refused(Option<Error>),
}

impl Way {
    fn of(call: Arc<Call>, outside: Option<Outside>) -> Self {
        outside.map_or(Self::Call(call), Self::Outside)
    }
}

/// A call for which there was no room: it enters once its future was polled, and not at all where that is
/// dropped before.
pub(super) struct Outside {
    pub(super) lines: Arc<Lines>,
    pub(super) call: Arc<Call>,
    pub(super) id: u64,
    pub(super) polled: bool,
}

impl Outside {
    fn poll(&mut self, cx: &Context<'_>) -> Poll<Outcomes> {
        let poll = self.call.poll(cx);
        if poll.is_pending() && !std::mem::replace(&mut self.polled, true) {
            self.lines.polled(self.call.gate(), self.id);
        }
        poll
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.lines.withdraw(self.call.gate(), self.id);
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.call.fmt(f)
    }
}

impl Sending {
    pub(super) fn of(call: Arc<Call>, outside: Option<Outside>) -> Self {
        Self(Way::of(call, outside))
    }

    pub(crate) fn refused(error: Error) -> Self {
        Self(Way::Refused(Some(error)))
    }
}

impl Future for Sending {
    type Output = Result<Sent>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Sent>> {
        match &mut self.0 {
            Way::Call(call) => call.poll(cx).map(only).map_err(|failure| failure.error),
            Way::Outside(outside) => outside.poll(cx).map(only).map_err(|failure| failure.error),
            Way::Refused(error) => Poll::Ready(Err(error.take().unwrap_or(Error::NotConnected))),
        }
    }
}

/// Narad's own send, with the class of its failure.
#[derive(Debug)]
#[must_use = "the record counts as written only once this resolves"]
pub(crate) struct Delivery(Way);

impl Delivery {
    pub(super) fn of(call: Arc<Call>, outside: Option<Outside>) -> Self {
        Self(Way::of(call, outside))
    }
}

impl Future for Delivery {
    type Output = Result<Sent, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Sent, Failure>> {
        match &mut self.0 {
            Way::Call(call) => call.poll(cx).map(only),
            Way::Outside(outside) => outside.poll(cx).map(only),
            Way::Refused(error) => {
                let error = error.take().unwrap_or(Error::NotConnected);
                Poll::Ready(Err(Failure { error, class: FailureClass::Permanent }))
            }
        }
    }
}

fn only(outcomes: Outcomes) -> Result<Sent, Failure> {
    match outcomes {
        Outcomes::One(Some(outcome)) => outcome,
        // Polled again after it was ready.
        Outcomes::One(None) | Outcomes::Many(_) => Err(Failure::not_connected()),
    }
}

/// Several records on their way: resolves when each of them has been acknowledged or refused.
///
/// # Errors
/// [`Error::SendAll`] with each record's outcome where one was not acknowledged; [`Error::Send`] of the kind
/// [`Encode`](crate::SendErrorKind::Encode) where a value cannot be written, with its
/// [`index()`](crate::SendError::index), and then none was enqueued.
///
/// # Cancel safety
/// As [`Sending`]: the records are on their way since the call, or, where there was no room for them, since
/// the future was polled and there was.
#[derive(Debug)]
#[must_use = "without awaiting it, nobody learns whether the records were acknowledged"]
pub struct SendingAll(Way);

impl SendingAll {
    pub(super) fn of(call: Arc<Call>, outside: Option<Outside>) -> Self {
        Self(Way::of(call, outside))
    }

    pub(crate) fn refused(error: Error) -> Self {
        Self(Way::Refused(Some(error)))
    }
}

impl Future for SendingAll {
    type Output = Result<Vec<Sent>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Vec<Sent>>> {
        match &mut self.0 {
            Way::Call(call) => call.poll(cx).map(all),
            Way::Outside(outside) => outside.poll(cx).map(all),
            Way::Refused(error) => Poll::Ready(Err(error.take().unwrap_or(Error::NotConnected))),
        }
    }
}

fn all(outcomes: Outcomes) -> Result<Vec<Sent>> {
    let Outcomes::Many(outcomes) = outcomes else { return Err(Error::NotConnected) };
    // The call is ready only once each slot is filled.
    let outcomes: Vec<Result<Sent>> = outcomes
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(index, outcome)| outcome.map_err(|failure| failure.error.at(index)))
        .collect();
    if outcomes.iter().all(Result::is_ok) {
        return outcomes.into_iter().collect();
    }
    // Callers fall back on `NotConnected`, which says that nothing was enqueued: true of the whole only if of
    // each.
    if outcomes.iter().all(|outcome| matches!(outcome, Err(Error::NotConnected))) {
        return Err(Error::NotConnected);
    }
    Err(Error::SendAll(SendAllError::new(outcomes)))
}
