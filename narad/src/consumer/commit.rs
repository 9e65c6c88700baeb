//! Commits: the application's own, synchronous, of lanes that are still assigned.
//!
//! Nothing is ever stored with librdkafka: its own commit at an unassign would then overwrite a newer one of
//! ours.

use std::cell::LazyCell;
use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::commit_gate::{CommitGate, Committed, Place, Positioned};
use super::coordinator::{Channel, Way};
use super::lane::Lane;
use super::stats::GroupStats;
use crate::clock::Clock;
use crate::transport::{Class, CommitError, Fault, Member, Position, Sent, Signal};

/// So long the coordinator has to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// So long lanes have to say where they are; one whose worker is inside a handler is taken as it was.
const LANES: Duration = Duration::from_millis(50);

/// The last commit is waited for at least this long, whatever the deadline.
pub(super) const MOMENT: Duration = Duration::from_secs(3);
const AGAIN: Duration = Duration::from_millis(20);

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

/// What became of a last commit.
#[derive(Debug)]
pub(super) struct Last {
    pub(super) result: Result<(), CommitError>,
    /// Of these more is finished than is committed.
    pub(super) owing: Vec<Place>,
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

    /// The group ends: no answer is waited for longer than this, except by [`Committer::commit_last`].
    pub(crate) fn end_by(&self, deadline: Instant) {
        let _ = self.end.set(deadline);
    }

    /// Commits what has changed.
    pub(crate) fn commit(&self, client: &Arc<dyn Member>) -> Result<(), CommitError> {
        ask(&self.lanes(), self.clock());
        let deadline = self.clock().now() + ANSWER;
        // The last commit waits for this one: where nobody answers it would otherwise begin long after the
        // group is to have ended.
        let gives_up = || self.clock().now() >= self.end.get().map_or(deadline, |end| deadline.min(*end));
        self.commit_where(client, &gives_up, false, |_| true)
    }

    /// Commits these partitions a last time and takes them out.
    ///
    /// A group whose members are just being told their partitions refuses commits for that moment, as does a
    /// coordinator that moves. And a commit that was sent behind this member's own join comes out of it with
    /// the generation of before. Whoever leaves then asks again until the deadline, since nobody does it
    /// later.
    pub(super) fn commit_last(
        &self,
        client: &Arc<dyn Member>,
        lanes: &[Arc<Lane>],
        partitions: &[Place],
        deadline: Instant,
    ) -> Last {
        let deadline = deadline.max(self.clock().now() + MOMENT);
        let these: HashSet<&Place> = partitions.iter().collect();
        let result = loop {
            // What was finished in the drain is in the position of now only.
            ask(lanes, self.clock());
            match self
                .commit_where(client, &|| self.clock().now() >= deadline, true, |place| these.contains(place))
            {
                Err(error) if error.passes() && self.clock().now() < deadline => self.clock().sleep(AGAIN),
                result => break result,
            }
        };
        let owing = self.owing(|place| these.contains(place));
        self.gate.remove(partitions);
        Last { result, owing }
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

    fn commit_where(
        &self,
        client: &Arc<dyn Member>,
        gives_up: &dyn Fn() -> bool,
        last: bool,
        wanted: impl Fn(&Place) -> bool,
    ) -> Result<(), CommitError> {
        // librdkafka does not tell of every loss; the member's name does.
        let member = LazyCell::new(|| client.membership().map(|membership| membership.member));
        let mut way = Way {
            group: self.stats.name(),
            clock: self.clock(),
            channel: &self.channel,
            client,
            gives_up,
            last,
            sent: false,
        };
        let wanted = |place: &Place, lane: &Lane| wanted(place) && Some(lane.member()) == member.as_deref();
        let result = self.gate.commit(wanted, &mut way);
        if way.sent || result.is_err() {
            self.stats.commits().count(result.as_ref().copied(), self.clock().wall());
        }
        result
    }
}

/// Asks lanes where they are, and waits for those that can say it.
fn ask(lanes: &[Arc<Lane>], clock: &Clock) {
    lanes.iter().for_each(|lane| lane.ask_position());
    let deadline = clock.now() + LANES;
    // One after the other: each of those before it has answered.
    for lane in lanes {
        while lane.is_asked() && clock.now() < deadline {
            clock.sleep(Duration::from_millis(1));
        }
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
