//! A lane, looked at for a view. Who asks waits for no worker: where one is inside of the lane it is told at
//! the end of the turn, for the next time, and what was told last counts.

use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

use super::looks::Looked;
use super::parts::Lane;
use super::state::State;
use crate::consumer::life::Phase;
use crate::view::{CallView, LanePhase, LaneView};

/// How often a view tries to get at a lane that a worker runs.
const PATIENCE: usize = 64;

impl Lane {
    /// What the worker knows, as of now; where one is inside of a handler, as of the end of a turn.
    pub(crate) fn look(&self) -> Looked {
        // Who lets a lane go takes a state that it does not get at for one that a handler holds.
        for _ in 0..PATIENCE {
            if self.phase() == Phase::Closed {
                break;
            }
            match self.state.try_lock() {
                Ok(state) => return Looked::of(&state, self.stats.clock().wall()),
                Err(_) if self.is_inside() => break,
                // A worker comes through.
                Err(_) => std::thread::yield_now(),
            }
        }
        self.looks.asked.store(true, Relaxed);
        let mut told = self.looks.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Who commits is told more often.
        told.next_commit = told.next_commit.max(self.positions.last().position.next);
        told.oldest = told.oldest.filter(|oldest| oldest.offset >= told.next_commit);
        told
    }

    /// Answers what was asked during the turn.
    pub(super) fn tell_looks(&self, state: &State) {
        if self.looks.asked.load(Relaxed) {
            self.looks.asked.store(false, Relaxed);
            *self.looks.told.lock().unwrap_or_else(PoisonError::into_inner) =
                Looked::of(state, self.stats.clock().wall());
        }
    }

    /// What is shown of it, but for what is committed.
    pub(crate) fn view(&self, group: &str) -> LaneView {
        let looked = self.look();
        let known = |offset: i64| (offset >= 0).then_some(offset);
        LaneView {
            group: group.to_owned(),
            topic: self.source.topic.to_string(),
            partition: self.source.partition,
            phase: match self.phase() {
                _ if self.is_broken() => LanePhase::Broken,
                Phase::Running => LanePhase::Running,
                Phase::Draining => LanePhase::Draining,
                Phase::Closed => LanePhase::Closed,
            },
            next_read: known(self.reading().at.next),
            next_commit: known(looked.next_commit),
            committed: None,
            committed_at: None,
            end: None,
            lag: None,
            lag_time: None,
            uncommitted: None,
            oldest: looked.oldest,
            call: self.inside().map(|call| CallView { offset: call.offset, since: call.met_at }),
            in_flight: looked.in_flight,
            parked_keys: looked.parked_keys,
            waiting: looked.waiting,
            backlog: looked.backlog,
            held_bytes: looked.held_bytes,
            as_of: looked.as_of,
        }
    }
}
