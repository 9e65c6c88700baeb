//! Partitions on their way out: drained, committed, let go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::commit::{Committing, log_failure};
use super::lane::{Closed, Lane, MOMENT};
use super::shared::Shared;
use crate::clock::{self, Step, Steps};
use crate::transport::{CommitError, Member};

/// Lanes that drain are looked at so often.
const DRAIN: Duration = Duration::from_millis(2);
/// And those that close.
const CLOSE: Duration = Duration::from_millis(1);

/// How lanes were let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LetGo {
    /// All handlers ended within the deadline, and no lane broke off.
    pub(super) in_time: bool,
    /// All that is finished is committed.
    pub(super) committed: bool,
}

/// Lanes on their way out, step by step.
pub(super) struct LettingGo<'a> {
    group: &'a Shared,
    client: &'a Arc<dyn Member>,
    lanes: &'a [Arc<Lane>],
    deadline: Instant,
    stage: Stage,
}

/// ```text
/// Drains  ─► Commits   all are drained, or the time is over
/// Commits ─► Closes    what is finished is committed, or cannot be
/// Closes  ─► the end   workers have dropped what was left, or the time for that is over
/// ```
enum Stage {
    /// These still run something.
    Drains(Vec<(Arc<Lane>, watch::Receiver<bool>)>),
    Commits {
        committing: Box<Committing>,
        in_time: bool,
    },
    Closes {
        until: Instant,
        let_go: LetGo,
    },
}

impl<'a> LettingGo<'a> {
    pub(super) fn new(
        group: &'a Shared,
        client: &'a Arc<dyn Member>,
        lanes: &'a [Arc<Lane>],
        deadline: Instant,
    ) -> Self {
        lanes.iter().for_each(|lane| lane.drain());
        let waited = lanes.iter().map(|lane| (lane.clone(), lane.drained())).collect();
        Self { group, client, lanes, deadline, stage: Stage::Drains(waited) }
    }

    /// What was finished is committed now, or never by this process.
    fn committed(&self, result: Result<(), CommitError>) -> bool {
        let places: Vec<_> = self.lanes.iter().map(|lane| lane.place()).collect();
        let owing = self.group.committer.owing(|place| places.contains(place));
        self.group.committer.forget(&places);
        if owing.is_empty() {
            if let Err(error) = result {
                log_failure(&self.group.name, error);
            }
            return true;
        }
        let partitions: Vec<_> =
            owing.iter().map(|(topic, partition)| format!("{topic}/{partition}")).collect();
        let error =
            result.err().map_or_else(|| "another member has them".to_owned(), |error| error.to_string());
        tracing::warn!(
            group = self.group.name,
            error,
            partitions = partitions.join(" "),
            "the last commit failed: what was handled of these partitions since the one before runs again"
        );
        false
    }
}

impl Steps for LettingGo<'_> {
    type Done = LetGo;

    fn step(&mut self, now: Instant) -> Step<LetGo> {
        if let Stage::Drains(waited) = &mut self.stage {
            // Of a lane that broke off nothing ends any more, and nobody knows what had.
            waited.retain(|(lane, drained)| !*drained.borrow() && !lane.is_broken());
            if !waited.is_empty() && now < self.deadline {
                self.group.take_in();
                return Step::By(now + DRAIN);
            }
            let in_time = self.lanes.iter().all(|lane| *lane.drained().borrow());
            let committing = self.group.committer.begin_last(self.lanes, self.deadline).into();
            self.stage = Stage::Commits { committing, in_time };
        }
        if let Stage::Commits { committing, in_time } = &mut self.stage {
            let in_time = *in_time;
            let result = match self.group.committer.step(committing, self.client, now) {
                Step::Done(result) => result,
                Step::By(time) => return Step::By(time),
            };
            let let_go = LetGo { in_time, committed: self.committed(result) };
            self.lanes.iter().for_each(|lane| lane.end());
            // The step may have waited for a commit of somebody else's.
            let until = self.group.clock().now() + MOMENT;
            self.stage = Stage::Closes { until, let_go };
        }
        let Stage::Closes { until, let_go } = self.stage else { return Step::By(now) };
        if now < until && !self.lanes.iter().all(|lane| lane.is_gone()) {
            return Step::By(now + CLOSE);
        }
        self.group.say_closed(self.lanes);
        Step::Done(let_go)
    }

    fn wait(&mut self, at_most: Duration) {
        match &mut self.stage {
            Stage::Commits { committing, .. } => self.group.committer.wait(committing, at_most),
            Stage::Drains(_) | Stage::Closes { .. } => clock::pass(at_most),
        }
    }
}

impl Shared {
    /// Says what became of lanes that were let go.
    pub(super) fn say_closed(&self, lanes: &[Arc<Lane>]) {
        for (lane, closed) in lanes.iter().map(|lane| (lane, lane.what_became())) {
            match closed {
                Closed::Now { dropped } | Closed::Soon { dropped } if dropped.is_empty() => {}
                Closed::Now { dropped } => tracing::warn!(
                    group = self.name, partition = %lane.source(), handlers = dropped.join(", "),
                    "handlers did not end in time and were dropped; their records are not committed and run \
                     again elsewhere"
                ),
                Closed::Soon { dropped } => tracing::warn!(
                    group = self.name, partition = %lane.source(), handlers = dropped.join(", "),
                    "handlers did not end in time and are dropped when a worker is free; their records are \
                     not committed and run again elsewhere"
                ),
                Closed::Held => tracing::warn!(
                    group = self.name, partition = %lane.source(),
                    "a handler holds its thread and cannot be stopped; its record is not committed, and may \
                     run elsewhere at the same time"
                ),
            }
        }
    }
}
