//! From the partition's queue to a handler: read, route, keep the order, start.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::{Arc, MutexGuard};
use std::task::Poll;

use super::inlet::{Inside, Mail};
use super::state::{Key, Run, State, Waiting, Waits, Work};
use super::{Lane, MOST_HELD, MOST_HELD_BYTES, Phase};
use crate::codec::{Body, Head};
use crate::consumer::retry::poll_attempt;
use crate::consumer::stats::SAID_TYPES;
use crate::consumer::watchdog::AttemptClock;
use crate::context::Context;
use crate::engine::{NextOffset, Route, key_hash};
use crate::handler::{Input, Ordering, Slot};
use crate::record::Record;
use crate::transport::{Message, NoRecord};

/// What the partition's next record came to.
pub(super) enum Next {
    /// There is none now.
    Nothing,
    /// It needs nothing more for now.
    Settled,
    Due(Due),
}

/// A record whose key is free.
pub(super) struct Due {
    pub(super) record: Record,
    pub(super) head: Head,
    pub(super) key: u64,
    pub(super) route: Waits,
}

impl Lane {
    /// Reads the partition's queue where there is room; `true` where something may have come.
    pub(super) fn read(&self, state: &mut State) -> bool {
        let bytes = state.bytes();
        if state.held >= MOST_HELD + self.plan.options.concurrency as usize
            || bytes >= MOST_HELD_BYTES
            || !state.holding.has_room(bytes)
        {
            // What finishes makes the lane ready again, and so does the tick of the control thread.
            self.stirs();
            return false;
        }
        // Held over both: what the control thread leaves comes before all that is read after it was left.
        let mut inside = self.inlet.open();
        self.take_mail(&mut inside, state);
        let Inside { queue, at, behind, .. } = &mut *inside;
        let before = state.backlog.len();
        // Taken before the read: what comes meanwhile sets it again. librdkafka tells only of an empty queue
        // that fills, so what may be left in the queue is remembered here.
        if !self.stands.load(Acquire)
            && self.filled.swap(false, AcqRel)
            && let Some(queue) = queue
        {
            // Where handlers wait, what cannot start soon is better left in the queue.
            let most = state.helping(if state.records.is_empty() {
                256
            } else {
                state.permits.available_permits().max(16)
            });
            let (backlog, vacated, end) = (&mut state.backlog, &mut state.vacated, &mut state.end);
            let source = &self.source;
            let read = backlog.len();
            let mut stands = false;
            let more = queue.read(most, |message| match message {
                // Behind a broken batch: read anew with it.
                _ if stands => {}
                Ok(message) => {
                    let message = Message::Kafka(message);
                    backlog.push_back(match vacated.pop() {
                        Some(record) => record.refilled(message),
                        None => Record::new(source.clone(), message),
                    });
                }
                Err(NoRecord::End(offset)) => *end = Some(NextOffset(offset)),
                Err(NoRecord::Unread(error)) => {
                    // What it was to read first is known now.
                    if at.next < 0 {
                        at.next = error.offset.max(-1);
                    }
                    stands = self.stands_before(&error);
                    (self.read_error)(error);
                }
            });
            if let Some(last) = backlog.range(read..).next_back() {
                queue.weigh(last.uncounted());
                at.next = last.offset() + 1;
                *behind = at.next;
                let epoch = last.leader_epoch();
                if epoch > at.epoch {
                    // Looked at one by one only where a leader has changed.
                    let mut read = backlog.range(read..);
                    if at.epoch >= 0
                        && let Some(first) = read.find(|record| record.leader_epoch() > at.epoch)
                    {
                        state.tracker.written_anew_from(NextOffset(first.offset()));
                    }
                    at.epoch = epoch;
                }
            }
            at.next = at.next.max(end.map_or(-1, |end| end.0));
            if more {
                self.filled.store(true, Release);
            }
            if stands {
                // Read anew with the batch.
                queue.clear();
            } else if queue.is_heavy() && self.phase() == Phase::Running {
                inside.fetch_on();
            }
        }
        self.tell_heavy(inside);
        state.count_read(before);
        !state.backlog.is_empty() || (self.filled.load(Acquire) && !self.stands.load(Acquire))
    }

    /// Looks at one of the records that wait, where the lane does not read them: whether they are heavy.
    pub(crate) fn sample(&self) {
        let mut inside = self.inlet.open();
        // Before a broken batch nothing is taken; and where nothing was read, nobody knows where to go on
        // behind what was taken, see `paused`.
        if !self.stands.load(Acquire) && inside.at.next >= 0 {
            inside.sample();
            self.tell_heavy(inside);
        }
    }

    pub(super) fn tell_heavy(&self, mut inside: MutexGuard<'_, Inside>) {
        let is_heavy = inside.is_heavy();
        let was_heavy = self.heavy.load(Relaxed);
        if is_heavy != was_heavy {
            self.heavy.store(is_heavy, Release);
            // What came until now told nobody.
            inside.take_in();
        }
        let why = inside.why_heavy();
        drop(inside);
        if is_heavy && !was_heavy {
            tracing::debug!(
                group = self.stats.name(),
                partition = %self.source,
                "{why}: what is fetched ahead of them is counted"
            );
        }
    }

    /// Does what the control thread left to be done.
    pub(super) fn take_mail(&self, inside: &mut Inside, state: &mut State) {
        for mail in self.inlet.mail(inside) {
            // It may move the position without a record.
            self.stirs();
            match mail {
                Mail::Stray(message) => {
                    state.backlog.push_back(Record::new(self.source.clone(), Message::Owned(message)));
                    state.count_read(state.backlog.len() - 1);
                }
                Mail::GoesOn(start) => state.end = Some(start),
                Mail::GoesBack(start) => state.go_back_to(start),
            }
        }
    }

    /// Starts the next record; how much work that was, or `None` where nothing can be started now.
    pub(super) fn step(self: &Arc<Self>, state: &mut State) -> Option<usize> {
        if !state.records.is_empty() && state.awaits_too_much() {
            state.unpin_backlog();
            return None;
        }
        if let Some((handler, policy)) = &self.plan.batch {
            return self.step_batch(state, handler, *policy);
        }
        if !state.records.is_empty() && state.permits.available_permits() == 0 {
            state.unpin_backlog();
            return None;
        }
        let draining = self.phase() == Phase::Draining;
        // Older records first: those that waited behind their key.
        while let Some(key) = state.freed.pop_front() {
            let Some(Key { waiting, .. }) = state.keys.get_mut(&key) else { continue };
            let Some(front) = waiting.front() else {
                state.keys.remove(&key);
                continue;
            };
            if draining && front.record.offset() > state.highest_started {
                // Left to the next owner, with all that waits behind it.
                continue;
            }
            let Some(Waiting { record, head, route }) = waiting.pop_front() else { continue };
            self.start(state, record, head, key, route);
            return Some(1);
        }
        if draining {
            return None;
        }
        match self.next_due(state) {
            Next::Nothing => return None,
            Next::Settled => {}
            Next::Due(Due { record, head, key, route }) => self.start(state, record, head, key, route),
        }
        Some(1)
    }

    /// Takes the partition's next record: one that is finished already, or that nobody takes, is settled
    /// here, and so is one that waits behind its key.
    pub(super) fn next_due(&self, state: &mut State) -> Next {
        if state.backlog.is_empty() && !self.read(state) {
            return Next::Nothing;
        }
        // What was read may have been an error.
        let Some(record) = state.backlog.pop_front() else { return Next::Settled };
        let (key, offset) = (self.key(&record), record.offset());
        if state.tracker.finished_before(offset, key) {
            state.pass(record);
            return Next::Settled;
        }
        let body = Body::new(&record);
        let head = body.head;
        let route = match self.plan.routes.route(&body) {
            Route::Handlers(targets) => Waits::Handlers(targets),
            Route::GroupDeadLetter(cause) => Waits::GroupDeadLetter(cause),
            Route::Nobody => {
                self.nobody_takes(state, body.unknown_type().as_deref());
                state.tracker.finish_at_once(offset);
                state.pass(record);
                return Next::Settled;
            }
        };
        if state.keys.contains_key(&key) {
            state.tracker.deliver(offset, key);
            // It may wait for long, and is not to pin what it was fetched with.
            let waiting = Waiting { record: state.detached(record), head, route };
            state.keys.entry(key).or_default().waiting.push_back(waiting);
            return Next::Settled;
        }
        Next::Due(Due { record, head, key, route })
    }

    /// A well-formed record of a type that nobody takes. The group hears of each type once.
    fn nobody_takes(&self, state: &mut State, r#type: Option<&str>) {
        state.skipped += 1;
        let hash = key_hash(r#type.map(str::as_bytes));
        if state.skipped_types.len() < SAID_TYPES && !state.skipped_types.contains(&hash) {
            state.skipped_types.insert(hash);
            self.stats.nobody_takes(&self.source.topic, r#type);
        }
    }

    /// What decides which records wait for which.
    pub(super) fn key(&self, record: &Record) -> u64 {
        match self.plan.options.ordering {
            Ordering::Key => key_hash(record.key()),
            Ordering::Partition => 0,
            // Every record is a key of its own.
            Ordering::None => record.offset() as u64,
        }
    }

    /// Hands a record to its handlers.
    pub(super) fn start(
        self: &Arc<Self>,
        state: &mut State,
        record: Record,
        head: Head,
        key: u64,
        route: Waits,
    ) {
        let offset = record.offset();
        let waited = state.keys.contains_key(&key);
        state.highest_started = state.highest_started.max(offset);
        let targets = match route {
            Waits::Handlers(targets) => targets,
            Waits::GroupDeadLetter(cause) => {
                let record = state.detached(record);
                let id = state.open(vec![(offset, key)], record.bytes(), 1);
                state.busy(offset, key, waited);
                let clock = AttemptClock::default();
                let pursuit = self.pursuit(state, vec![(record.clone(), head)], None, clock.clone());
                let work = Work::Pursuit(Box::pin(pursuit.group_dead_letter(cause)));
                return self.launch(
                    state,
                    Run {
                        record: id,
                        handler: None,
                        records: vec![(record, head)],
                        permit: None,
                        clock,
                        work,
                    },
                );
            }
        };
        let mut record = record;
        if targets.as_slice().iter().any(|place| self.plan.handlers[*place].waits.load(Relaxed)) {
            // What waits in a handler is not to pin what it was fetched with.
            let detached = state.detached(record.clone());
            state.give_back_later(std::mem::replace(&mut record, detached));
        }
        let bytes = record.bytes();
        let mut id = None;
        let mut permit = None;
        let count = targets.as_slice().len();
        for (started, place) in targets.as_slice().iter().enumerate() {
            let handler = &self.plan.handlers[*place];
            let mut slot = state.spare.pop().unwrap_or_else(Slot::new);
            handler.start(
                &mut slot,
                Input::One(Context::new(record.clone(), head, self.scopes[*place].clone(), 1)),
            );
            let place = state.place(self);
            let mut cx = std::task::Context::from_waker(&state.wakers[place].0);
            let work = match self.call(offset, || poll_attempt(&mut slot, &mut cx)) {
                Poll::Ready(reply) if reply.is_plain_success() => {
                    state.spare.push(slot);
                    state.vacant.push(place);
                    if let Some(id) = id {
                        self.finish_run(state, id, false);
                    }
                    continue;
                }
                // What breaks off as the partition is let go, or the runtime with it, is no failure of the
                // handler's.
                Poll::Ready(_) if self.phase() == Phase::Closed => return state.spare.push(slot),
                Poll::Ready(reply) => {
                    state.spare.push(slot);
                    Err(reply)
                }
                Poll::Pending => {
                    handler.saw_it_wait();
                    Ok(slot)
                }
            };
            // Only what does not finish at once is followed.
            let id = *id.get_or_insert_with(|| {
                state.busy(offset, key, waited);
                // Handlers of this record that are not started yet count as open.
                state.open(vec![(offset, key)], bytes, count - started)
            });
            if permit.is_none() {
                permit = state.permit();
            }
            match work {
                Ok(slot) => {
                    let clock = AttemptClock::default();
                    clock.start();
                    let run = Run {
                        record: id,
                        handler: Some(handler.clone()),
                        records: vec![(record.clone(), head)],
                        permit: permit.clone(),
                        clock,
                        work: Work::Attempt(slot),
                    };
                    state.runs[place] = Some(run);
                }
                Err(reply) => {
                    record = state.detached_in_flight(id, record);
                    let kept = vec![(record.clone(), head)];
                    let clock = AttemptClock::default();
                    let work = self.pursue(
                        state,
                        handler.clone(),
                        kept.clone(),
                        permit.clone(),
                        clock.clone(),
                        reply,
                    );
                    state.runs[place] = Some(Run {
                        record: id,
                        handler: Some(handler.clone()),
                        records: kept,
                        permit: None,
                        clock,
                        work,
                    });
                    self.poll_run(state, place);
                }
            }
        }
        if id.is_none() {
            // Finished in place.
            state.in_place += 1;
            state.release(1, bytes);
            if waited {
                state.tracker.finish(offset);
                state.free_key(key);
            } else {
                state.tracker.finish_at_once(offset);
            }
            state.give_back_later(record);
        }
    }
}
