//! Acknowledgements: one completion per call, resolved by the delivery reports of its records.

use std::ffi::CStr;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use super::failure::Failure;
use super::gate::Gate;
use super::load::Load;
use crate::sent::Sent;
use crate::supervision::foreign;
use crate::transport::{self, Outgoing};

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

pub(super) enum Outcomes {
    /// A single send needs no allocation besides the call's.
    One(Option<Result<Sent, Failure>>),
    Many(Vec<Option<Result<Sent, Failure>>>),
}

/// What travels with a record through librdkafka: its call, or its part in one.
pub(crate) type Ticket = transport::Ticket<Call, Part>;

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

    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Outcomes> {
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

impl transport::Call for Call {
    type Part = Part;

    fn topic(&self) -> &CStr {
        self.gate.native()
    }

    fn ticket(self: &Arc<Self>, index: usize, record: &Outgoing) -> Ticket {
        match self.load {
            Some(_) => Ticket::Whole(Arc::clone(self)),
            None => {
                let load = Load::one(record.bytes());
                Ticket::Part(Box::new(Part { call: Arc::clone(self), index, load }))
            }
        }
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
