//! Commits: the application's own, synchronous, of lanes that are still assigned.
//!
//! Nothing is ever stored with librdkafka: its own commit at an unassign would then overwrite a newer one of ours. One lock is held by whoever
//! commits; a lane leaves the table under it, so that nothing of a lane is committed after it was let go (this is the fence).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::lane::Lane;
use crate::transport::{Client, CommitError, Position, QueueError, commit};

/// So long the coordinator has to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// So long lanes have to say where they are; one whose worker is inside a handler is taken as it was.
const LANES: Duration = Duration::from_millis(50);

/// A refusal that passes is waited for at least this long, whatever the deadline.
const MOMENT: Duration = Duration::from_secs(3);
const AGAIN: Duration = Duration::from_millis(20);

/// The lanes of a group, and what was committed of them.
#[derive(Debug, Default)]
pub(crate) struct Committer {
    table: Mutex<BTreeMap<(String, i32), Entry>>,
}

#[derive(Debug)]
struct Entry {
    lane: Arc<Lane>,
    committed: Option<Position>,
}

type Table = BTreeMap<(String, i32), Entry>;

impl Committer {
    /// A lane is assigned, its partition committed as it says.
    pub(crate) fn add(&self, topic: &str, partition: i32, lane: Arc<Lane>, committed: Option<Position>) {
        self.lock().insert((topic.to_owned(), partition), Entry { lane, committed });
    }

    pub(crate) fn lane(&self, topic: &str, partition: i32) -> Option<Arc<Lane>> {
        self.lock().get(&(topic.to_owned(), partition)).map(|entry| entry.lane.clone())
    }

    pub(crate) fn lanes(&self) -> Vec<Arc<Lane>> {
        self.lock().values().map(|entry| entry.lane.clone()).collect()
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
        commit_table(&mut self.lock(), client, |_| true)
    }

    /// Commits these partitions a last time and takes them out of the table.
    ///
    /// A group whose members are just being told their partitions refuses commits for that moment, as does a coordinator that moves. And a
    /// commit that was sent behind this member's own join comes out of it with the generation of before. Whoever leaves then asks again until
    /// the deadline, since nobody does it later.
    pub(crate) fn commit_last(&self, client: &Client, partitions: &[(String, i32)], deadline: Instant) -> Result<(), CommitError> {
        let deadline = deadline.max(Instant::now() + MOMENT);
        let result = loop {
            match commit_table(&mut self.lock(), client, |place| partitions.contains(place)) {
                Err(CommitError::Refused(
                    QueueError::RebalanceInProgress
                    | QueueError::IllegalGeneration
                    | QueueError::NotCoordinator
                    | QueueError::CoordinatorLoadInProgress
                    | QueueError::CoordinatorNotAvailable,
                )) if Instant::now() < deadline => std::thread::sleep(AGAIN),
                result => break result,
            }
        };
        let mut table = self.lock();
        for place in partitions {
            table.remove(place);
        }
        result
    }

    /// Takes partitions out of the table without a commit: they are somebody else's already.
    pub(crate) fn forget(&self, partitions: &[(String, i32)]) -> Vec<Arc<Lane>> {
        let mut table = self.lock();
        partitions.iter().filter_map(|place| table.remove(place)).map(|entry| entry.lane).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn commit_table(table: &mut Table, client: &Client, wanted: impl Fn(&(String, i32)) -> bool) -> Result<(), CommitError> {
    let changed: Vec<((String, i32), Position)> = table
        .iter()
        .filter(|(place, _)| wanted(place))
        .map(|(place, entry)| (place.clone(), entry.lane.position()))
        // Below zero: nothing was read yet, and nothing was committed before.
        .filter(|(place, position)| position.next >= 0 && table[place].committed.as_ref() != Some(position))
        .collect();
    // A member that was thrown out and is back has a generation that the coordinator takes commits of. Others had its partitions meanwhile.
    if changed.is_empty() || client.is_assignment_lost() {
        return Ok(());
    }
    commit(client, changed.iter().map(|((topic, partition), position)| (topic.as_str(), *partition, position)), ANSWER)?;
    for (place, position) in changed {
        if let Some(entry) = table.get_mut(&place) {
            entry.committed = Some(position);
        }
    }
    Ok(())
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
