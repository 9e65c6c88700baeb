//! Partitions come and go: assigned, revoked, lost.

use std::sync::atomic::Ordering::{Relaxed, Release};
use std::sync::{Arc, PoisonError, Weak};
use std::time::Instant;

use super::begin::Beginning;
use super::lane::{Lane, LaneParts, MOMENT};
use super::letting_go::{LetGo, LettingGo};
use super::plan::TopicPlan;
use super::shared::{ReadError, Shared};
use crate::engine::{Bound, NextOffset, Note};
use crate::record::{Assignment, Source};
use crate::transport::{
    Begin, Fault, GroupEvents, Member, Membership, OwnedMessage, Partition, Position, ReadPosition,
};

impl GroupEvents for Shared {
    fn paused(&self, client: &dyn Member) {
        for lane in self.committer.lanes() {
            let mut inside = lane.reading();
            // Where nothing was read, librdkafka begins where it was to.
            if inside.is_begun() {
                client.seek(&lane.source().topic, lane.source().partition, inside.is_moved());
            }
        }
    }

    fn assigned(&self, client: &Arc<dyn Member>, partitions: &mut [Partition]) {
        if self.is_stopping() {
            // A member that could not leave is let in again: nobody drains or commits what it would begin
            // now.
            return partitions.iter_mut().for_each(|partition| partition.begin = Begin::Nowhere);
        }
        let membership = client.membership().unwrap_or_default();
        if self.lost_unnoticed(&membership) {
            return;
        }
        // The timer's commits wait behind the member's own join and come out of it with the generation of
        // before. Where one rebalance follows the other, only here and at the end of `revoked` is there a
        // generation that holds for what this member keeps.
        self.commit(client);
        if partitions.is_empty() {
            return self.stats.standing().assigned();
        }
        tracing::info!(group = self.name, partitions = %names(partitions), "assigned");
        let Some(beginnings) = self.beginnings(&**client, partitions) else {
            // The group stops, or has lost the partitions: nothing is read of them any more.
            return partitions.iter_mut().for_each(|partition| partition.begin = Begin::Nowhere);
        };
        for (partition, beginning) in partitions.iter_mut().zip(beginnings) {
            let Some(Beginning { plan, bound, committed, at }) = beginning else { continue };
            partition.begin = at.as_ref().map_or(Begin::Beginning, |position| {
                Begin::At(ReadPosition { next: position.next, epoch: position.epoch })
            });
            let lane = self.open(client, partition, plan, bound, at, Assignment::new(membership.clone()));
            self.add(lane, committed);
        }
        // Where the group begins is committed at once: what comes until its first commit is its own.
        self.commit(client);
        self.stats.standing().assigned();
    }

    fn began(&self) {
        let detached = std::mem::take(&mut *self.detached.lock().unwrap_or_else(PoisonError::into_inner));
        detached.into_iter().for_each(|(lane, queue)| lane.attach(queue));
    }

    fn revoked(&self, client: &Arc<dyn Member>, partitions: &[Partition]) {
        let lanes = self.lanes_of(partitions);
        if lanes.is_empty() || client.membership().is_some_and(|membership| self.lost_unnoticed(&membership))
        {
            return;
        }
        self.stats.standing().revoked();
        tracing::info!(group = self.name, partitions = %names(partitions), "revoked: finishing what is in \
         flight");
        self.let_go(client, &lanes, self.clock().now() + self.revoke_deadline);
        self.commit(client);
    }

    fn lost(&self, _: &Arc<dyn Member>, partitions: &[Partition]) {
        self.lose(&self.lanes_of(partitions));
    }

    fn stray(&self, topic: &str, partition: i32, message: OwnedMessage) {
        if let Some(lane) = self.committer.lane(topic, partition) {
            lane.stray(message);
        }
    }

    fn error(&self, fault: Option<Fault>, fatal: bool, reason: &str) {
        self.client_error(fault, fatal, reason);
    }
}

impl Shared {
    /// Lets go what was assigned to this process as another member, and has the group joined anew; whether
    /// there was any.
    ///
    /// A session that ends while a rebalance is under way costs the member its name and its partitions, and
    /// librdkafka forgets to say so (its pull request 5604): the process comes back as a new member that
    /// still reads, where it stood, what others have handled meanwhile.
    ///
    /// With KIP-848 the name stays. The epoch would tell nothing: it rises at every rebalance, for partitions
    /// that stay as well, and a member that comes back has a later one, too. There librdkafka notes a
    /// heartbeat that is refused until it has reported the loss.
    fn lost_unnoticed(&self, membership: &Membership) -> bool {
        let lanes: Vec<_> =
            self.committer.lanes().into_iter().filter(|lane| lane.member() != membership.member).collect();
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
        self.committer.forget(&lanes.iter().map(|lane| lane.place()).collect::<Vec<_>>());
        Lane::close(lanes, MOMENT);
        self.say_closed(lanes);
    }

    /// Makes the lane of a partition that is about to be assigned.
    pub(super) fn open(
        &self,
        client: &Arc<dyn Member>,
        partition: &Partition,
        plan: Arc<TopicPlan>,
        bound: Bound,
        position: Option<Position>,
        assignment: Arc<Assignment>,
    ) -> Arc<Lane> {
        let start = position.as_ref().map_or(NextOffset(-1), |position| NextOffset(position.next));
        let note = position.as_ref().map_or_else(Note::default, |position| bound.read(position));
        let (errors, topic, number, of) =
            (self.read_errors.clone(), partition.topic.clone(), partition.partition, assignment.clone());
        let signal = client.signal().clone();
        let (commits, looks) = (self.committer.work().clone(), signal.clone());
        let lane = Lane::new(LaneParts {
            source: Source::new(
                partition.topic.as_str().into(),
                partition.partition,
                assignment,
                plan.type_headers.clone(),
                client.clone(),
            ),
            plan,
            stats: self.stats.clone(),
            producer: self.producer.clone(),
            ready: self.ready.clone(),
            budget: self.budget.clone(),
            limits: self.limits.clone(),
            start,
            epoch: position.as_ref().map_or(-1, |position| position.epoch),
            note,
            bound,
            // An error means that the group has ended.
            read_error: Box::new(move |unread| {
                drop(errors.send(ReadError {
                    topic: topic.clone(),
                    partition: number,
                    assignment: of.clone(),
                    unread,
                }));
                signal.give();
            }),
            stirred: Box::new(move || {
                commits.give();
                looks.give();
            }),
        });
        let weak: Weak<Lane> = Arc::downgrade(&lane);
        let (heavy_filled, signal) = (self.heavy_filled.clone(), client.signal().clone());
        let filled = move || {
            if let Some(lane) = weak.upgrade() {
                if lane.is_heavy() {
                    heavy_filled.store(true, Release);
                    signal.give();
                }
                lane.filled();
            }
        };
        match client.clone().queue(&partition.topic, partition.partition, Box::new(filled)) {
            Some(queue) => {
                self.detached.lock().unwrap_or_else(PoisonError::into_inner).push((lane.clone(), queue))
            }
            None => {
                tracing::error!(group = self.name, partition = %lane.source(), "the partition has no queue")
            }
        }
        lane
    }

    /// From here on the lane is the partition's, and is committed.
    pub(super) fn add(&self, lane: Arc<Lane>, committed: Option<Position>) {
        let (topic, partition) = (lane.source().topic.to_string(), lane.source().partition);
        self.committer.add(&topic, partition, lane.clone(), committed);
        if self.is_abandoned() {
            // Too late for those who ended the others.
            lane.end();
        } else if self.is_stopping() {
            lane.drain();
        }
    }

    fn lanes_of(&self, partitions: &[Partition]) -> Vec<Arc<Lane>> {
        partitions
            .iter()
            .filter_map(|partition| self.committer.lane(&partition.topic, partition.partition))
            .collect()
    }

    /// Stop, drain, commit, let go.
    pub(super) fn let_go(&self, client: &Arc<dyn Member>, lanes: &[Arc<Lane>], deadline: Instant) -> LetGo {
        self.clock().run(&mut LettingGo::new(self, client, lanes, deadline))
    }
}

fn names(partitions: &[Partition]) -> String {
    let names: Vec<_> =
        partitions.iter().map(|partition| format!("{}/{}", partition.topic, partition.partition)).collect();
    names.join(" ")
}
