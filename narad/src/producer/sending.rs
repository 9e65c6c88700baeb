//! The futures of sends.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::ack::{Call, Outcomes};
use super::failure::{Failure, FailureClass};
use super::lines::Lines;
use crate::error::{Error, Result, SendAllError};
use crate::sent::Sent;

/// One record on its way: resolves when a broker has acknowledged it.
///
/// # Errors
/// [`Error::NotConnected`] where nothing was enqueued, [`Error::Send`] where the brokers refused the record,
/// it cannot be written, or it found no room within `delivery.timeout.ms`
/// ([`QueueFull`](crate::SendErrorKind::QueueFull)),
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
