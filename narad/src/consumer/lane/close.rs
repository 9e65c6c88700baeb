//! A partition is let go: a worker drops what is still there. Futures of the user's are dropped where they
//! ran, inside the runtime, one by one; who lets go waits for that a moment, and for no handler.

use std::sync::Arc;
use std::time::Duration;

use super::parts::Lane;
use super::state::State;
use crate::consumer::life::Phase;

/// So long who polls waits for workers that are in lanes for a moment.
pub(crate) const MOMENT: Duration = Duration::from_millis(50);
/// So long a run that is dropped waits for them: its runtime may be dropped next, and futures are to be
/// dropped before it is.
pub(crate) const BEFORE_THE_RUNTIME: Duration = Duration::from_secs(1);

/// What became of a lane that was let go.
#[derive(Debug)]
pub(crate) enum Closed {
    /// It is gone; these handlers were dropped before they had finished.
    Now { dropped: Vec<String> },
    /// A handler, or the drop of one, holds its thread: the lane goes when it comes back.
    Held,
    /// No worker was free so far; these handlers are dropped by the next one that is.
    Soon { dropped: Vec<String> },
}

impl Lane {
    /// Lets partitions go, and waits at most this long for their lanes to be empty.
    pub(crate) fn close(lanes: &[Arc<Lane>], patience: Duration) {
        lanes.iter().for_each(|lane| lane.end());
        let Some(clock) = lanes.first().map(|lane| lane.stats.clock()) else { return };
        let deadline = clock.now() + patience;
        while !lanes.iter().all(|lane| lane.is_gone()) && clock.now() < deadline {
            clock.sleep(Duration::from_millis(1));
        }
    }

    /// Whether all that it held was dropped.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.get().is_some()
    }

    /// Ends the assignment: nothing more is started or committed, the queue is given back, and a worker drops
    /// what is there. Waits for nobody.
    pub(crate) fn end(self: &Arc<Self>) {
        self.enter(Phase::Closed);
        // Here and not by the worker, which may be held up until the partition is assigned again: the queue
        // is the same then, and who came late would take the next lane's records and wake-ups.
        let queue = self.inlet.open().queue.take();
        drop(queue);
        self.make_ready();
    }

    /// What became of it, as far as it is known.
    pub(crate) fn what_became(&self) -> Closed {
        if let Some(dropped) = self.gone.get() {
            return Closed::Now { dropped: dropped.clone() };
        }
        match self.state.try_lock() {
            Ok(state) => Closed::Soon { dropped: unfinished(&state) },
            Err(_) => match self.gone.get() {
                Some(dropped) => Closed::Now { dropped: dropped.clone() },
                None => Closed::Held,
            },
        }
    }

    /// Tells the group what records came to since the last time.
    pub(super) fn tell_counts(&self, state: &mut State) {
        state.partition.tell_counts(|handler, tally| {
            if let Some(counters) = handler.and_then(|place| self.counters.get(place)) {
                counters.settled(tally);
            }
            self.untaken.settled(tally);
        });
        for (counters, attempts) in self.counters.iter().zip(&mut state.attempts) {
            counters.attempted(std::mem::take(attempts));
        }
    }

    /// Drops all that is there. Called by the worker that runs the lane.
    pub(super) fn clear(&self, state: &mut State) {
        let dropped = unfinished(state);
        self.tell_counts(state);
        state.clear();
        // The first time counts: later there is nothing any more.
        let _ = self.gone.set(dropped);
        // What a lane that broke off had begun is neither finished nor known.
        if !self.is_broken() {
            self.drained.send_replace(true);
        }
    }
}

/// The handlers that have not finished, and where.
fn unfinished(state: &State) -> Vec<String> {
    let named = state.runs.iter().flatten().filter_map(|run| {
        let (record, _) = run.records.first()?;
        let handler = run.handler.as_ref().map_or("", |handler| handler.name.as_str());
        Some(format!("{handler} at {}/{} offset {}", record.topic(), record.partition(), record.offset()))
    });
    named.collect()
}
