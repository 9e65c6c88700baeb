//! What did not finish at once: polled when its waker is called, pursued when it failed, counted when it
//! ends.

use std::sync::Arc;
use std::task::{Poll, Wake};

use super::state::{Permit, Run, State, Work};
use super::woken::Mark;
use super::{Lane, Phase};
use crate::codec::Head;
use crate::consumer::handler::Handler;
use crate::consumer::retry::{Fate, Pursuit, poll_attempt};
use crate::consumer::watchdog::AttemptClock;
use crate::handler::Reply;
use crate::record::Record;

pub(super) struct RunWaker {
    lane: Arc<Lane>,
    run: usize,
    mark: Mark,
}

impl RunWaker {
    pub(super) fn new(lane: Arc<Lane>, run: usize) -> Self {
        Self { lane, run, mark: Mark::new() }
    }
}

impl Wake for RunWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.lane.woken.add(self.run, &self.mark);
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

    pub(super) fn pursuit(
        &self,
        state: &State,
        records: Vec<(Record, Head)>,
        permit: Permit,
        clock: AttemptClock,
    ) -> Pursuit {
        let (group, producer) = (self.stats.clone(), self.producer.clone());
        let shared = permit.as_ref().map(Arc::downgrade).unwrap_or_default();
        Pursuit {
            group,
            producer,
            dead_letter: self.plan.dead_letter.clone(),
            records,
            phase: self.life.subscribe(),
            permits: state.permits.clone(),
            permit,
            shared,
            awaited: state.awaited.clone(),
            clock,
        }
    }

    pub(super) fn launch(self: &Arc<Self>, state: &mut State, run: Run) {
        let place = state.place(self);
        state.runs[place] = Some(run);
        self.poll_run(state, place);
    }

    /// Polls the runs whose wakers were called, each once; how many there were. What is woken meanwhile, be
    /// it by itself, has its turn after what can be started: on threads that are not the runtime's own,
    /// `yield_now` wakes at once.
    pub(super) fn poll_woken(self: &Arc<Self>, state: &mut State) -> usize {
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
            if let Some((_, waker)) = state.wakers.get(place) {
                waker.mark.clear();
            }
            self.poll_run(state, place);
        }
        state.woken = woken;
        polled
    }

    pub(super) fn poll_run(self: &Arc<Self>, state: &mut State, place: usize) {
        let waker = match state.wakers.get(place) {
            Some((waker, _)) => waker.clone(),
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
                        let Some(Run { record, handler, records, permit, clock, work }) =
                            state.runs[place].take()
                        else {
                            return;
                        };
                        if let Work::Attempt(slot) = work {
                            state.spare.push(slot);
                        }
                        if reply.is_plain_success() {
                            self.stats.handled(records.len() as u64);
                            state.vacant.push(place);
                            return self.finish_run(state, record, false);
                        }
                        let Some(handler) = handler else { return };
                        // What breaks off as the partition is let go, or the runtime with it, is no failure
                        // of the handler's.
                        if self.phase() == Phase::Closed {
                            return;
                        }
                        let kept: Vec<_> = records
                            .into_iter()
                            .map(|(of, head)| (state.detached_in_flight(record, of), head))
                            .collect();
                        clock.stop();
                        let work =
                            self.pursue(state, handler.clone(), kept.clone(), permit, clock.clone(), reply);
                        state.runs[place] = Some(Run {
                            record,
                            handler: Some(handler),
                            records: kept,
                            permit: None,
                            clock,
                            work,
                        });
                    }
                },
                Work::Pursuit(pursuit) => {
                    // A panic of its own breaks the lane: nobody knows which attempt it was at.
                    let Poll::Ready(fate) = self.call(offset, || pursuit.as_mut().poll(&mut cx)) else {
                        return;
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
