//! What the watchdog sees of a lane, from the control thread, which waits for no worker.

use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::call::Call;
use super::parts::Lane;
use super::state::State;

impl Lane {
    /// Whether a worker is inside of a call into a handler.
    pub(crate) fn is_inside(&self) -> bool {
        !self.calls.load(Relaxed).is_multiple_of(2)
    }

    /// The call into a handler that a worker is inside of, if any. Since when is known to whoever looks: the
    /// way of a record has no clock for it.
    pub(crate) fn inside(&self) -> Option<Call> {
        let number = self.calls.load(Relaxed);
        if number.is_multiple_of(2) {
            return None;
        }
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let known = met.filter(|call| call.number == number);
        let call = known.unwrap_or_else(|| Call {
            number,
            offset: self.called_at.load(Relaxed),
            met: self.stats.clock().now(),
            met_at: self.stats.clock().wall(),
        });
        *met = Some(call);
        *met
    }

    /// The attempts that have waited for longer than this: their handlers and offsets. A worker that has the
    /// lane tells them at the end of its turn, for the next time: one that spins has it nearly always.
    pub(crate) fn overdue(&self, patience: Duration) -> Vec<(String, i64)> {
        match self.state.try_lock() {
            Ok(state) => state.overdue(patience),
            Err(_) => {
                let mut overdue = self.overdue.lock().unwrap_or_else(PoisonError::into_inner);
                self.patience.store(patience.as_millis() as u64, Relaxed);
                std::mem::take(&mut overdue)
            }
        }
    }

    /// Answers what was asked during the turn.
    pub(super) fn tell_overdue(&self, state: &State) {
        if self.patience.load(Relaxed) > 0 {
            let patience = Duration::from_millis(self.patience.swap(0, Relaxed));
            *self.overdue.lock().unwrap_or_else(PoisonError::into_inner) = state.overdue(patience);
        }
    }

    /// Polls a handler's attempt; the watchdog sees how long that takes.
    pub(super) fn call<T>(&self, offset: i64, poll: impl FnOnce() -> T) -> T {
        self.called_at.store(offset, Relaxed);
        // One worker at a time is here.
        let calls = self.calls.load(Relaxed);
        self.calls.store(calls + 1, Relaxed);
        let result = poll();
        self.calls.store(calls + 2, Relaxed);
        result
    }
}
