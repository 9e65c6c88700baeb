//! Batches: gathered in the partition's order, handled one after the other, and taken apart where their
//! records have different fates.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::parts::Lane;
use super::run::ComesApart;
use super::state::{Alarm, Run, State, TURN, Work};
use crate::codec::Outline;
use crate::consumer::handler::Handler;
use crate::consumer::life::Phase;
use crate::consumer::progress::Progress;
use crate::engine::{BatchPolicy, Id, Next, Pending, Retried};
use crate::handler::{Reply, Slot};
use crate::record::Record;

impl Lane {
    /// Gathers a batch, and hands it to its handler when it is full or has waited long enough.
    ///
    /// The one place among those that run at once is the batch's, or that of records which are tried again:
    /// while these wait, what does not wait for them goes on.
    pub(super) fn step_batch(
        self: &Arc<Self>,
        state: &mut State,
        handler: &Arc<Handler>,
        policy: BatchPolicy,
    ) -> Option<usize> {
        if state.permits.available_permits() == 0 {
            state.partition.unpin_backlog();
            return None;
        }
        let drains = self.phase() != Phase::Running;
        if drains {
            // The rest is left to the next owner.
            state.partition.gather_no_more();
        }
        let mut looked_at = 0;
        while state.partition.gathered() < policy.max && self.gather(state, handler, drains) {
            looked_at += 1;
            // One that was handed over alone has the place of the batch.
            if looked_at == TURN || state.permits.available_permits() == 0 {
                return Some(looked_at);
            }
        }
        if state.partition.gathered() == 0 {
            return (looked_at > 0).then_some(looked_at);
        }
        let waits_until =
            state.partition.batch_waits_until(policy, self.stats.clock().now()).filter(|_| !drains);
        if let Some(until) = waits_until
            && !self.has_rung(
                state
                    .alarm
                    .get_or_insert_with(|| alarm(until.saturating_duration_since(self.stats.clock().now()))),
            )
        {
            return None;
        }
        state.alarm = None;
        let (id, records) = state.partition.start_batch();
        let work = records.len();
        let permit = state.permit();
        let mut slot = state.spare.pop().unwrap_or_else(Slot::new);
        handler.start(&mut slot, handler.input(&records, 1));
        let progress = Progress::new(self.stats.clock());
        progress.begins(1);
        let (handler, slot) = (Some(handler.clone()), Work::Attempt(slot));
        let apart = self.launch(state, Run { id, handler, records, permit, progress, work: slot });
        self.come_apart(state, apart);
        Some(work)
    }

    /// Looks at the next record; `false` where there is none.
    fn gather(self: &Arc<Self>, state: &mut State, handler: &Arc<Handler>, drains: bool) -> bool {
        let (partition, said) = (&mut state.partition, &mut state.skipped_types);
        match partition.gather(&self.plan.routes, drains, |r#type, of| self.nobody_takes(said, r#type, of)) {
            Next::Nothing => return !drains && self.read(state),
            Next::Waits => {}
            Next::Passed(record) => state.give_back_later(record),
            Next::Due(record) => self.start(state, record),
            Next::Unfit(unfit) => {
                let (pending, rejection) = *unfit;
                state.partition.starts(&pending);
                let id = state.partition.follow_on(&pending);
                let records = vec![(pending.record, pending.outline)];
                let apart = self.retry_part(state, handler, id, records, 1, Reply::unfit(rejection));
                self.come_apart(state, apart);
            }
        }
        true
    }

    /// Hands a record over alone whose batch has failed as a whole.
    pub(super) fn hand_over_alone(self: &Arc<Self>, state: &mut State, alone: Pending, attempts: u32) {
        let Some((handler, _)) = &self.plan.batch else { return };
        let id = state.partition.follow_on(&alone);
        let records = vec![(alone.record, alone.outline)];
        let progress = Progress::new(self.stats.clock());
        let permit = state.permit();
        let task = self.retry_task(state, Some(handler), records.clone(), permit, progress.clone());
        let work = Work::Retry(Box::pin(task.go_on(handler.clone(), attempts.saturating_add(1))));
        let handler = Some(handler.clone());
        // One record does not come apart.
        let _ = self.launch(state, Run { id, handler, records, permit: None, progress, work });
    }

    /// The records of a batch go on apart, each part with what it has before it; and so on, where parts come
    /// apart.
    pub(super) fn come_apart(self: &Arc<Self>, state: &mut State, apart: Option<ComesApart>) {
        let mut apart: Vec<ComesApart> = apart.into_iter().collect();
        while let Some(ComesApart { run, attempt, reply }) = apart.pop() {
            let Some(handler) = run.handler else { continue };
            let retried = state.partition.come_apart(run.id, run.records, &handler.policy(), attempt, reply);
            for Retried { id, records, reply } in retried {
                apart.extend(self.retry_part(state, &handler, id, records, attempt, reply));
            }
        }
    }

    /// Retries records of a batch whose keys are closed, from an attempt's reply on.
    fn retry_part(
        self: &Arc<Self>,
        state: &mut State,
        handler: &Arc<Handler>,
        id: Id,
        records: Vec<(Record, Outline)>,
        attempt: u32,
        reply: Reply,
    ) -> Option<ComesApart> {
        let progress = Progress::new(self.stats.clock());
        let task = self.retry_task(state, Some(handler), records.clone(), None, progress.clone());
        let work = Work::Retry(Box::pin(task.run(handler.clone(), attempt, reply)));
        let handler = Some(handler.clone());
        self.launch(state, Run { id, handler, records, permit: None, progress, work })
    }

    /// Whether the alarm has rung; it makes the lane ready when it does.
    fn has_rung(self: &Arc<Self>, alarm: &mut Alarm) -> bool {
        let waker = Waker::from(self.clone());
        let mut cx = std::task::Context::from_waker(&waker);
        let Some(sleep) = alarm else { return false };
        let rung = catch_unwind(AssertUnwindSafe(|| sleep.as_mut().poll(&mut cx).is_ready()));
        rung.unwrap_or_else(|_| {
            *alarm = None;
            false
        })
    }
}

fn alarm(time: Duration) -> Alarm {
    catch_unwind(|| Box::pin(tokio::time::sleep(time))).ok()
}
