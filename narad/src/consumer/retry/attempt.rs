//! One attempt: what it works on, and how it is run.

use std::panic::AssertUnwindSafe;
use std::task::Poll;

use crate::codec::Head;
use crate::consumer::plan::Handler;
use crate::context::Context;
use crate::discard::{discard, panic_text, quietly};
use crate::handler::{Input, Reply, Slot};
use crate::outcome::Outcome;
use crate::record::Record;

/// Runs one attempt to its end; a panic is a failed attempt.
pub(crate) fn poll_attempt(slot: &mut Slot, cx: &mut std::task::Context<'_>) -> Poll<Reply> {
    match std::panic::catch_unwind(AssertUnwindSafe(|| slot.poll(cx))) {
        Ok(poll) => poll,
        Err(panic) => {
            // The future may panic again while it is dropped.
            quietly(|| slot.clear());
            Poll::Ready(Reply::new(panicked(panic)))
        }
    }
}

/// The outcome of a panic.
pub(crate) fn panicked(panic: Box<dyn std::any::Any + Send>) -> Outcome {
    let outcome = Outcome::retry(format!("panicked: {}", panic_text(&*panic)));
    discard(panic);
    outcome
}

impl Handler {
    /// What one attempt works on.
    pub(crate) fn input(&self, records: &[(Record, Head)], attempt: u32) -> Input {
        let context = |(record, head): &(Record, Head)| {
            Context::new(record.clone(), *head, self.scope.clone(), attempt)
        };
        if self.batch.is_some() {
            Input::Many(records.iter().map(context).collect())
        } else {
            Input::One(context(&records[0]))
        }
    }
}
