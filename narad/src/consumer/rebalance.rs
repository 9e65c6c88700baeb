//! Partitions come and go: assigned, revoked, lost.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::commit::log_failure;
use super::fence::Positioned;
use super::group::Shared;
use super::lane::{Closed, Lane, LaneParts};
use super::offsets::NextOffset;
use super::plan::TopicPlan;
use super::resume::{Resume, Unfinished};
use crate::handler::Start;
use crate::record::{Assignment, Source};
use crate::transport::{
    Begin, Client, GroupEvents, OwnedMessage, Partition, PartitionQueue, Position, QueueError, commit, committed, generation,
};

/// So long the coordinator has to say what is committed, each time it is asked.
const COMMITTED: Duration = Duration::from_secs(10);
const ASKED: u32 = 3;

impl GroupEvents for Shared {
    fn assigned(&self, client: &Arc<Client>, partitions: &mut [Partition]) {
        // The timer's commits wait behind the member's own join and come out of it with the generation of before. Where one rebalance follows
        // the other, only here and at the end of `revoked` is there a generation that holds for what this member keeps.
        self.commit(client);
        if partitions.is_empty() {
            return;
        }
        tracing::info!(group = self.name, partitions = %names(partitions), "assigned");
        let generation = generation(client).unwrap_or(-1);
        let known = self.committed(client, partitions);
        for (place, partition) in partitions.iter_mut().enumerate() {
            let Some(plan) = self.plan(&partition.topic) else {
                tracing::error!(group = self.name, topic = partition.topic, "assigned a topic that no handler names");
                continue;
            };
            let position = match &known {
                Some(known) => match &known[place] {
                    Some(position) => Some(position.clone()),
                    None => self.begin(client, partition, &plan),
                },
                // librdkafka asks again by itself; what was finished beyond the commit is repeated then.
                None => None,
            };
            partition.begin = match (&known, &position) {
                (_, Some(position)) => Begin::At(position.next),
                (Some(_), None) => Begin::Beginning,
                (None, None) => Begin::Committed,
            };
            self.open(client, partition, plan, position, Assignment::new(generation));
        }
    }

    fn revoked(&self, client: &Arc<Client>, partitions: &[Partition]) {
        let lanes = self.lanes_of(partitions);
        if lanes.is_empty() {
            return;
        }
        tracing::info!(group = self.name, partitions = %names(partitions), "revoked: finishing what is in flight");
        self.let_go(client, &lanes, Instant::now() + self.revoke_deadline);
        self.commit(client);
    }

    fn lost(&self, _: &Arc<Client>, partitions: &[Partition]) {
        let places: Vec<_> = partitions.iter().map(|partition| (partition.topic.clone(), partition.partition)).collect();
        let lanes = self.committer.forget(&places);
        if !lanes.is_empty() {
            tracing::warn!(group = self.name, partitions = %names(partitions), "lost: others have these partitions; nothing more of them is committed");
        }
        for lane in lanes {
            self.close(&lane);
        }
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
    /// What is committed for the partitions, in their order; `None` where the coordinator does not say.
    fn committed(&self, client: &Client, partitions: &[Partition]) -> Option<Vec<Option<Position>>> {
        let wanted: Vec<_> = partitions.iter().map(|partition| (partition.topic.as_str(), partition.partition)).collect();
        for _ in 0..ASKED {
            match committed(client, &wanted, COMMITTED) {
                Ok(known) => return Some(known),
                Err(error) => tracing::warn!(group = self.name, %error, "the committed offsets cannot be read; asking again"),
            }
        }
        None
    }

    /// Where a partition begins of which nothing is committed; `None` is its beginning.
    ///
    /// With `start = "latest"` a new group begins at the end, and commits that at once. The commit carries how many partitions the topic had:
    /// those that are added later begin at their beginning, whoever of the group gets them first.
    fn begin(&self, client: &Client, partition: &Partition, plan: &TopicPlan) -> Option<Position> {
        if plan.start == Start::Earliest {
            return None;
        }
        let count = client.partitions(&partition.topic, COMMITTED).ok()?;
        let all: Vec<_> = (0..count as i32).map(|number| (partition.topic.as_str(), number)).collect();
        let others = committed(client, &all, COMMITTED).ok()?;
        let began = others.iter().flatten().map(|position| Resume::decode(&position.metadata, NextOffset(position.next)).began()).max();
        let began = match began {
            // The group is new on this topic.
            None => count as i64,
            Some(began) if i64::from(partition.partition) < began => began,
            Some(_) => return None,
        };
        let (_, high) = client.watermarks(&partition.topic, partition.partition, COMMITTED).ok()?;
        let metadata = Resume::new(NextOffset(high), NextOffset(high), Unfinished::Offsets(Vec::new())).with_began(began).encode();
        let position = Position { next: high, metadata };
        if let Err(error) = commit(client, [(partition.topic.as_str(), partition.partition, &position)].into_iter(), COMMITTED) {
            log_failure(&self.name, error);
        }
        Some(position)
    }

    /// Makes the lane of a partition that is about to be assigned.
    fn open(
        &self,
        client: &Arc<Client>,
        partition: &Partition,
        plan: Arc<TopicPlan>,
        position: Option<Position>,
        assignment: Arc<Assignment>,
    ) {
        let start = position.as_ref().map_or(NextOffset(-1), |position| NextOffset(position.next));
        let resume = position.as_ref().map_or_else(Resume::default, |position| Resume::decode(&position.metadata, start));
        let (resets, place) = (self.resets.clone(), (partition.topic.clone(), partition.partition));
        let lane = Lane::new(LaneParts {
            source: Source::new(partition.topic.as_str().into(), partition.partition, assignment, client.clone()),
            plan,
            stats: self.stats.clone(),
            producer: self.producer.clone(),
            ready: self.ready.clone(),
            room: self.room.clone(),
            start,
            resume,
            // An error means that the group has ended.
            out_of_range: Box::new(move || drop(resets.send(place.clone()))),
        });
        let weak: Weak<Lane> = Arc::downgrade(&lane);
        let filled = move || {
            if let Some(lane) = weak.upgrade() {
                lane.filled();
            }
        };
        match PartitionQueue::detach(client, &partition.topic, partition.partition, filled) {
            Some(queue) => lane.attach(queue),
            None => tracing::error!(group = self.name, partition = %lane.source(), "the partition has no queue"),
        }
        self.committer.add(&partition.topic, partition.partition, lane, position);
    }

    fn lanes_of(&self, partitions: &[Partition]) -> Vec<Arc<Lane>> {
        partitions.iter().filter_map(|partition| self.committer.lane(&partition.topic, partition.partition)).collect()
    }

    /// Stop, drain, commit, let go; `false` where handlers did not end in time.
    pub(super) fn let_go(&self, client: &Client, lanes: &[Arc<Lane>], deadline: Instant) -> bool {
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
        let in_time = drained.is_empty();
        let places: Vec<_> = lanes.iter().map(|lane| (lane.source().topic.to_string(), lane.source().partition)).collect();
        if let Err(error) = self.committer.commit_last(client, &places, deadline) {
            log_failure(&self.name, error);
        }
        for lane in lanes {
            self.close(lane);
        }
        in_time
    }

    fn close(&self, lane: &Arc<Lane>) {
        match lane.close() {
            Closed::Now { dropped } if dropped.is_empty() => {}
            Closed::Now { dropped } => tracing::warn!(
                group = self.name, partition = %lane.source(), handlers = dropped.join(", "),
                "handlers did not end in time and were dropped; their records are not committed and run again elsewhere"
            ),
            Closed::Later => tracing::warn!(
                group = self.name, partition = %lane.source(),
                "a handler holds its thread and cannot be stopped; its record is not committed, and may run elsewhere at the same time"
            ),
        }
    }

    /// Goes on at the earliest record where the offset to read from is not in the log any more.
    pub(super) fn reset(&self, client: &Client, topic: &str, partition: i32) {
        let Some(lane) = self.committer.lane(topic, partition) else { return };
        match client.watermarks(topic, partition, COMMITTED) {
            Ok((low, high)) => {
                let next = lane.position().next;
                tracing::warn!(
                    group = self.name,
                    topic,
                    partition,
                    committed = next,
                    lowest = low,
                    next = high,
                    "the offset to read from is not in the log: going on at the lowest; what lay between is gone from the topic"
                );
                lane.restart(NextOffset(low));
                if let Err(error) = client.seek(topic, partition, low, COMMITTED) {
                    tracing::error!(group = self.name, topic, partition, error, "cannot go to the lowest offset; trying again");
                    let _ = self.resets.send((topic.to_owned(), partition));
                }
            }
            Err(error) => {
                tracing::warn!(group = self.name, topic, partition, error, "the partition's offsets cannot be read; trying again");
                std::thread::sleep(Duration::from_millis(200));
                let _ = self.resets.send((topic.to_owned(), partition));
            }
        }
    }
}

fn names(partitions: &[Partition]) -> String {
    let names: Vec<_> = partitions.iter().map(|partition| format!("{}/{}", partition.topic, partition.partition)).collect();
    names.join(" ")
}
