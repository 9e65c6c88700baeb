//! Batches: gathered in the partition's order, handled one after the other, and taken apart where their
//! records have different fates.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use super::state::{GONE, Run, State, Waiting, Waits, Work};
use super::step::{self, Due};
use super::{Lane, Phase, TURN};
use crate::codec::Head;
use crate::consumer::handler::Handler;
use crate::consumer::watchdog::AttemptClock;
use crate::engine::{BatchPolicy, Next, Targets, parts};
use crate::handler::{Reply, Slot};
use crate::record::Record;

/// How long more a batch is waited for.
pub(super) struct Linger {
    until: Instant,
    /// Makes the lane ready then. `None` on a runtime that shuts down and has no timers any more: the control
    /// thread's tick finds out.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Linger {
    fn new(wait: Duration) -> Self {
        let alarm = catch_unwind(|| Box::pin(tokio::time::sleep(wait)));
        Self { until: Instant::now() + wait, alarm: alarm.ok() }
    }

    fn is_over(&mut self, lane: &Arc<Lane>) -> bool {
        let waker = Waker::from(lane.clone());
        let mut cx = std::task::Context::from_waker(&waker);
        match &mut self.alarm {
            Some(alarm) => match catch_unwind(AssertUnwindSafe(|| alarm.as_mut().poll(&mut cx).is_ready())) {
                Ok(rung) => rung || Instant::now() >= self.until,
                Err(_) => {
                    self.alarm = None;
                    Instant::now() >= self.until
                }
            },
            None => Instant::now() >= self.until,
        }
    }
}

/// A record of a batch, and its offset and key.
type Placed = ((Record, Head), (i64, u64));

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
            state.unpin_backlog();
            return None;
        }
        let draining = self.phase() != Phase::Running;
        if draining {
            // The rest is left to the next owner.
            let highest = state.highest_started;
            state.gathered.retain(|(record, _)| record.offset() <= highest);
        }
        let mut looked_at = 0;
        while state.gathered.len() < policy.max && self.gather(state, handler, draining) {
            looked_at += 1;
            if looked_at == TURN {
                return Some(looked_at);
            }
        }
        if state.gathered.is_empty() {
            return (looked_at > 0).then_some(looked_at);
        }
        if state.gathered.len() < policy.max
            && !draining
            && !state.linger.get_or_insert_with(|| Linger::new(policy.wait)).is_over(self)
        {
            return None;
        }
        state.linger = None;
        let gathered = std::mem::take(&mut state.gathered);
        let mut records: Vec<_> =
            gathered.into_iter().map(|(record, head)| (state.detached(record), head)).collect();
        // What had waited behind its key was gathered before what is older and of another key.
        records.sort_unstable_by_key(|(record, _)| record.offset());
        let work = records.len();
        let permit = state.permit();
        self.close_keys(state, &records);
        let id = self.open_batch(state, &records);
        let mut slot = state.spare.pop().unwrap_or_else(Slot::new);
        handler.start(&mut slot, handler.input(&records, 1));
        let clock = AttemptClock::default();
        clock.start();
        self.launch(
            state,
            Run {
                record: id,
                handler: Some(handler.clone()),
                records,
                permit,
                clock,
                work: Work::Attempt(slot),
            },
        );
        Some(work)
    }

    /// Looks at the next record; `false` where there is none.
    fn gather(self: &Arc<Self>, state: &mut State, handler: &Arc<Handler>, draining: bool) -> bool {
        // Older records first: those that waited behind their key.
        while let Some(key) = state.freed.front().copied() {
            let highest = state.highest_started;
            let waits = state.keys.get_mut(&key).filter(|closed| closed.in_flight == 0);
            let next = waits.and_then(|closed| {
                let next = closed.waiting.pop_front_if(|front| !draining || front.record.offset() <= highest);
                next.map(|next| (next, closed.waiting.is_empty()))
            });
            let Some((Waiting { record, head, route }, last)) = next else {
                // In flight again, or left to the next owner.
                state.freed.pop_front();
                continue;
            };
            if last {
                state.keys.remove(&key);
                state.freed.pop_front();
            }
            match (state.unfit.remove(&record.offset()), route) {
                (Some(rejection), _) => {
                    let record = vec![(record, head)];
                    self.close_keys(state, &record);
                    let places = self.places(&record);
                    self.pursue_part(state, handler, record, places, 1, Reply::unfit(rejection));
                }
                (None, Waits::Handlers(_)) => state.gathered.push((record, head)),
                (None, route) => self.start(state, record, head, key, route),
            }
            return true;
        }
        if draining {
            return false;
        }
        match self.next_due(state) {
            step::Next::Nothing => return false,
            step::Next::Settled => {}
            step::Next::Due(Due { record, head, key, route: Waits::Handlers(_) }) => {
                state.tracker.deliver(record.offset(), key);
                state.gathered.push((record, head));
            }
            step::Next::Due(Due { record, head, key, route }) => self.start(state, record, head, key, route),
        }
        true
    }

    /// Follows records that are handed over together.
    fn open_batch(&self, state: &mut State, records: &[(Record, Head)]) -> u64 {
        let bytes = records.iter().map(|(record, _)| record.bytes()).sum();
        state.open(self.places(records), bytes, 1)
    }

    fn places(&self, records: &[(Record, Head)]) -> Vec<(i64, u64)> {
        records.iter().map(|(record, _)| (record.offset(), self.key(record))).collect()
    }

    fn close_keys(&self, state: &mut State, records: &[(Record, Head)]) {
        for (record, _) in records {
            state.highest_started = state.highest_started.max(record.offset());
            state.keys.entry(self.key(record)).or_default().in_flight += 1;
        }
    }

    /// The records of a batch go on apart, each part with what it has before it.
    pub(super) fn come_apart(self: &Arc<Self>, state: &mut State, run: Run, attempt: u32, reply: Reply) {
        let (Some(handler), Some(in_flight)) = (run.handler, state.records.remove(&run.record)) else {
            return;
        };
        // The log may be another one by now, in which others stand at these offsets.
        let place = |place: usize| in_flight.records[place];
        if !reply.unfit.is_empty() {
            // The handler has seen none of them yet. Those that do not fit wait for their turn with the
            // others.
            state.unfit.extend(
                reply
                    .unfit
                    .into_iter()
                    .map(|(of, rejection)| (place(of).0, rejection))
                    .filter(|(offset, _)| *offset != GONE),
            );
            let records: Vec<_> =
                run.records.into_iter().enumerate().map(|(of, record)| (record, place(of))).collect();
            return self.hold_back(state, &records);
        }
        let keys: Vec<u64> = run.records.iter().map(|(record, _)| self.key(record)).collect();
        let mut records: Vec<_> =
            run.records.into_iter().enumerate().map(|(of, record)| Some((record, place(of)))).collect();
        let mut held_back = Vec::new();
        let policy = handler.policy();
        for part in parts(&keys, reply, |outcome| policy.tries_again(outcome, attempt)) {
            let records: Vec<_> = part.places.iter().filter_map(|place| records[*place].take()).collect();
            match part.next {
                Next::Finished => {
                    self.stats.handled(records.len() as u64);
                    let bytes = records.iter().map(|((record, _), _)| record.bytes()).sum();
                    let finished: Vec<_> = records.iter().map(|(_, place)| *place).collect();
                    state.finish(&finished, bytes);
                }
                Next::HeldBack => held_back = records,
                Next::Pursued(reply) => {
                    let (records, places) = records.into_iter().unzip();
                    self.pursue_part(state, &handler, records, places, attempt, reply);
                }
            }
        }
        self.hold_back(state, &held_back);
    }

    /// Pursues records of a batch whose keys are closed, from an attempt's reply on.
    fn pursue_part(
        self: &Arc<Self>,
        state: &mut State,
        handler: &Arc<Handler>,
        records: Vec<(Record, Head)>,
        places: Vec<(i64, u64)>,
        attempt: u32,
        reply: Reply,
    ) {
        let bytes = records.iter().map(|(record, _)| record.bytes()).sum();
        let record = state.open(places, bytes, 1);
        let clock = AttemptClock::default();
        let pursuit = self.pursuit(state, records.clone(), None, clock.clone());
        let work = Work::Pursuit(Box::pin(pursuit.run(handler.clone(), attempt, reply)));
        self.launch(
            state,
            Run { record, handler: Some(handler.clone()), records, permit: None, clock, work },
        );
    }

    /// Puts records back to the front of their keys, in order, before any of these is free again; but for
    /// those that are gone from the log.
    fn hold_back(&self, state: &mut State, records: &[Placed]) {
        for ((record, head), (offset, key)) in records.iter().rev() {
            if *offset == GONE {
                state.release(1, record.bytes());
                continue;
            }
            let waiting =
                Waiting { record: record.clone(), head: *head, route: Waits::Handlers(Targets::One(0)) };
            state.keys.entry(*key).or_default().waiting.push_front(waiting);
        }
        for (_, (_, key)) in records {
            state.free_key(*key);
        }
    }
}
