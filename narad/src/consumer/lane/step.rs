//! The next thing to be done in a lane.

use std::sync::Arc;

use super::parts::Lane;
use super::state::State;
use crate::consumer::life::Phase;
use crate::engine::Next;

/// So many records that nobody takes are passed over in one step, at most.
const PASSED: usize = 32;

impl Lane {
    /// Starts the next record; how much work that was, or `None` where nothing can be started now.
    pub(super) fn step(self: &Arc<Self>, state: &mut State) -> Option<usize> {
        if !state.partition.is_idle() && state.awaits_too_much() {
            state.partition.unpin_backlog();
            return None;
        }
        if let Some((handler, policy)) = &self.plan.batch {
            return self.step_batch(state, handler, *policy);
        }
        if !state.partition.is_idle() && state.permits.available_permits() == 0 {
            state.partition.unpin_backlog();
            return None;
        }
        let drains = self.phase() == Phase::Draining;
        for passed in 0.. {
            let (partition, said) = (&mut state.partition, &mut state.skipped_types);
            match partition.next(&self.plan.routes, drains, |r#type, of| self.nobody_takes(said, r#type, of))
            {
                // Nothing was started that the next of them would have to wait for.
                Next::Passed(record) => {
                    state.give_back_later(record);
                    if passed < PASSED {
                        continue;
                    }
                }
                Next::Nothing if passed > 0 => return Some(passed),
                Next::Nothing if drains => return None,
                // What is read may be an error.
                Next::Nothing => return self.read(state).then_some(1),
                Next::Waits => {}
                Next::Due(record) => self.start(state, record),
                Next::Unfit(unfit) => self.start(state, unfit.0),
            }
            return Some(passed + 1);
        }
        None
    }
}
