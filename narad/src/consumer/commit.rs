//! Commits: the application's own, synchronous, of lanes that are still assigned.
//!
//! Nothing is ever stored with librdkafka: its own commit at an unassign would then overwrite a newer one of ours.

use std::cell::LazyCell;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::fence::{Fence, Place};
use super::lane::Lane;
use crate::transport::{Client, CommitError, Position, QueueError, commit, membership};

/// So long the coordinator has to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// So long lanes have to say where they are; one whose worker is inside a handler is taken as it was.
const LANES: Duration = Duration::from_millis(50);

/// A refusal that passes is waited for at least this long, whatever the deadline.
const MOMENT: Duration = Duration::from_secs(3);
const AGAIN: Duration = Duration::from_millis(20);

/// Commits the lanes of a group.
#[derive(Debug)]
pub(crate) struct Committer {
    fence: Fence<Lane>,
    /// When the group has ended at the latest.
    end: OnceLock<Instant>,
}

impl Committer {
    pub(crate) fn new() -> Self {
        Self { fence: Fence::new(), end: OnceLock::new() }
    }

    /// A lane is assigned, its partition committed as it says.
    pub(crate) fn add(&self, topic: &str, partition: i32, lane: Arc<Lane>, committed: Option<Position>) {
        self.fence.add((topic.to_owned(), partition), lane, committed);
    }

    pub(crate) fn lane(&self, topic: &str, partition: i32) -> Option<Arc<Lane>> {
        self.fence.lane(&(topic.to_owned(), partition))
    }

    pub(crate) fn lanes(&self) -> Vec<Arc<Lane>> {
        self.fence.lanes()
    }

    /// The group ends: no answer is waited for longer than this, except by [`Committer::commit_last`].
    pub(crate) fn end_by(&self, deadline: Instant) {
        let _ = self.end.set(deadline);
    }

    /// Commits what has changed.
    pub(crate) fn commit(&self, client: &Client) -> Result<(), CommitError> {
        let lanes = self.lanes();
        for lane in &lanes {
            lane.ask_position();
        }
        let deadline = Instant::now() + LANES;
        while lanes.iter().any(|lane| lane.is_asked()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        let deadline = Instant::now() + ANSWER;
        // The last commit waits for this one: where nobody answers it would otherwise begin long after the group is to have ended.
        let gives_up = || Instant::now() >= self.end.get().map_or(deadline, |end| deadline.min(*end));
        self.commit_where(client, gives_up, |_| true)
    }

    /// Commits these partitions a last time and takes them out.
    ///
    /// A group whose members are just being told their partitions refuses commits for that moment, as does a coordinator that moves. And a
    /// commit that was sent behind this member's own join comes out of it with the generation of before. Whoever leaves then asks again until
    /// the deadline, since nobody does it later.
    pub(crate) fn commit_last(&self, client: &Client, partitions: &[Place], deadline: Instant) -> Result<(), CommitError> {
        let deadline = deadline.max(Instant::now() + MOMENT);
        let result = loop {
            let answer = deadline.min(Instant::now() + ANSWER);
            match self.commit_where(client, || Instant::now() >= answer, |place| partitions.contains(place)) {
                Err(error) if passes(error) && Instant::now() < deadline => std::thread::sleep(AGAIN),
                result => break result,
            }
        };
        self.fence.remove(partitions);
        result
    }

    /// Takes partitions out without a commit: they are somebody else's already.
    pub(crate) fn forget(&self, partitions: &[Place]) -> Vec<Arc<Lane>> {
        self.fence.remove(partitions)
    }

    /// Takes out those that were assigned to this process as another member.
    pub(crate) fn forget_others(&self, member: &str) -> Vec<Arc<Lane>> {
        self.fence.remove_where(|lane| lane.member() != member)
    }

    fn commit_where(&self, client: &Client, gives_up: impl Fn() -> bool, wanted: impl Fn(&Place) -> bool) -> Result<(), CommitError> {
        // librdkafka does not tell of every loss; the member's name does.
        let member = LazyCell::new(|| membership(client).map(|membership| membership.member));
        self.fence.commit(
            |place, lane| wanted(place) && Some(lane.member()) == member.as_deref(),
            || client.is_assignment_lost(),
            |changed| commit(client, changed.iter().map(|((topic, partition), position)| (topic.as_str(), *partition, position)), gives_up),
        )
    }
}

/// Whether the same commit may be taken in a moment.
fn passes(error: CommitError) -> bool {
    match error {
        CommitError::TimedOut => true,
        CommitError::Refused(code) => matches!(
            code,
            QueueError::RebalanceInProgress
                | QueueError::IllegalGeneration
                | QueueError::NotCoordinator
                | QueueError::CoordinatorLoadInProgress
                | QueueError::CoordinatorNotAvailable
                | QueueError::RequestTimedOut
                | QueueError::OperationTimedOut
                | QueueError::BrokerTransportFailure
                | QueueError::WaitingForCoordinator
        ),
    }
}

/// Tells of a failed commit what the reader can do about it.
pub(crate) fn log_failure(group: &str, error: CommitError) {
    match error {
        // The group is being rebalanced: the next commit, or the one of the revoke, has it.
        CommitError::Refused(QueueError::RebalanceInProgress | QueueError::IllegalGeneration | QueueError::UnknownMemberId) => {
            tracing::debug!(group, %error, "commit refused during a rebalance; it is repeated")
        }
        _ => {
            tracing::warn!(group, %error, "commit failed; it is repeated, and a crash before that repeats what was handled since the last one")
        }
    }
}
