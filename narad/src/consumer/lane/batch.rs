//! Batches: gathered in the partition's order, handled one after the other.

use std::future::Future;
use std::sync::Arc;
use std::task::Waker;

use super::state::{BATCHED, Run, State, Waits, Work};
use super::{Lane, Phase};
use crate::codec::Body;
use crate::consumer::dispatch::Route;
use crate::consumer::plan::{BatchPolicy, Handler};
use crate::consumer::watchdog::AttemptClock;
use crate::handler::Slot;

impl Lane {
    /// Gathers a batch, and hands it to its handler when it is full or has waited long enough.
    pub(super) fn step_batch(self: &Arc<Self>, state: &mut State, handler: &Arc<Handler>, policy: BatchPolicy) -> Option<usize> {
        if !state.records.is_empty() || self.phase() != Phase::Running {
            return None;
        }
        while state.gathered.len() < policy.max {
            if state.backlog.is_empty() && !self.read(state) {
                break;
            }
            let Some(record) = state.backlog.pop_front() else { continue };
            let offset = record.offset();
            let body = Body::new(&record);
            let head = body.head;
            match self.plan.routes.route(&body) {
                Route::Handlers(_) => {
                    state.tracker.deliver(offset, BATCHED);
                    state.gathered.push((record, head));
                }
                Route::Nobody(r#type) => {
                    self.stats.nobody_takes(&self.source.topic, r#type.as_deref());
                    state.tracker.finish_at_once(offset);
                    state.release(1, record.bytes());
                }
                Route::GroupDeadLetter(cause) => {
                    self.start(state, record, head, BATCHED, Waits::GroupDeadLetter(cause));
                    return Some(1);
                }
            }
        }
        if state.gathered.is_empty() {
            return None;
        }
        if state.gathered.len() < policy.max {
            let linger = state.linger.get_or_insert_with(|| Box::pin(tokio::time::sleep(policy.wait)));
            if linger.as_mut().poll(&mut std::task::Context::from_waker(&Waker::from(self.clone()))).is_pending() {
                return None;
            }
        }
        state.linger = None;
        let records: Vec<_> = std::mem::take(&mut state.gathered).into_iter().map(|(record, head)| (record.detached(), head)).collect();
        let offsets: Vec<i64> = records.iter().map(|(record, _)| record.offset()).collect();
        state.highest_started = state.highest_started.max(*offsets.last()?);
        let bytes = records.iter().map(|(record, _)| record.bytes()).sum();
        let work = records.len();
        let id = state.open(offsets, BATCHED, bytes, 1);
        let mut slot = state.spare.pop().unwrap_or_else(Slot::new);
        handler.start(&mut slot, handler.input(&records, 1));
        let permit = state.permit();
        let clock = AttemptClock::default();
        clock.start();
        self.launch(state, Run { record: id, handler: Some(handler.clone()), records, permit, clock, work: Work::Attempt(slot) });
        Some(work)
    }
}
