//! Commits: the application's own, synchronous, of lanes that are still assigned.
//!
//! Nothing is ever stored with librdkafka: its own commit at an unassign would then overwrite a newer one of
//! ours.

use std::cell::LazyCell;
use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::commit_gate::{Commit, CommitGate, Committed, Place, Positioned};
use super::coordinator::{Channel, Sending, Way};
use super::lane::Lane;
use super::stats::GroupStats;
use crate::clock::{self, Clock, Step, Steps};
use crate::transport::{Class, CommitError, Fault, Member, Position, Sent, Signal};

/// So long the coordinator has to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// So long lanes have to say where they are; one whose worker is inside a handler is taken as it was.
const LANES: Duration = Duration::from_millis(50);

/// The last commit is waited for at least this long, whatever the deadline.
pub(super) const MOMENT: Duration = Duration::from_secs(3);
const AGAIN: Duration = Duration::from_millis(20);
/// Lanes, and the commit of another thread, are looked at so often.
const LOOK: Duration = Duration::from_millis(1);
/// And what is on its way so often, though an answer ends the wait: whether it was lost, or is given up.
const ON_ITS_WAY: Duration = Duration::from_millis(50);

/// Commits the lanes of a group.
pub(crate) struct Committer {
    stats: Arc<GroupStats>,
    gate: CommitGate<Lane>,
    channel: Channel,
    /// Given when there may be something to commit again.
    work: Arc<Signal>,
    /// When the group has ended at the latest.
    end: OnceLock<Instant>,
}

impl Committer {
    pub(crate) fn new(stats: &Arc<GroupStats>) -> Self {
        Self {
            stats: stats.clone(),
            gate: CommitGate::new(stats.clock().clone()),
            channel: Channel::default(),
            work: Arc::default(),
            end: OnceLock::new(),
        }
    }

    fn clock(&self) -> &Clock {
        self.stats.clock()
    }

    /// A lane is assigned, its partition committed as it says.
    pub(crate) fn add(&self, topic: &str, partition: i32, lane: Arc<Lane>, committed: Option<Position>) {
        self.gate.add((topic.to_owned(), partition), lane, committed);
        self.work.give();
    }

    /// Waited for by who commits on a timer, where there is nothing to commit.
    pub(super) fn work(&self) -> &Arc<Signal> {
        &self.work
    }

    /// Whether something is to be committed, or may soon be. Where not, [`work`](Self::work) is given when
    /// that changes.
    pub(super) fn has_work(&self) -> bool {
        self.lanes().iter().any(|lane| lane.moves()) || self.gate.has_changed(&|_, _| true)
    }

    pub(crate) fn lane(&self, topic: &str, partition: i32) -> Option<Arc<Lane>> {
        self.gate.lane(&(topic.to_owned(), partition))
    }

    pub(crate) fn lanes(&self) -> Vec<Arc<Lane>> {
        self.gate.lanes()
    }

    /// What was committed of each lane.
    pub(super) fn committed(&self) -> Vec<Committed<Lane>> {
        self.gate.committed()
    }

    /// The group ends: no answer is waited for longer than this, except by a last commit.
    pub(crate) fn end_by(&self, deadline: Instant) {
        let _ = self.end.set(deadline);
    }

    /// Begins to commit what has changed of all lanes.
    pub(super) fn begin(&self) -> Committing {
        self.begin_with(self.lanes(), None, self.clock().now() + ANSWER)
    }

    /// Begins to commit these partitions a last time.
    ///
    /// A group whose members are just being told their partitions refuses commits for that moment, as does a
    /// coordinator that moves. And a commit that was sent behind this member's own join comes out of it with
    /// the generation of before. Whoever leaves then asks again until the deadline, since nobody does it
    /// later.
    pub(super) fn begin_last(&self, lanes: &[Arc<Lane>], deadline: Instant) -> Committing {
        let of = lanes.iter().map(|lane| lane.place()).collect();
        self.begin_with(lanes.to_vec(), Some(of), deadline.max(self.clock().now() + MOMENT))
    }

    fn begin_with(&self, lanes: Vec<Arc<Lane>>, of: Option<HashSet<Place>>, deadline: Instant) -> Committing {
        let stage = Stage::ask(&lanes, self.clock().now());
        Committing { lanes, of, deadline, stage }
    }

    /// Goes on with a commit.
    pub(super) fn step(
        &self,
        committing: &mut Committing,
        client: &Arc<dyn Member>,
        now: Instant,
    ) -> Step<Result<(), CommitError>> {
        if let Stage::Pauses(until) = committing.stage {
            if now < until {
                return Step::By(until);
            }
            // What was finished in the drain is in the position of now only.
            committing.stage = Stage::ask(&committing.lanes, now);
        }
        if let Stage::Asks(until) = committing.stage {
            if now < until && committing.lanes.iter().any(|lane| lane.is_asked()) {
                return Step::By(now + LOOK);
            }
            committing.stage = Stage::Sends(Commit::default(), Sending::default());
        }
        let Stage::Sends(commit, sending) = &mut committing.stage else { return Step::By(now) };
        let last = committing.of.is_some();
        // The last commit waits for the one before: where nobody answers that, it would otherwise begin long
        // after the group is to have ended.
        let end = self.end.get().filter(|_| !last);
        let gives_up = now >= end.map_or(committing.deadline, |end| committing.deadline.min(*end));
        // librdkafka does not tell of every loss; the member's name does.
        let member = LazyCell::new(|| client.membership().map(|membership| membership.member));
        let of = committing.of.as_ref();
        let wanted = |place: &Place, lane: &Lane| {
            of.is_none_or(|of| of.contains(place)) && Some(lane.member()) == member.as_deref()
        };
        let (group, clock, channel) = (self.stats.name(), self.clock(), &self.channel);
        let mut way = Way { group, clock, channel, client, gives_up, last, sending };
        let Poll::Ready(result) = self.gate.step(commit, wanted, &mut way) else {
            return Step::By(now + if commit.waits_for_another() { LOOK } else { ON_ITS_WAY });
        };
        if sending.any || result.is_err() {
            self.stats.commits().count(result.as_ref().copied(), clock.wall());
        }
        match result {
            Err(error) if last && error.passes() && now < committing.deadline => {
                committing.stage = Stage::Pauses(now + AGAIN);
                Step::By(now + AGAIN)
            }
            result => Step::Done(result),
        }
    }

    /// Waits for what the next step of a commit waits for.
    pub(super) fn wait(&self, committing: &mut Committing, at_most: Duration) {
        match &mut committing.stage {
            Stage::Sends(commit, sending) if !commit.waits_for_another() => sending.wait(at_most),
            _ => clock::pass(at_most),
        }
    }

    /// Commits what has changed.
    pub(crate) fn commit(&self, client: &Arc<dyn Member>) -> Result<(), CommitError> {
        self.clock().run(&mut OneCommit { committer: self, client, committing: self.begin() })
    }

    /// Partitions of which more records are finished than are committed, so far as is known.
    pub(super) fn owing(&self, wanted: impl Fn(&Place) -> bool) -> Vec<Place> {
        self.gate.owing(|place, lane| wanted(place) && !self.channel.was_gone(place, &lane.position()))
    }

    /// The commit that the coordinator has not answered, if there is one: it keeps the client.
    pub(super) fn take_unanswered(&self) -> Option<Box<dyn Sent>> {
        self.channel.take_unanswered()
    }

    /// Whether the coordinator has answered a commit within so long.
    pub(super) fn heard_within(&self, interval: Duration) -> bool {
        self.channel.heard().is_some_and(|heard| self.clock().now().duration_since(heard) <= interval)
    }

    /// Takes partitions out without a commit: they are somebody else's already.
    pub(crate) fn forget(&self, partitions: &[Place]) {
        self.gate.remove(partitions);
    }
}

/// A commit, step by step: of what, until when, and how far it is.
pub(super) struct Committing {
    /// They are asked where they are.
    lanes: Vec<Arc<Lane>>,
    /// Only these, for the last time; `None`: all that there are.
    of: Option<HashSet<Place>>,
    /// The coordinator has until then.
    deadline: Instant,
    stage: Stage,
}

/// ```text
/// Asks    ─► Sends     all lanes have said where they are, or the time for that is over
/// Sends   ─► the end   it was answered, refused, or given up
/// Sends   ─► Pauses    a last one, refused for the moment only
/// Pauses  ─► Asks      a moment later
/// ```
enum Stage {
    /// Lanes are to say where they are, until then.
    Asks(Instant),
    Sends(Commit, Sending),
    Pauses(Instant),
}

impl Stage {
    fn ask(lanes: &[Arc<Lane>], now: Instant) -> Self {
        lanes.iter().for_each(|lane| lane.ask_position());
        Self::Asks(now + LANES)
    }
}

/// What a thread does that waits for a commit.
struct OneCommit<'a> {
    committer: &'a Committer,
    client: &'a Arc<dyn Member>,
    committing: Committing,
}

impl Steps for OneCommit<'_> {
    type Done = Result<(), CommitError>;

    fn step(&mut self, now: Instant) -> Step<Self::Done> {
        self.committer.step(&mut self.committing, self.client, now)
    }

    fn wait(&mut self, at_most: Duration) {
        self.committer.wait(&mut self.committing, at_most);
    }
}

/// Tells of a failed commit what the reader can do about it.
pub(crate) fn log_failure(group: &str, error: CommitError) {
    match error {
        // The group is being rebalanced, or left: the next commit, or the one of the revoke, has it; or it is
        // not to be committed.
        CommitError::Lost
        | CommitError::Refused(Fault {
            class: Class::Rebalancing | Class::OldGeneration | Class::NotMember,
            ..
        }) => {
            tracing::debug!(group, %error, "commit refused during a rebalance; it is repeated")
        }
        // Where it lasts, the topic was deleted, and that is said.
        CommitError::Refused(Fault { class: Class::UnknownTopic, .. }) => {
            tracing::debug!(
                group,
                "the coordinator does not know a partition, so far; the commit is repeated"
            )
        }
        _ => {
            tracing::warn!(group, %error, "commit failed; it is repeated, and a crash before that repeats \
             what was handled since the last one")
        }
    }
}
