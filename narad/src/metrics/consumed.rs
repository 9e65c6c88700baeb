//! Handlers, groups and partitions, in figures.

use std::collections::BTreeMap;
use std::fmt::Result;
use std::time::SystemTime;

use prometheus_client::registry::Unit;

use super::families::{Families, Labels};
use crate::application::Application;
use crate::view::{GroupState, GroupView, HandlerView, LaneView, TopicView};

/// What is counted of a partition.
type Count = fn(&LaneView) -> usize;

/// Everything that is asked of an application at once, so that its figures belong together.
struct Asked {
    groups: Vec<GroupView>,
    handlers: Vec<HandlerView>,
    partitions: Vec<LaneView>,
    now: SystemTime,
}

pub(super) fn encode(application: &Application, families: &mut Families<'_>) -> Result {
    let asked = Asked {
        groups: application.groups(),
        handlers: application.handlers(),
        partitions: application.partitions(),
        now: application.producer.clock().wall(),
    };
    asked.handlers(families)?;
    asked.groups(families)?;
    asked.partitions(families)?;
    asked.offsets(families)
}

impl Asked {
    fn handlers(&self, families: &mut Families<'_>) -> Result {
        families.counter(
            "narad_records",
            "Records that a handler is through with, once for each handler that was given the record",
            self.topics().flat_map(|(handler, TopicView { topic, settled, .. })| {
                let outcomes = [
                    ("done", settled.done),
                    ("skipped", settled.skipped),
                    ("dead_lettered", settled.dead_lettered),
                ];
                outcomes.map(|(outcome, count)| {
                    let of = [("group", &*handler.group), ("topic", topic), ("handler", &handler.name)];
                    ([of[0], of[1], of[2], ("outcome", outcome)], count)
                })
            }),
        )?;
        // All handlers of a group on a topic tell the same of what none of them took.
        let untaken: BTreeMap<_, _> = self
            .topics()
            .map(|(handler, topic)| ((&*handler.group, &*topic.topic), topic.unhandled))
            .collect();
        families.counter(
            "narad_unhandled",
            "Records that no handler of the group took",
            untaken.into_iter().flat_map(|((group, topic), unhandled)| {
                let reasons = [
                    ("unknown_type", unhandled.unknown_type),
                    ("tombstone", unhandled.tombstone),
                    ("malformed", unhandled.malformed),
                ];
                reasons
                    .map(|(reason, count)| ([("group", group), ("topic", topic), ("reason", reason)], count))
            }),
        )?;
        families.counter(
            "narad_attempts",
            "Attempts of a handler that have ended; a batch is one attempt",
            self.handlers.iter().flat_map(|HandlerView { group, name, attempts, .. }| {
                let results = [
                    ("ok", attempts.ok),
                    ("err", attempts.err),
                    ("panic", attempts.panic),
                    ("timeout", attempts.timeout),
                ];
                results.map(|(result, count)| {
                    ([("group", &**group), ("handler", name), ("result", result)], count)
                })
            }),
        )?;
        families.counter(
            "narad_dead_letters",
            "Dead letters that are written, by the class of the error; at most 50 classes of a handler, then other",
            self.topics().flat_map(|(handler, topic)| {
                topic.dead_letters.iter().map(move |(class, count)| {
                    let of = [("group", &*handler.group), ("topic", &*topic.topic), ("handler", &*handler.name)];
                    ([of[0], of[1], of[2], ("class", class)], *count)
                })
            }),
        )
    }

    fn topics(&self) -> impl Iterator<Item = (&HandlerView, &TopicView)> {
        self.handlers.iter().flat_map(|handler| handler.topics.iter().map(move |topic| (handler, topic)))
    }

    fn groups(&self, families: &mut Families<'_>) -> Result {
        families.gauge(
            ("narad_group_state", None),
            "1 for the state that a group is in, 0 for the others",
            self.groups.iter().flat_map(|view| {
                GroupState::ALL.map(|state| {
                    let is_in = f64::from(u8::from(state == view.state));
                    ([("group", &*view.group), ("state", state.name())], is_in)
                })
            }),
        )?;
        families.counter(
            "narad_rebalances",
            "Rebalances of a group, as this process saw them",
            self.groups.iter().flat_map(|GroupView { group, rebalances, .. }| {
                let kinds = [
                    ("assigned", rebalances.assigned),
                    ("revoked", rebalances.revoked),
                    ("lost", rebalances.lost),
                ];
                kinds.map(|(kind, count)| ([("group", &**group), ("kind", kind)], count))
            }),
        )?;
        families.counter(
            "narad_commits",
            "Commits, each a request for all that has changed",
            self.groups.iter().flat_map(|GroupView { group, commits, .. }| {
                let results = [("ok", commits.ok), ("error", commits.error), ("fenced", commits.fenced)];
                results.map(|(result, count)| ([("group", &**group), ("result", result)], count))
            }),
        )?;
        families.gauge(
            ("narad_commit_age", Some(Unit::Seconds)),
            "Time since the last commit that was taken, while something waits to be committed; else 0",
            self.groups.iter().map(|view| ([("group", &*view.group)], self.commit_age(view))),
        )
    }

    /// Of partitions that were finished further than they are committed.
    fn commit_age(&self, group: &GroupView) -> f64 {
        let waits = |lane: &&LaneView| lane.group == group.group && lane.next_commit > lane.committed;
        let since = group.commits.last.unwrap_or(group.since);
        match self.partitions.iter().find(waits) {
            Some(_) => self.now.duration_since(since).unwrap_or_default().as_secs_f64(),
            None => 0.0,
        }
    }

    fn partitions(&self, families: &mut Families<'_>) -> Result {
        let by_topic = |of: Count| {
            let mut sums = BTreeMap::<(&str, &str), usize>::new();
            for lane in &self.partitions {
                *sums.entry((&lane.group, &lane.topic)).or_default() += of(lane);
            }
            sums.into_iter().map(|((group, topic), sum)| ([("group", group), ("topic", topic)], sum as f64))
        };
        families.gauge(
            ("narad_in_flight", None),
            "Records that are with a handler, or wait for what follows its attempt",
            by_topic(|lane| lane.in_flight),
        )?;
        let waiting: [(&str, Count); 4] = [
            ("key", |lane| lane.waiting.key),
            ("retry", |lane| lane.waiting.retry),
            ("dead_letter", |lane| lane.waiting.dead_letter),
            ("publish", |lane| lane.waiting.publish),
        ];
        families.gauge(
            ("narad_waiting_records", None),
            "Records that wait: for an earlier one of their key, for their next attempt, for the \
             acknowledgement of their dead letter or of returned events",
            waiting.into_iter().flat_map(|(reason, of)| {
                by_topic(of).map(move |([group, topic], sum)| ([group, topic, ("reason", reason)], sum))
            }),
        )?;
        let held = self.groups.iter().map(|view| {
            let of_group = self.partitions.iter().filter(|lane| lane.group == view.group);
            ([("group", &*view.group)], of_group.map(|lane| lane.held_bytes).sum::<usize>() as f64)
        });
        families.gauge(
            ("narad_held", Some(Unit::Bytes)),
            "The bytes of records that were read and are not finished",
            held,
        )
    }

    fn offsets(&self, families: &mut Families<'_>) -> Result {
        let numbers: Vec<_> = self.partitions.iter().map(|lane| lane.partition.to_string()).collect();
        let lanes = || self.partitions.iter().zip(&numbers);
        families.gauge(
            ("narad_lag_records", None),
            "How many offsets the group is behind the last stable offset of an assigned partition",
            lanes().filter_map(|(lane, number)| Some((of(lane, number), lane.lag? as f64))),
        )?;
        families.gauge(
            ("narad_lag", Some(Unit::Seconds)),
            "How long the group is behind on an assigned partition",
            lanes().filter_map(|(lane, number)| Some((of(lane, number), lane.lag_time?.as_secs_f64()))),
        )?;
        families.gauge(
            ("narad_offset", None),
            "Offsets of an assigned partition: next to read, next to commit (all below are finished), \
             committed, and the end of what is committed by transactions",
            lanes().flat_map(|(lane, number)| {
                let kinds = [
                    ("read", lane.next_read),
                    ("finished", lane.next_commit),
                    ("committed", lane.committed),
                    ("end", lane.end),
                ];
                let [group, topic, partition] = of(lane, number);
                kinds.into_iter().filter_map(move |(kind, offset)| {
                    Some(([group, topic, partition, ("kind", kind)], offset? as f64))
                })
            }),
        )
    }
}

/// What identifies a partition.
fn of<'a>(lane: &'a LaneView, number: &'a str) -> Labels<'a, 3> {
    [("group", &*lane.group), ("topic", &*lane.topic), ("partition", number)]
}
