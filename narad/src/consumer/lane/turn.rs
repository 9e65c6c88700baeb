//! A worker's turn with a lane.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, Release};

use super::parts::Lane;
use super::state::{State, TURN};
use crate::consumer::commit_gate::Told;
use crate::consumer::life::Phase;
use crate::discard::{discard, panic_text};
use crate::record::Record;

impl Lane {
    /// Runs the lane: called by one worker at a time.
    pub(crate) fn run(self: Arc<Self>) {
        self.schedule.begin();
        let more = catch_unwind(AssertUnwindSafe(|| self.turn())).unwrap_or_else(|panic| {
            self.break_off(panic_text(&*panic));
            discard(panic);
            false
        });
        if self.schedule.end(more) {
            self.ready.clone().push(self);
        }
    }

    /// One turn; `true` where there is more to do at once.
    fn turn(self: &Arc<Self>) -> bool {
        let mut state = self.state();
        let state = &mut *state;
        if self.inlet.has_mail() {
            self.take_mail(&mut self.inlet.open(), &mut state.partition);
        }
        let mut budget = TURN;
        let mut more = false;
        loop {
            if self.phase() == Phase::Closed {
                self.clear(state);
                return false;
            }
            if budget == 0 {
                more = true;
                break;
            }
            let before = budget;
            budget = budget.saturating_sub(self.poll_woken(state));
            let step = self.step(state);
            budget = budget.saturating_sub(step.unwrap_or(0));
            if step.is_some() || budget < before {
                self.stirs();
            }
            if step.is_none() && self.woken.is_empty() {
                break;
            }
            if self.positions.is_asked() {
                self.publish(state);
            }
        }
        self.give_back(state);
        if state.partition.reach_end() {
            self.stirs();
        }
        self.holds.store(state.partition.held().records() > 0, Relaxed);
        let bytes = state.bytes();
        state.reservation.update(bytes);
        if self.positions.is_asked() {
            self.publish(state);
            state.shrink();
        }
        self.tell_overdue(state);
        self.tell_looks(state);
        if self.phase() == Phase::Draining && state.partition.is_idle() && !more {
            self.publish(state);
            self.drained.send_replace(true);
        }
        more
    }

    /// Polls the runs whose wakers were called, each once; how many there were. What is woken meanwhile, be
    /// it by itself, has its turn after what can be started: on threads that are not the runtime's own,
    /// `yield_now` wakes at once.
    fn poll_woken(self: &Arc<Self>, state: &mut State) -> usize {
        if self.woken.is_empty() {
            return 0;
        }
        let mut woken = std::mem::take(&mut state.woken);
        self.woken.take(&mut woken);
        let polled = woken.len();
        for place in woken.drain(..) {
            if self.phase() == Phase::Closed {
                break;
            }
            if let Some((_, mark)) = state.wakers.get(place) {
                mark.clear();
            }
            let apart = self.poll_run(state, place);
            self.come_apart(state, apart);
        }
        state.woken = woken;
        polled
    }

    /// What was handled since the last time: counted and freed together.
    fn give_back(&self, state: &mut State) {
        self.tell_counts(state);
        let room = TURN.saturating_sub(state.vacated.len());
        state.vacated.extend(state.handled.drain(..).filter_map(Record::vacated).take(room));
    }

    fn publish(&self, state: &State) {
        self.moved.store(self.moved.load(Relaxed).saturating_sub(1), Release);
        self.positions.answer(|| {
            let position = state
                .partition
                .position(&self.bound, self.reading().epoch_of(state.partition.next_offset().0));
            Told { position, finished: state.partition.finished() }
        });
    }
}
