//! Partitions come and go: assigned, revoked, lost.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::broken_log::{Break, GoesOn, Log};
use super::commit::log_failure;
use super::fence::{Place, Positioned};
use super::group::Shared;
use super::lane::{Closed, Lane, LaneParts, MOMENT};
use super::note::{Bound, Note, began};
use super::offsets::NextOffset;
use super::plan::TopicPlan;
use crate::handler::Start;
use crate::record::{Assignment, Source};
use crate::transport::{
    Begin, Client, GroupEvents, Membership, OwnedMessage, Partition, PartitionQueue, Position, QueueError, ReadPosition, Unread,
    cluster_id, committed, membership,
};

/// So long a broker has to answer, each time it is asked.
const COMMITTED: Duration = Duration::from_secs(10);
/// So long the cluster's id is waited for. Whoever has partitions has seen metadata, with which it comes: it is there.
const CLUSTER: Duration = Duration::from_secs(1);
/// It is asked again after this, twice as long each time.
const AGAIN: Duration = Duration::from_millis(50);
const AGAIN_AT_MOST: Duration = Duration::from_secs(2);

impl GroupEvents for Shared {
    fn paused(&self, client: &Client) {
        for lane in self.committer.lanes() {
            let inside = lane.reading();
            // Below zero, nothing was read, and librdkafka begins where it was to.
            if inside.at.next >= 0 {
                client.seek(&lane.source().topic, lane.source().partition, inside.at);
            }
        }
    }

    fn assigned(&self, client: &Arc<Client>, partitions: &mut [Partition]) {
        if self.is_stopping() {
            // A member that could not leave is let in again: nobody drains or commits what it would begin now.
            return partitions.iter_mut().for_each(|partition| partition.begin = Begin::Nowhere);
        }
        let membership = membership(client).unwrap_or_default();
        if self.lost_unnoticed(&membership) {
            return;
        }
        // The timer's commits wait behind the member's own join and come out of it with the generation of before. Where one rebalance follows
        // the other, only here and at the end of `revoked` is there a generation that holds for what this member keeps.
        self.commit(client);
        if partitions.is_empty() {
            return self.stats.standing().joined(self.committer.lanes().len());
        }
        tracing::info!(group = self.name, partitions = %names(partitions), "assigned");
        let names: Vec<_> = partitions.iter().map(|partition| (partition.topic.as_str(), partition.partition)).collect();
        let Some(known) = self.insist(client, "what is committed", || committed(client, &names, COMMITTED)) else {
            // The group stops, or has lost the partitions: nothing is read of them any more.
            return partitions.iter_mut().for_each(|partition| partition.begin = Begin::Nowhere);
        };
        let cluster = cluster_id(client, CLUSTER);
        if cluster.is_none() {
            tracing::debug!(
                group = self.name,
                "the cluster has no id: what is finished beyond a committed offset is not noted, and repeated by others"
            );
        }
        for (place, partition) in partitions.iter_mut().enumerate() {
            let Some(plan) = self.plan(&partition.topic) else {
                tracing::error!(group = self.name, topic = partition.topic, "assigned a topic that no handler names");
                continue;
            };
            let bound = Bound::new(&self.name, &partition.topic, partition.partition, cluster.as_deref(), plan.ordering);
            let committed = known[place].clone();
            let begins = match (&committed, plan.start) {
                (Some(_), _) => Some(committed.clone()),
                (None, Start::Earliest) => Some(None),
                (None, Start::Latest) => {
                    self.insist(client, "the end of the partition", || self.begin_at_the_end(client, partition, &bound))
                }
            };
            let Some(begins) = begins else {
                partition.begin = Begin::Nowhere;
                continue;
            };
            partition.begin =
                begins.as_ref().map_or(Begin::Beginning, |position| Begin::At(ReadPosition { next: position.next, epoch: position.epoch }));
            let lane = self.open(client, partition, plan, bound, begins, Assignment::new(membership.clone()));
            self.add(lane, committed);
        }
        // Where the group begins is committed at once: what comes until its first commit is its own.
        self.commit(client);
        self.stats.standing().joined(self.committer.lanes().len());
    }

    fn began(&self) {
        let detached = std::mem::take(&mut *self.detached.lock().unwrap_or_else(PoisonError::into_inner));
        detached.into_iter().for_each(|(lane, queue)| lane.attach(queue));
    }

    fn revoked(&self, client: &Arc<Client>, partitions: &[Partition]) {
        let lanes = self.lanes_of(partitions);
        if lanes.is_empty() || membership(client).is_some_and(|membership| self.lost_unnoticed(&membership)) {
            return;
        }
        self.stats.standing().revoked();
        tracing::info!(group = self.name, partitions = %names(partitions), "revoked: finishing what is in flight");
        self.let_go(client, &lanes, Instant::now() + self.revoke_deadline);
        self.commit(client);
    }

    fn lost(&self, _: &Arc<Client>, partitions: &[Partition]) {
        self.lose(&self.lanes_of(partitions));
    }

    fn stray(&self, topic: &str, partition: i32, message: OwnedMessage) {
        if let Some(lane) = self.committer.lane(topic, partition) {
            lane.stray(message);
        }
    }

    fn error(&self, code: Option<QueueError>, fatal: bool, reason: &str) {
        self.client_error(code, fatal, reason);
    }
}

impl Shared {
    /// Lets go what was assigned to this process as another member, and has the group joined anew; whether there was any.
    ///
    /// A session that ends while a rebalance is under way costs the member its name and its partitions, and librdkafka forgets to say so (its
    /// pull request 5604): the process comes back as a new member that still reads, where it stood, what others have handled meanwhile.
    ///
    /// With KIP-848 the name stays. The epoch would tell nothing: it rises at every rebalance, for partitions that stay as well, and a member that
    /// comes back has a later one, too. There librdkafka notes a heartbeat that is refused until it has reported the loss.
    fn lost_unnoticed(&self, membership: &Membership) -> bool {
        let lanes: Vec<_> = self.committer.lanes().into_iter().filter(|lane| lane.member() != membership.member).collect();
        let any = !lanes.is_empty();
        if any {
            self.lose(&lanes);
            self.rejoin.store(true, Relaxed);
        }
        any
    }

    fn lose(&self, lanes: &[Arc<Lane>]) {
        if lanes.is_empty() {
            return;
        }
        // Before anything that waits: others handle these records already.
        lanes.iter().for_each(|lane| lane.fence());
        self.stats.standing().lost();
        let names: Vec<_> = lanes.iter().map(|lane| lane.source().to_string()).collect();
        tracing::warn!(
            group = self.name,
            partitions = names.join(" "),
            "lost: others have these partitions; nothing more of them is committed"
        );
        // A commit that is on its way holds this up until it gives up, which it does at a loss.
        self.committer.forget(&places(lanes));
        self.close(lanes);
    }

    /// Asks until there is an answer; `None` where the group stops, or has lost what it asks for.
    ///
    /// librdkafka would ask by itself, and leave a partition unread without a word after an error that it does not know.
    fn insist<T, E: ToString>(&self, client: &Client, what: &str, ask: impl Fn() -> Result<T, E>) -> Option<T> {
        let mut said = String::new();
        let mut wait = AGAIN;
        loop {
            let error = match ask() {
                Ok(answer) => return Some(answer),
                Err(error) => error.to_string(),
            };
            if error != said {
                tracing::warn!(group = self.name, error, "{what} cannot be read; asking until it can");
                said = error;
            }
            if self.is_stopping() || client.is_assignment_lost() {
                return None;
            }
            self.pause(wait);
            wait = (wait * 2).min(AGAIN_AT_MOST);
        }
    }

    /// Where a partition begins of which nothing is committed, with `start = "latest"`; `None` is its beginning.
    ///
    /// A new group begins at the end. Its commits carry how many partitions the topic had: those that are added later begin at their beginning,
    /// whoever of the group gets them first.
    fn begin_at_the_end(&self, client: &Client, partition: &Partition, bound: &Bound) -> Result<Option<Position>, String> {
        let count = client.partitions(&partition.topic, COMMITTED)?;
        let all: Vec<_> = (0..count as i32).map(|number| (partition.topic.as_str(), number)).collect();
        let others = committed(client, &all, COMMITTED).map_err(|error| error.to_string())?;
        let known = others.iter().flatten().map(|position| began(&self.name, &partition.topic, &position.metadata)).max();
        let began = match known {
            // The group is new on this topic.
            None => count as i64,
            Some(began) if i64::from(partition.partition) < began => began,
            Some(_) => return Ok(None),
        };
        let (_, high) = client.watermarks(&partition.topic, partition.partition, COMMITTED)?;
        let metadata = bound.write(NextOffset(high), Note::default().with_began(began));
        Ok(Some(Position { next: high, metadata, epoch: -1 }))
    }

    /// Makes the lane of a partition that is about to be assigned.
    fn open(
        &self,
        client: &Arc<Client>,
        partition: &Partition,
        plan: Arc<TopicPlan>,
        bound: Bound,
        position: Option<Position>,
        assignment: Arc<Assignment>,
    ) -> Arc<Lane> {
        let start = position.as_ref().map_or(NextOffset(-1), |position| NextOffset(position.next));
        let note = position.as_ref().map_or_else(Note::default, |position| bound.read(position));
        let (errors, topic, number) = (self.read_errors.clone(), partition.topic.clone(), partition.partition);
        let lane = Lane::new(LaneParts {
            source: Source::new(partition.topic.as_str().into(), partition.partition, assignment, client.clone()),
            plan,
            stats: self.stats.clone(),
            producer: self.producer.clone(),
            ready: self.ready.clone(),
            room: self.room.clone(),
            start,
            epoch: position.as_ref().map_or(-1, |position| position.epoch),
            note,
            bound,
            // An error means that the group has ended.
            read_error: Box::new(move |code| drop(errors.send((topic.clone(), number, code)))),
        });
        let weak: Weak<Lane> = Arc::downgrade(&lane);
        let filled = move || {
            if let Some(lane) = weak.upgrade() {
                lane.filled();
            }
        };
        match PartitionQueue::detach(client, &partition.topic, partition.partition, filled) {
            Some(queue) => self.detached.lock().unwrap_or_else(PoisonError::into_inner).push((lane.clone(), queue)),
            None => tracing::error!(group = self.name, partition = %lane.source(), "the partition has no queue"),
        }
        lane
    }

    /// From here on the lane is the partition's, and is committed.
    fn add(&self, lane: Arc<Lane>, committed: Option<Position>) {
        let (topic, partition) = (lane.source().topic.to_string(), lane.source().partition);
        self.committer.add(&topic, partition, lane.clone(), committed);
        if self.is_abandoned() {
            // Too late for those who ended the others.
            lane.end();
        } else if self.is_stopping() {
            lane.drain();
        }
    }

    /// Gives a partition whose lane broke off another one, which begins where the other one was finished.
    pub(super) fn reopen(&self, client: &Arc<Client>, broken: &Arc<Lane>) {
        let source = broken.source();
        let (Some(plan), position) = (self.plan(&source.topic), broken.position()) else { return };
        // What was fetched before is thrown away, and what is fetched from now on waits for the new lane. Without a position there is no offset
        // to name: who joins anew begins as the first time.
        let at = ReadPosition { next: position.next, epoch: position.epoch };
        broken.reading().at = at;
        if position.next < 0 || self.read_on(client, &source.topic, source.partition).is_err() {
            return self.rejoin.store(true, Relaxed);
        }
        let partition = Partition { topic: source.topic.to_string(), partition: source.partition, begin: Begin::At(at) };
        let assignment = Assignment::new(source.assignment.membership.clone());
        let lane = self.open(client, &partition, plan, broken.bound(), Some(position), assignment);
        self.add(lane, None);
        self.began();
    }

    fn lanes_of(&self, partitions: &[Partition]) -> Vec<Arc<Lane>> {
        partitions.iter().filter_map(|partition| self.committer.lane(&partition.topic, partition.partition)).collect()
    }

    /// Stop, drain, commit, let go.
    pub(super) fn let_go(&self, client: &Arc<Client>, lanes: &[Arc<Lane>], deadline: Instant) -> LetGo {
        for lane in lanes {
            lane.drain();
        }
        let mut drained: Vec<_> = lanes.iter().map(|lane| lane.drained()).collect();
        loop {
            drained.retain(|drained| !*drained.borrow());
            if drained.is_empty() || Instant::now() >= deadline {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let last = self.committer.commit_last(client, lanes, &places(lanes), deadline);
        if !last.owing.is_empty() {
            let partitions: Vec<_> = last.owing.iter().map(|(topic, partition)| format!("{topic}/{partition}")).collect();
            let error = last.result.err().map_or_else(|| "another member has them".to_owned(), |error| error.to_string());
            tracing::warn!(
                group = self.name,
                error,
                partitions = partitions.join(" "),
                "the last commit failed: what was handled of these partitions since the one before runs again"
            );
        } else if let Err(error) = last.result {
            log_failure(&self.name, error);
        }
        self.close(lanes);
        LetGo { in_time: drained.is_empty(), committed: last.owing.is_empty() }
    }

    fn close(&self, lanes: &[Arc<Lane>]) {
        for (lane, closed) in lanes.iter().zip(Lane::close(lanes, MOMENT)) {
            match closed {
                Closed::Now { dropped } | Closed::Soon { dropped } if dropped.is_empty() => {}
                Closed::Now { dropped } => tracing::warn!(
                    group = self.name, partition = %lane.source(), handlers = dropped.join(", "),
                    "handlers did not end in time and were dropped; their records are not committed and run again elsewhere"
                ),
                Closed::Soon { dropped } => tracing::warn!(
                    group = self.name, partition = %lane.source(), handlers = dropped.join(", "),
                    "handlers did not end in time and are dropped when a worker is free; their records are not committed and run again elsewhere"
                ),
                Closed::Held => tracing::warn!(
                    group = self.name, partition = %lane.source(),
                    "a handler holds its thread and cannot be stopped; its record is not committed, and may run elsewhere at the same time"
                ),
            }
        }
    }

    /// Goes on where the log does not have what was to come, in one way or another.
    pub(super) fn reset(&self, client: &Client, topic: &str, partition: i32, unread: Unread) {
        let Some(lane) = self.committer.lane(topic, partition) else { return };
        let log = client.watermarks(topic, partition, COMMITTED).and_then(|(low, high)| {
            let epoch = client.leader_epoch(topic, partition, COMMITTED)?;
            Ok(Log { low, high, epoch })
        });
        match log {
            Ok(log) => {
                let GoesOn { at, because } = Break::of(&unread).goes_on(log);
                let (next, at_offset) = (lane.position().next, at.0);
                tracing::warn!(
                    group = self.name,
                    topic,
                    partition,
                    committed = next,
                    lowest = log.low,
                    next = log.high,
                    at = at_offset,
                    reason = unread.reason,
                    "{because}"
                );
                lane.restart(at);
                if let Err(error) = self.read_on(client, topic, partition) {
                    tracing::error!(group = self.name, topic, partition, error, "cannot go on there; trying again");
                    self.reset_again(topic, partition, unread);
                }
            }
            Err(error) => {
                tracing::warn!(group = self.name, topic, partition, error, "the partition's offsets cannot be read; trying again");
                self.reset_again(topic, partition, unread);
            }
        }
    }

    /// Has librdkafka read a partition again, where its lane says, and the others of the assignment where theirs say.
    pub(super) fn read_on(&self, client: &Client, topic: &str, partition: i32) -> Result<(), String> {
        let lanes = self.committer.lanes();
        let held: Vec<_> = lanes.iter().map(|lane| (lane.source(), lane.reading())).collect();
        let all: Vec<_> = held.iter().map(|(source, inside)| (&*source.topic, source.partition, inside.at)).collect();
        client.read_from(topic, partition, &all)
    }

    fn reset_again(&self, topic: &str, partition: i32, unread: Unread) {
        self.pause(Duration::from_millis(200));
        // An error means that the group has ended.
        let _ = self.read_errors.send((topic.to_owned(), partition, unread));
    }
}

/// How lanes were let go.
#[derive(Clone, Copy, Debug)]
pub(super) struct LetGo {
    /// All handlers ended within the deadline.
    pub(super) in_time: bool,
    /// All that is finished is committed.
    pub(super) committed: bool,
}

fn places(lanes: &[Arc<Lane>]) -> Vec<Place> {
    lanes.iter().map(|lane| (lane.source().topic.to_string(), lane.source().partition)).collect()
}

fn names(partitions: &[Partition]) -> String {
    let names: Vec<_> = partitions.iter().map(|partition| format!("{}/{}", partition.topic, partition.partition)).collect();
    names.join(" ")
}
