//! A record to its handlers.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;

use super::parts::Lane;
use super::run::Attempted;
use super::state::{Run, State, Work};
use crate::consumer::life::Phase;
use crate::consumer::progress::Progress;
use crate::consumer::retry::poll_attempt;
use crate::consumer::stats::SAID_TYPES;
use crate::context::Context;
use crate::engine::{Hashed, Pending, Tally, Unhandled, Way, key_hash};
use crate::handler::{Input, Slot};
use crate::outcome::{Cause, Ending};
use crate::record::Record;

impl Lane {
    /// A well-formed record of a type that nobody takes. The group hears of each type once.
    pub(super) fn nobody_takes(
        &self,
        said: &mut HashSet<u64, Hashed>,
        r#type: Option<&str>,
        record: &Record,
    ) {
        let hash = key_hash(r#type.map(str::as_bytes));
        if said.len() < SAID_TYPES && said.insert(hash) {
            self.stats.nobody_takes(record, r#type);
        }
    }

    /// Hands a record to its handlers, or to the group's dead letter.
    pub(super) fn start(self: &Arc<Self>, state: &mut State, record: Pending) {
        state.partition.starts(&record);
        match &record.way {
            Way::Handlers(_) => self.hand_over(state, record),
            Way::GroupDeadLetter(why, cause) => {
                let (why, cause) = (*why, cause.clone());
                self.group_dead_letter(state, record, why, cause);
            }
            Way::Alone(attempts) => {
                let attempts = *attempts;
                self.hand_over_alone(state, record, attempts);
            }
        }
    }

    fn group_dead_letter(
        self: &Arc<Self>,
        state: &mut State,
        mut pending: Pending,
        why: Unhandled,
        cause: Cause,
    ) {
        pending.record = state.partition.detached(pending.record);
        let id = state.partition.follow_on(&pending);
        let records = vec![(pending.record, pending.outline)];
        let progress = Progress::new(self.stats.clock());
        let task = self.retry_task(state, None, records.clone(), None, progress.clone());
        let work = Work::Retry(Box::pin(task.group_dead_letter(why, cause)));
        // One record does not come apart.
        let _ = self.launch(state, Run { id, handler: None, records, permit: None, progress, work });
    }

    fn hand_over(self: &Arc<Self>, state: &mut State, mut pending: Pending) {
        let Way::Handlers(targets) = &pending.way else { return };
        let targets = targets.as_slice();
        let offset = pending.offset();
        if targets.iter().any(|target| self.plan.handlers[*target].waits.load(Relaxed)) {
            // What waits in a handler is not to pin what it was fetched with.
            let detached = state.partition.detached(pending.record.clone());
            state.give_back_later(std::mem::replace(&mut pending.record, detached));
        }
        let bytes = pending.record.bytes();
        let mut followed = None;
        let mut permit = None;
        for (started, target) in targets.iter().enumerate() {
            let handler = &self.plan.handlers[*target];
            let mut slot = state.spare.pop().unwrap_or_else(Slot::new);
            let ctx = Context::new(pending.record.clone(), pending.outline, self.scopes[*target].clone(), 1);
            handler.start(&mut slot, Input::One(ctx));
            let place = state.place(|run, mark| self.waker(run, mark));
            let mut cx = std::task::Context::from_waker(&state.wakers[place].0);
            let work = match self.call(offset, || poll_attempt(&mut slot, &mut cx)) {
                Poll::Ready(reply) if reply.is_plain_success() => {
                    state.spare.push(slot);
                    state.vacant.push(place);
                    state.attempted(*target, Some(Ending::Ok));
                    if let Some(id) = followed {
                        state.partition.through(id, Some(*target), Some(Tally::HANDLED));
                    }
                    continue;
                }
                // What breaks off as the partition is let go, or the runtime with it, is no failure of the
                // handler's.
                Poll::Ready(_) if self.phase() == Phase::Closed => return state.spare.push(slot),
                Poll::Ready(reply) => {
                    state.spare.push(slot);
                    state.attempted(*target, reply.ending(1));
                    Err(reply)
                }
                Poll::Pending => {
                    handler.saw_it_wait();
                    Ok(slot)
                }
            };
            // Only what does not finish at once is followed. Handlers that are not started yet count as open.
            let id = *followed.get_or_insert_with(|| {
                state.partition.follow(&pending, bytes, &targets[..started], targets.len() - started)
            });
            if permit.is_none() {
                permit = state.permit();
            }
            let (handler, permit, progress) =
                (handler.clone(), permit.clone(), Progress::new(self.stats.clock()));
            match work {
                Ok(slot) => {
                    progress.begins(1);
                    let records = vec![(pending.record.clone(), pending.outline)];
                    let work = Work::Attempt(slot);
                    state.runs[place] =
                        Some(Run { id, handler: Some(handler), records, permit, progress, work });
                }
                Err(reply) => {
                    pending.record = state.partition.detached_in_flight(id, pending.record);
                    let records = vec![(pending.record.clone(), pending.outline)];
                    self.retry(state, place, Attempted { id, handler, records, permit, progress }, reply);
                    // One record does not come apart.
                    let _ = self.poll_run(state, place);
                }
            }
        }
        if followed.is_none() {
            state.partition.finished_in_place(&pending, bytes, targets);
            state.give_back_later(pending.record);
        }
    }
}
