//! Where partitions begin that were just assigned: where the group has committed, or where one without a
//! commit is to begin.
//!
//! All of them are asked after together: this is done inside the rebalance callback, which holds up the whole
//! group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::plan::TopicPlan;
use super::shared::Shared;
use crate::engine::{Bound, NextOffset, Note, began};
use crate::handler::Start;
use crate::transport::{Member, Partition, Position, Which};

/// So long brokers have to answer, each time they are asked.
const ANSWER: Duration = Duration::from_secs(10);
/// So long the cluster's id is waited for. Whoever has partitions has seen metadata, with which it comes: it
/// is there.
const CLUSTER: Duration = Duration::from_secs(1);
/// It is asked again after this, twice as long each time.
const AGAIN: Duration = Duration::from_millis(50);
const AGAIN_AT_MOST: Duration = Duration::from_secs(2);

/// A partition that begins.
pub(super) struct Beginning {
    pub(super) plan: Arc<TopicPlan>,
    pub(super) bound: Bound,
    pub(super) committed: Option<Position>,
    /// `None` is the beginning of its log.
    pub(super) at: Option<Position>,
}

impl Shared {
    /// Where these partitions begin, in their order; a topic that no handler names has no beginning. `None`
    /// where the group stops, or has lost them.
    pub(super) fn beginnings(
        &self,
        client: &dyn Member,
        partitions: &[Partition],
    ) -> Option<Vec<Option<Beginning>>> {
        let names: Vec<_> =
            partitions.iter().map(|partition| (partition.topic.as_str(), partition.partition)).collect();
        let known = self.insist(client, "what is committed", || client.committed(&names, ANSWER))?;
        let cluster = client.cluster_id(CLUSTER);
        if cluster.is_none() {
            tracing::debug!(
                group = self.name,
                "the cluster has no id: what is finished beyond a committed offset is not noted, and \
                 repeated by others"
            );
        }
        let beginning = |((topic, number), committed): (&(&str, i32), Option<Position>)| {
            let Some(plan) = self.plan(topic) else {
                tracing::error!(group = self.name, topic, "assigned a topic that no handler names");
                return None;
            };
            let bound = Bound::new(&self.name, topic, *number, cluster.as_deref(), plan.options.ordering);
            Some(Beginning { plan, bound, at: committed.clone(), committed })
        };
        let mut beginnings: Vec<_> = names.iter().zip(known).map(beginning).collect();
        let newcomers = names.iter().zip(&mut beginnings).filter_map(|(place, beginning)| {
            let beginning = beginning.as_mut()?;
            (beginning.committed.is_none() && beginning.plan.options.start == Start::Latest)
                .then_some((*place, beginning))
        });
        self.begin_at_the_end(client, newcomers.collect())?;
        Some(beginnings)
    }

    /// Where partitions begin of which nothing is committed, with `start = "latest"`.
    ///
    /// A new group begins at the end. Its commits carry how many partitions the topic had: those that are
    /// added later begin at their beginning, whoever of the group gets them first.
    fn begin_at_the_end(
        &self,
        client: &dyn Member,
        mut newcomers: Vec<((&str, i32), &mut Beginning)>,
    ) -> Option<()> {
        if newcomers.is_empty() {
            return Some(());
        }
        let topics: BTreeSet<_> = newcomers.iter().map(|((topic, _), _)| *topic).collect();
        let began = self.insist(client, "how the group began", || self.began_with(client, &topics))?;
        newcomers.retain(|((topic, number), _)| began[topic].is_end_of(*number));
        let mut ends = BTreeMap::new();
        self.insist(client, "the end of the partition", || {
            let open: Vec<_> =
                newcomers.iter().map(|(place, _)| *place).filter(|place| !ends.contains_key(place)).collect();
            let mut failed = None;
            for (place, answer) in
                open.iter().zip(client.ask(&open, Which::Next, ANSWER).answers_while(&|| {}))
            {
                match answer {
                    Ok(end) => drop(ends.insert(*place, end.offset)),
                    Err(error) => failed = Some(format!("{}/{}: {error}", place.0, place.1)),
                }
            }
            failed.map_or(Ok(()), Err)
        })?;
        for (place, beginning) in newcomers {
            let end = ends[&place];
            let metadata =
                beginning.bound.write(NextOffset(end), Note::default().with_began(began[place.0].count));
            beginning.at = Some(Position { next: end, metadata, epoch: -1 });
        }
        Some(())
    }

    /// How many partitions each topic had when the group began on it.
    fn began_with<'a>(
        &self,
        client: &dyn Member,
        topics: &BTreeSet<&'a str>,
    ) -> Result<BTreeMap<&'a str, Began>, String> {
        let mut all = Vec::new();
        for topic in topics {
            let count = client.partitions(topic, ANSWER)?;
            all.extend((0..count as i32).map(|number| (*topic, number)));
        }
        let positions = client.committed(&all, ANSWER).map_err(|error| error.to_string())?;
        let mut known = BTreeMap::new();
        for ((topic, number), position) in all.iter().zip(positions) {
            let topic_began: &mut Began = known.entry(*topic).or_default();
            match position.map(|position| began(&self.name, topic, &position.metadata)) {
                Some(count) if topic_began.is_new => *topic_began = Began { count, is_new: false },
                Some(count) => topic_began.count = topic_began.count.max(count),
                None if topic_began.is_new => topic_began.count = i64::from(*number) + 1,
                None => {}
            }
        }
        // One without partitions is not there for now.
        for topic in topics {
            known.entry(topic).or_default();
        }
        Ok(known)
    }

    /// Asks until there is an answer; `None` where the group stops, or has lost what it asks for.
    ///
    /// librdkafka would ask by itself, and leave a partition unread without a word after an error that it
    /// does not know.
    fn insist<T, E: ToString>(
        &self,
        client: &dyn Member,
        what: &str,
        mut ask: impl FnMut() -> Result<T, E>,
    ) -> Option<T> {
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
}

/// How a group began on a topic.
#[derive(Clone, Copy, Debug)]
struct Began {
    /// So many partitions the topic had.
    count: i64,
    /// Nothing of the topic is committed.
    is_new: bool,
}

impl Default for Began {
    fn default() -> Self {
        Self { count: 0, is_new: true }
    }
}

impl Began {
    /// Whether a partition of which nothing is committed begins at its end.
    fn is_end_of(self, partition: i32) -> bool {
        self.is_new || i64::from(partition) < self.count
    }
}
