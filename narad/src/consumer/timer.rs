//! Commits by the time: what changed is committed at intervals, and nobody looks at a group at rest.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::commit::Committing;
use super::shared::Shared;
use super::stills::{self, Stills};
use crate::clock::{Step, Steps};
use crate::transport::Member;

/// How long a group at rest is left alone, whether or not there was anything to commit.
const IDLE: Duration = Duration::from_secs(60);

/// The commits of a group that runs, until all of it is drained and committed.
pub(super) struct Timer {
    group: Arc<Shared>,
    client: Arc<dyn Member>,
    interval: Duration,
    stage: Stage,
    stills: Stills,
}

/// ```text
/// Pauses  ─► Commits   the interval is over
/// Commits ─► Pauses    something may change before the next one
/// Commits ─► Rests     nothing does
/// Rests   ─► Pauses    something does, or nothing did for long
/// each    ─► the end   all is drained and committed
/// ```
enum Stage {
    Pauses(Instant),
    Commits(Box<Committing>),
    Rests { until: Instant, woken: bool },
}

impl Timer {
    pub(super) fn new(group: Arc<Shared>, client: Arc<dyn Member>, interval: Duration) -> Self {
        let stage = Stage::Pauses(group.clock().now() + interval);
        Self { group, client, interval, stage, stills: Stills::default() }
    }

    fn commits(&mut self, now: Instant) -> Step<()> {
        let Stage::Commits(committing) = &mut self.stage else { return Step::By(now) };
        let result = match self.group.committer.step(committing, &self.client, now) {
            Step::Done(result) => result,
            Step::By(time) => return Step::By(time),
        };
        self.group.committed(result);
        if stills::is_heard() {
            let now = self.group.clock().wall();
            self.stills.look(self.group.partitions(), now).iter().for_each(stills::say);
        }
        self.stage = if self.group.committer.has_work() {
            Stage::Pauses(now + self.interval)
        } else {
            Stage::Rests { until: now + IDLE, woken: false }
        };
        Step::By(now)
    }
}

impl Steps for Timer {
    type Done = ();

    fn step(&mut self, now: Instant) -> Step<()> {
        if let Stage::Commits(_) = self.stage {
            return self.commits(now);
        }
        if self.group.drain.is_over() {
            return Step::Done(());
        }
        match &mut self.stage {
            Stage::Commits(_) => Step::By(now),
            Stage::Pauses(until) if now < *until => Step::By(*until),
            Stage::Pauses(_) => {
                self.stage = Stage::Commits(self.group.committer.begin().into());
                self.commits(now)
            }
            Stage::Rests { until, woken } => {
                if !*woken && now < *until && !self.group.committer.work().take() {
                    return Step::By(*until);
                }
                self.stage = Stage::Pauses(now + self.interval);
                Step::By(now + self.interval)
            }
        }
    }

    fn wait(&mut self, at_most: Duration) {
        match &mut self.stage {
            Stage::Commits(committing) => self.group.committer.wait(committing, at_most),
            Stage::Pauses(_) => self.group.drain.wait(at_most),
            Stage::Rests { woken, .. } => *woken |= self.group.committer.work().wait(at_most),
        }
    }
}
