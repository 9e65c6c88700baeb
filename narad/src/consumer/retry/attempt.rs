//! One attempt, run.

use std::panic::AssertUnwindSafe;
use std::task::Poll;

use crate::discard::quietly;
use crate::handler::{Reply, Slot};
use crate::outcome::Outcome;

/// Runs one attempt to its end; a panic is a failed attempt.
pub(crate) fn poll_attempt(slot: &mut Slot, cx: &mut std::task::Context<'_>) -> Poll<Reply> {
    match std::panic::catch_unwind(AssertUnwindSafe(|| slot.poll(cx))) {
        Ok(poll) => poll,
        Err(panic) => {
            // The future may panic again while it is dropped.
            quietly(|| slot.clear());
            Poll::Ready(Reply::new(Outcome::panicked(panic)))
        }
    }
}
