//! The topics at the start: those that are missing are made, or listed with the commands that make them.

use std::collections::BTreeMap;

use crate::assemble::GroupPlan;
use crate::config::{ClientKind, Config};
use crate::error::{Error, Result};
use crate::transport::admin::{Admin, DEAD_LETTER_ROOM, NewTopic, create_command};
use crate::transport::embedded;

/// Makes sure of all topics that handlers name and of their dead letters; gives how many partitions each group reads. Blocks.
///
/// # Errors
/// Where topics are missing and must not be made: one that lists all of them.
pub(crate) fn ensure(config: &Config, groups: &[GroupPlan]) -> Result<BTreeMap<String, usize>> {
    if config.is_embedded() {
        for group in groups {
            for topic in group.topics() {
                embedded::create_topic(&topic)?;
                group.dead_letters(&topic).iter().try_for_each(|topic| embedded::create_topic(topic))?;
            }
        }
        return Ok(BTreeMap::new());
    }
    let admin = Admin::open(&config.client_config(ClientKind::Admin)?)?;
    let mut present: BTreeMap<String, usize> = admin.topics()?.into_iter().map(|topic| (topic.name, topic.partitions)).collect();
    let missing: Vec<NewTopic> = wanted(groups, |group| group.topics())
        .iter()
        .filter(|topic| !present.contains_key(*topic))
        .map(|topic| NewTopic::named(topic))
        .collect();
    if config.creates_topics() {
        admin.create(&missing)?;
        for topic in &missing {
            tracing::info!(target: "narad", topic = topic.name, "topic created");
        }
        dead_letters(&admin, groups, &present)?;
        present.extend(admin.topics()?.into_iter().map(|topic| (topic.name, topic.partitions)));
    } else {
        let dead = wanted(groups, |group| group.topics().iter().flat_map(|topic| group.dead_letters(topic)).collect());
        let missing: Vec<_> = missing
            .into_iter()
            .chain(dead.iter().filter(|topic| !present.contains_key(*topic)).map(|topic| NewTopic::named(topic)))
            .collect();
        if !missing.is_empty() {
            let brokers = config.addresses();
            let commands: Vec<_> = missing.iter().map(|topic| format!("  {}", create_command(&brokers, topic))).collect();
            return Err(Error::Start(format!(
                "{}; create {}, or set NARAD_CREATE_TOPICS=true:\n{}",
                if missing.len() == 1 { "1 topic is missing".to_owned() } else { format!("{} topics are missing", missing.len()) },
                if missing.len() == 1 { "it" } else { "them" },
                commands.join("\n")
            )));
        }
    }
    Ok(groups.iter().map(|group| (group.name.clone(), group.topics().iter().filter_map(|topic| present.get(topic)).sum())).collect())
}

fn wanted(groups: &[GroupPlan], of: impl Fn(&GroupPlan) -> Vec<String>) -> Vec<String> {
    let mut topics: Vec<String> = groups.iter().flat_map(of).collect();
    topics.sort();
    topics.dedup();
    topics
}

/// A dead letter is larger than its record by Narad's headers: its topic has to take that.
fn dead_letters(admin: &Admin, groups: &[GroupPlan], present: &BTreeMap<String, usize>) -> Result<()> {
    let mut limits: BTreeMap<String, u64> = BTreeMap::new();
    let sources = wanted(groups, |group| group.topics());
    let sizes = admin.max_message_bytes(&sources.iter().map(String::as_str).collect::<Vec<_>>())?;
    for group in groups {
        for source in group.topics() {
            let room = sizes.get(&source).map_or(0, |bytes| bytes + DEAD_LETTER_ROOM);
            for topic in group.dead_letters(&source) {
                let limit = limits.entry(topic).or_default();
                *limit = (*limit).max(room);
            }
        }
    }
    let existing: Vec<&str> = limits.keys().filter(|topic| present.contains_key(*topic)).map(String::as_str).collect();
    for (topic, bytes) in admin.max_message_bytes(&existing)? {
        if bytes < limits[&topic] {
            tracing::warn!(target: "narad", topic, max_message_bytes = bytes, wanted = limits[&topic], "the dead-letter topic is smaller than its source: the largest records will not fit");
        }
    }
    let new: Vec<NewTopic> = limits
        .iter()
        .filter(|(topic, _)| !present.contains_key(*topic))
        .map(|(topic, bytes)| NewTopic { name: topic.clone(), max_message_bytes: (*bytes > 0).then_some(*bytes) })
        .collect();
    admin.create(&new)
}
