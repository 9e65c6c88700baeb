//! What did not finish at once: polled when its waker is called, retried when it failed, and brought to its
//! end.

use std::sync::Arc;
use std::task::Poll;

use super::parts::Lane;
use super::state::{Permit, Run, State, Work};
use crate::codec::Outline;
use crate::consumer::handler::Handler;
use crate::consumer::life::Phase;
use crate::consumer::progress::Progress;
use crate::consumer::retry::{Fate, RetryTask, poll_attempt};
use crate::engine::{Id, Settled, Tally};
use crate::handler::Reply;
use crate::outcome::Ending;
use crate::record::Record;

/// A handler's first attempt, made.
pub(super) struct Attempted {
    pub(super) id: Id,
    pub(super) handler: Arc<Handler>,
    pub(super) records: Vec<(Record, Outline)>,
    pub(super) permit: Permit,
    pub(super) progress: Progress,
}

/// A run whose records go on apart, by the reply of this attempt.
#[must_use = "its records are in flight until they are taken apart"]
pub(super) struct ComesApart {
    pub(super) run: Run,
    pub(super) attempt: u32,
    pub(super) reply: Reply,
}

impl Lane {
    pub(super) fn retry_task(
        &self,
        state: &State,
        handler: Option<&Arc<Handler>>,
        records: Vec<(Record, Outline)>,
        permit: Permit,
        progress: Progress,
    ) -> RetryTask {
        let (group, producer) = (self.stats.clone(), self.producer.clone());
        let shared = permit.as_ref().map(Arc::downgrade).unwrap_or_default();
        RetryTask {
            group,
            producer,
            dead_letter: self.plan.dead_letter.clone(),
            records,
            phase: self.life.subscribe(),
            permits: state.permits.clone(),
            permit,
            shared,
            awaited: state.awaited.clone(),
            counts: handler.and_then(|handler| self.counters.get(handler.place).cloned()),
            progress,
        }
    }

    /// Puts a run into a place of its own, and polls it.
    pub(super) fn launch(self: &Arc<Self>, state: &mut State, run: Run) -> Option<ComesApart> {
        let place = state.place(|run, mark| self.waker(run, mark));
        state.runs[place] = Some(run);
        self.poll_run(state, place)
    }

    /// Takes over, at the same place, what the first attempt of a handler did not finish.
    pub(super) fn retry(&self, state: &mut State, place: usize, attempted: Attempted, reply: Reply) {
        let Attempted { id, handler, records, permit, progress } = attempted;
        state.partition.retries(id);
        let task = self.retry_task(state, Some(&handler), records.clone(), permit, progress.clone());
        let work = Work::Retry(Box::pin(task.run(handler.clone(), 1, reply)));
        state.runs[place] = Some(Run { id, handler: Some(handler), records, permit: None, progress, work });
    }

    /// Polls a run; back comes one whose records have different fates, and are nobody's now.
    pub(super) fn poll_run(self: &Arc<Self>, state: &mut State, place: usize) -> Option<ComesApart> {
        let waker = state.wakers.get(place)?.0.clone();
        let mut cx = std::task::Context::from_waker(&waker);
        loop {
            let Some(Some(run)) = state.runs.get_mut(place) else { return None };
            let offset = run.records.first().map_or(0, |(record, _)| record.offset());
            match &mut run.work {
                Work::Attempt(slot) => {
                    let Poll::Ready(reply) = self.call(offset, || poll_attempt(slot, &mut cx)) else {
                        return None;
                    };
                    let run = state.runs[place].take()?;
                    let Run { id, handler, records, permit, progress, work } = run;
                    if let Work::Attempt(slot) = work {
                        state.spare.push(slot);
                    }
                    if reply.is_plain_success() {
                        state.vacant.push(place);
                        if let Some(handler) = &handler {
                            state.attempted(handler.place, Some(Ending::Ok));
                        }
                        let handled = Tally::of(Settled::Handled, records.len());
                        state.partition.through(id, handler.map(|handler| handler.place), Some(handled));
                        return None;
                    }
                    let handler = handler?;
                    // What breaks off as the partition is let go, or the runtime with it, is no failure of
                    // the handler's.
                    if self.phase() == Phase::Closed {
                        return None;
                    }
                    state.attempted(handler.place, reply.ending(records.len()));
                    let records = records
                        .into_iter()
                        .map(|(of, outline)| (state.partition.detached_in_flight(id, of), outline))
                        .collect();
                    self.retry(state, place, Attempted { id, handler, records, permit, progress }, reply);
                }
                Work::Retry(task) => {
                    // A panic of its own breaks the lane: nobody knows which attempt it was at.
                    let Poll::Ready(fate) = self.call(offset, || task.as_mut().poll(&mut cx)) else {
                        return None;
                    };
                    let run = state.runs[place].take()?;
                    state.vacant.push(place);
                    let of = run.handler.as_ref().map(|handler| handler.place);
                    match fate {
                        Fate::Settled(came_to) => state.partition.through(run.id, of, Some(came_to)),
                        Fate::Abandoned | Fate::Halted => state.partition.through(run.id, of, None),
                        Fate::Apart { attempt, reply } => return Some(ComesApart { run, attempt, reply }),
                        Fate::Isolated { attempts } => state.partition.isolate(run.id, run.records, attempts),
                    }
                    return None;
                }
            }
        }
    }
}
