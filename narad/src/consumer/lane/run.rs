//! What did not finish at once: polled when its waker is called, pursued when it failed, counted when it ends.

use std::sync::{Arc, PoisonError};
use std::task::{Poll, Wake};

use super::Lane;
use super::state::{Permit, Run, State, Work};
use crate::codec::Head;
use crate::consumer::plan::Handler;
use crate::consumer::retry::{Fate, Pursuit, poll_attempt};
use crate::consumer::watchdog::AttemptClock;
use crate::handler::Reply;
use crate::record::Record;

pub(super) struct RunWaker {
    pub(super) lane: Arc<Lane>,
    pub(super) run: usize,
}

impl Wake for RunWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.lane.woken.lock().unwrap_or_else(PoisonError::into_inner).push(self.run);
        self.lane.make_ready();
    }
}

impl Lane {
    /// The pursuit of what the first attempt did not finish.
    pub(super) fn pursue(
        &self,
        state: &State,
        handler: Arc<Handler>,
        records: Vec<(Record, Head)>,
        permit: Permit,
        clock: AttemptClock,
        reply: Reply,
    ) -> Work {
        Work::Pursuit(Box::pin(self.pursuit(state, records, permit, clock).run(handler, 1, reply)))
    }

    pub(super) fn pursuit(&self, state: &State, records: Vec<(Record, Head)>, permit: Permit, clock: AttemptClock) -> Pursuit {
        let (group, producer) = (self.stats.clone(), self.producer.clone());
        let shared = permit.as_ref().map(Arc::downgrade).unwrap_or_default();
        Pursuit { group, producer, records, phase: self.life.subscribe(), permits: state.permits.clone(), permit, shared, clock }
    }

    pub(super) fn launch(self: &Arc<Self>, state: &mut State, run: Run) {
        let place = state.place(self);
        state.runs[place] = Some(run);
        self.poll_run(state, place);
    }

    /// Polls the runs whose wakers were called.
    pub(super) fn poll_woken(self: &Arc<Self>, state: &mut State) {
        loop {
            let woken = std::mem::take(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner));
            if woken.is_empty() {
                return;
            }
            for place in woken {
                self.poll_run(state, place);
            }
        }
    }

    pub(super) fn poll_run(self: &Arc<Self>, state: &mut State, place: usize) {
        let waker = match state.wakers.get(place) {
            Some(waker) => waker.clone(),
            None => return,
        };
        let mut cx = std::task::Context::from_waker(&waker);
        loop {
            let Some(Some(run)) = state.runs.get_mut(place) else { return };
            let offset = run.records.first().map_or(0, |(record, _)| record.offset());
            match &mut run.work {
                Work::Attempt(slot) => match self.call(offset, || poll_attempt(slot, &mut cx)) {
                    Poll::Pending => return,
                    Poll::Ready(reply) => {
                        let Some(Run { record, handler, records, permit, clock, work }) = state.runs[place].take() else { return };
                        if let Work::Attempt(slot) = work {
                            state.spare.push(slot);
                        }
                        if reply.is_plain_success() {
                            self.stats.handled(records.len() as u64);
                            state.vacant.push(place);
                            return self.finish_run(state, record, false);
                        }
                        let Some(handler) = handler else { return };
                        let kept: Vec<_> = records.iter().map(|(record, head)| (record.detached(), *head)).collect();
                        clock.stop();
                        let work = self.pursue(state, handler.clone(), kept.clone(), permit, clock.clone(), reply);
                        state.runs[place] = Some(Run { record, handler: Some(handler), records: kept, permit: None, clock, work });
                    }
                },
                Work::Pursuit(pursuit) => {
                    let polled =
                        self.call(offset, || std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pursuit.as_mut().poll(&mut cx))));
                    let fate = match polled {
                        Ok(Poll::Pending) => return,
                        Ok(Poll::Ready(fate)) => fate,
                        Err(_) => {
                            tracing::error!(partition = %self.source, "a record's retry broke off; the record is left to the next owner of the partition");
                            Fate::Abandoned
                        }
                    };
                    let Some(run) = state.runs[place].take() else { return };
                    state.vacant.push(place);
                    match fate {
                        Fate::Finished => {
                            if run.handler.is_some() {
                                self.stats.handled(run.records.len() as u64);
                            }
                            self.finish_run(state, run.record, false);
                        }
                        Fate::Abandoned | Fate::Halted => self.finish_run(state, run.record, true),
                        Fate::Apart { attempt, reply } => self.come_apart(state, run, attempt, reply),
                    }
                    return;
                }
            }
        }
    }

    /// One handler is through with a record.
    pub(super) fn finish_run(self: &Arc<Self>, state: &mut State, id: u64, abandoned: bool) {
        let Some(record) = state.records.get_mut(&id) else { return };
        record.open -= 1;
        record.abandoned |= abandoned;
        if record.open > 0 {
            return;
        }
        let Some(record) = state.records.remove(&id) else { return };
        if record.abandoned {
            // Unfinished: its key stays closed, and what waits behind it is for the next owner.
            return state.release(record.records.len(), record.bytes);
        }
        state.finish(&record.records, record.bytes);
    }
}
