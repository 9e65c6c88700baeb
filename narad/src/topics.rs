//! The topics at the start: those that are missing are made, or listed with the commands that make them.

mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::assemble::GroupPlan;
use crate::config::{ClientKind, Config};
use crate::error::{Error, Result};
use crate::transport::admin::{Admin, DEAD_LETTER_ROOM, NewTopic, create_command};
use crate::transport::{Kafka, Transport, embedded};

pub(crate) use watch::{TopicWatch, Watching};

/// What a start found, or made.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// How many partitions of each group this process is expected to read; without groups of which nobody
    /// knows.
    pub(crate) shares: BTreeMap<String, usize>,
    /// The topics of the cluster, whose dead letters are there.
    pub(crate) topics: Arc<BTreeSet<String>>,
}

/// Makes sure of all topics that handlers name or their patterns match, of their dead letters, and of what
/// handlers return. Blocks.
///
/// # Errors
/// Where topics are missing and must not be made: one that lists all of them.
pub(crate) fn ensure(config: &Config, groups: &[GroupPlan]) -> Result<Found> {
    if config.is_embedded() {
        for group in groups {
            for topic in group.topics() {
                embedded::create_topic(&topic)?;
                group.dead_letters(&topic).iter().try_for_each(|topic| embedded::create_topic(topic))?;
            }
        }
        let has_patterns = groups.iter().any(GroupPlan::has_patterns);
        let topics = if has_patterns {
            Kafka.admin(&config.client_config(ClientKind::Admin)?)?.names()?
        } else {
            BTreeSet::new()
        };
        return Ok(Found { topics: Arc::new(topics), ..Found::default() });
    }
    let admin = Kafka.admin(&config.client_config(ClientKind::Admin)?)?;
    let mut present: BTreeMap<String, usize> =
        admin.topics()?.into_iter().map(|topic| (topic.name, topic.partitions)).collect();
    let missing: Vec<String> = wanted(groups, |group| [group.topics(), group.returned()].concat())
        .into_iter()
        .filter(|topic| !present.contains_key(topic))
        .collect();
    if config.creates_topics() {
        admin.create(&missing.iter().map(|topic| NewTopic::named(topic)).collect::<Vec<_>>())?;
        for topic in &missing {
            tracing::info!(target: "narad", topic, "topic created");
        }
        dead_letters(&*admin, groups, &present)?;
        present.extend(admin.topics()?.into_iter().map(|topic| (topic.name, topic.partitions)));
    } else {
        let dead = wanted(groups, |group| {
            sources(group, &present).iter().flat_map(|topic| group.dead_letters(topic)).collect()
        });
        let dead: Vec<String> = dead.into_iter().filter(|topic| !present.contains_key(topic)).collect();
        if !missing.is_empty() || !dead.is_empty() {
            // Whoever may not describe a topic gets its command without the size.
            let limits = dead_letter_limits(&*admin, groups, &present).unwrap_or_default();
            let missing = missing.into_iter().map(|name| NewTopic { name, max_message_bytes: None });
            let dead =
                dead.into_iter().map(|name| NewTopic { max_message_bytes: limits.get(&name).copied(), name });
            return Err(lacking(&*admin, &config.addresses(), missing.chain(dead)));
        }
    }
    let partitions =
        |group: &GroupPlan| sources(group, &present).iter().filter_map(|topic| present.get(topic)).sum();
    let members = admin.group_members(&groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>());
    let share = |group: &GroupPlan| share(partitions(group), members.get(&group.name).copied().unwrap_or(0));
    let shares = groups.iter().map(|group| (group.name.clone(), share(group))).collect();
    Ok(Found { shares, topics: Arc::new(present.into_keys().collect()) })
}

/// A partition's limits are the same for so many and fewer.
const FEW: usize = 8;

/// How many of a group's partitions one more member is to expect, beside those that there are: twice its
/// share, since some of them may leave, and a member that was killed is listed until its session ends.
fn share(partitions: usize, others: usize) -> usize {
    (2 * partitions).div_ceil(others + 1).max(FEW).min(partitions)
}

/// The one error for all topics that are not there, or that this user may not see.
fn lacking(admin: &dyn Admin, brokers: &[String], topics: impl Iterator<Item = NewTopic>) -> Error {
    // A broker does not list a topic that the user may not describe; asked for it by name, it says so.
    let (denied, missing): (Vec<NewTopic>, Vec<NewTopic>) =
        topics.partition(|topic| admin.is_denied(&topic.name));
    let names =
        |topics: &[NewTopic]| topics.iter().map(|topic| topic.name.as_str()).collect::<Vec<_>>().join(", ");
    let count = |topics: &[NewTopic]| {
        if topics.len() == 1 { "1 topic".to_owned() } else { format!("{} topics", topics.len()) }
    };
    let mut said = Vec::new();
    if !denied.is_empty() {
        said.push(format!(
            "{} may not be used: {}: not authorised; the user of this client needs the permission to read \
             what it handles, and to write its dead letters and what its handlers return",
            count(&denied),
            names(&denied)
        ));
    }
    if !missing.is_empty() {
        let commands: Vec<_> = missing.iter().map(|topic| create_command(brokers, topic)).collect();
        said.push(format!(
            "{} {} missing: {}; set NARAD_CREATE_TOPICS=true, or create {}: {}",
            count(&missing),
            if missing.len() == 1 { "is" } else { "are" },
            names(&missing),
            if missing.len() == 1 { "it" } else { "them" },
            commands.join(" && ")
        ));
    }
    Error::Start(said.join("; "))
}

/// The topics that a group reads: those that its handlers name, and those of the cluster that their patterns
/// match.
fn sources(group: &GroupPlan, present: &BTreeMap<String, usize>) -> Vec<String> {
    let mut topics = group.topics();
    topics.extend(present.keys().filter(|topic| group.has_patterns() && group.takes_topic(topic)).cloned());
    topics.sort();
    topics.dedup();
    topics
}

fn wanted(groups: &[GroupPlan], of: impl Fn(&GroupPlan) -> Vec<String>) -> Vec<String> {
    let mut topics: Vec<String> = groups.iter().flat_map(of).collect();
    topics.sort();
    topics.dedup();
    topics
}

/// What each dead-letter topic has to take: a dead letter is larger than its record by Narad's headers.
/// Without those of which the source's limit is not known.
fn dead_letter_limits(
    admin: &dyn Admin,
    groups: &[GroupPlan],
    present: &BTreeMap<String, usize>,
) -> Result<BTreeMap<String, u64>> {
    let mut limits: BTreeMap<String, u64> = BTreeMap::new();
    let all = wanted(groups, |group| sources(group, present));
    let sizes = admin.max_message_bytes(&all.iter().map(String::as_str).collect::<Vec<_>>())?;
    for group in groups {
        for source in sources(group, present) {
            let Some(bytes) = sizes.get(&source) else { continue };
            for topic in group.dead_letters(&source) {
                let limit = limits.entry(topic).or_default();
                *limit = (*limit).max(bytes + DEAD_LETTER_ROOM);
            }
        }
    }
    Ok(limits)
}

/// Makes the dead-letter topics that are missing, and says which of the others are too small.
fn dead_letters(admin: &dyn Admin, groups: &[GroupPlan], present: &BTreeMap<String, usize>) -> Result<()> {
    let limits = dead_letter_limits(admin, groups, present)?;
    let all = wanted(groups, |group| {
        sources(group, present).iter().flat_map(|topic| group.dead_letters(topic)).collect()
    });
    let (existing, new): (Vec<String>, Vec<String>) =
        all.into_iter().partition(|topic| present.contains_key(topic));
    for (topic, bytes) in admin.max_message_bytes(&existing.iter().map(String::as_str).collect::<Vec<_>>())? {
        if let Some(wanted) = limits.get(&topic).filter(|wanted| bytes < **wanted) {
            tracing::warn!(
                target: "narad", topic, max_message_bytes = bytes, wanted,
                "the dead-letter topic is smaller than its source: the largest records will not fit"
            );
        }
    }
    let new: Vec<_> = new
        .into_iter()
        .map(|name| NewTopic { max_message_bytes: limits.get(&name).copied(), name })
        .collect();
    admin.create(&new)?;
    new.iter()
        .for_each(|topic| tracing::info!(target: "narad", topic = topic.name, "dead-letter topic created"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_expects_twice_its_share_and_never_more_than_there_is() {
        assert_eq!([0, 1, 2, 3, 49].map(|others| share(1_000, others)), [1_000, 1_000, 667, 500, 40]);
        assert_eq!((share(0, 3), share(1, 9), share(12, 5), share(6, 5)), (0, 1, 8, 6));
    }
}
