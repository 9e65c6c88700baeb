//! A group.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use serde::Serialize;

use super::{GroupState, time};

/// A consumer group of the application, as [`Narad::groups`](crate::Narad::groups) shows it. Its `Display` is
/// for a terminal:
///
/// ```text
/// billing: stable since 2026-11-23T10:00:00.123Z, 3 partitions (orders/0,1 payments/2)
///   generation 7 as rdkafka-53d2…; rebalances: 2 assigned, 1 revoked, 0 lost; commits: 41 ok, 0 error, 0 fenced
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct GroupView {
    /// Its name.
    pub group: String,
    /// Its state.
    pub state: GroupState,
    /// Since when it is in this state.
    #[serde(serialize_with = "time::serialize")]
    pub since: SystemTime,
    /// Why it makes no progress, and what to look at; `None` where it does.
    pub cause: Option<String>,
    /// Whether it does its work: the process has joined the group once, has not been out of it for longer
    /// than its session, and no partition is stuck.
    pub ready: bool,
    /// The partitions of the group that are assigned to this process, by topic.
    pub assigned: BTreeMap<String, Vec<i32>>,
    /// The generation that the process is a member of; with `group.protocol=consumer` the member's epoch.
    /// `None` where the process is no member, or does not know the generation yet.
    pub generation: Option<i32>,
    /// The member id that the coordinator has given to the process.
    pub member: Option<String>,
    /// How many rebalances there were since the start, by their kind.
    pub rebalances: Rebalances,
    /// What became of its commits since the start.
    pub commits: Commits,
    /// Records whose key waits because neither their handler nor their dead letter takes them.
    pub blocked: usize,
    /// The attempts that have run for longer than `max.poll.interval.ms`: the handler and the record of each.
    pub stuck: Vec<String>,
    /// Topics that a pattern of the group matches and that cannot be handled; the log names each.
    pub left_out: usize,
    /// As which member it stood when its end began.
    #[serde(skip)]
    pub(crate) stood: Option<Stood>,
}

/// The state of a group, since when it is in it, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stood {
    pub(crate) state: GroupState,
    pub(crate) since: SystemTime,
    pub(crate) cause: Option<String>,
}

/// How many rebalances a group had, by their kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Rebalances {
    /// The group was rebalanced, and this process was told which partitions it has; that may be none.
    pub assigned: u64,
    /// Partitions were taken from this process, after what was in flight of them had been finished.
    pub revoked: u64,
    /// Partitions were assigned to other members before this process knew: it had been put out of the group.
    pub lost: u64,
}

/// What became of the commits of a group. A commit is one request with all that has changed; where there is
/// nothing, none is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Commits {
    /// Taken by the coordinator.
    pub ok: u64,
    /// Not answered in time, or refused, at least for one partition. Such a commit is repeated.
    pub error: u64,
    /// Refused, or not sent, because the partitions are another member's.
    pub fenced: u64,
    /// When the coordinator took the last one.
    #[serde(serialize_with = "time::option::serialize")]
    pub last: Option<SystemTime>,
}

impl GroupView {
    /// How many partitions of the group are assigned to this process.
    pub fn partitions(&self) -> usize {
        self.assigned.values().map(Vec::len).sum()
    }
}

impl fmt::Display for GroupView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, state, since, rebalances, commits, .. } = self;
        write!(f, "{group}: {state} since {}", time::stamp(*since).as_str())?;
        match self.partitions() {
            0 => write!(f, ", no partition")?,
            1 => write!(f, ", 1 partition")?,
            many => write!(f, ", {many} partitions")?,
        }
        for (place, (topic, partitions)) in self.assigned.iter().enumerate() {
            let partitions: Vec<_> = partitions.iter().map(i32::to_string).collect();
            write!(f, "{}{topic}/{}", if place == 0 { " (" } else { " " }, partitions.join(","))?;
        }
        f.write_str(if self.assigned.is_empty() { "" } else { ")" })?;
        if let Some(cause) = &self.cause {
            write!(f, "\n  {cause}")?;
        }
        f.write_str("\n  ")?;
        if let (Some(generation), Some(member)) = (self.generation, &self.member) {
            write!(f, "generation {generation} as {member}; ")?;
        }
        let Rebalances { assigned, revoked, lost } = rebalances;
        write!(f, "rebalances: {assigned} assigned, {revoked} revoked, {lost} lost; ")?;
        let Commits { ok, error, fenced, last } = commits;
        write!(f, "commits: {ok} ok, {error} error, {fenced} fenced")?;
        if let Some(last) = last {
            write!(f, ", the last at {}", time::stamp(*last).as_str())?;
        }
        if self.blocked > 0 {
            write!(f, "\n  blocked: {}", self.blocked)?;
        }
        for stuck in &self.stuck {
            write!(f, "\n  stuck: {stuck}")?;
        }
        if self.left_out > 0 {
            write!(f, "\n  topics that are left out: {}", self.left_out)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> GroupView {
        GroupView {
            group: "billing".to_owned(),
            state: GroupState::Stable,
            since: SystemTime::UNIX_EPOCH,
            cause: None,
            ready: true,
            assigned: BTreeMap::from([("orders".to_owned(), vec![0, 1]), ("payments".to_owned(), vec![2])]),
            generation: Some(7),
            member: Some("rdkafka-1".to_owned()),
            rebalances: Rebalances { assigned: 2, revoked: 1, lost: 0 },
            commits: Commits { ok: 41, ..Commits::default() },
            blocked: 0,
            stuck: Vec::new(),
            left_out: 0,
            stood: None,
        }
    }

    #[test]
    fn a_group_is_told_in_two_lines_and_more_where_something_is_wrong() {
        assert_eq!(
            view().to_string(),
            "billing: stable since 1970-01-01T00:00:00.000Z, 3 partitions (orders/0,1 payments/2)\n  \
             generation 7 as rdkafka-1; rebalances: 2 assigned, 1 revoked, 0 lost; \
             commits: 41 ok, 0 error, 0 fenced"
        );
        let refused = GroupView {
            state: GroupState::Refused,
            cause: Some("not authorized".to_owned()),
            assigned: BTreeMap::new(),
            generation: None,
            blocked: 2,
            ..view()
        };
        assert_eq!(
            refused.to_string(),
            "billing: refused since 1970-01-01T00:00:00.000Z, no partition\n  not authorized\n  \
             rebalances: 2 assigned, 1 revoked, 0 lost; commits: 41 ok, 0 error, 0 fenced\n  blocked: 2"
        );
    }

    #[test]
    fn the_json_of_a_group_says_the_same() {
        let json = serde_json::to_string(&view()).unwrap();
        assert_eq!(
            json,
            r#"{"group":"billing","state":"stable","since":"1970-01-01T00:00:00.000Z","cause":null,"ready":true,"assigned":{"orders":[0,1],"payments":[2]},"generation":7,"member":"rdkafka-1","rebalances":{"assigned":2,"revoked":1,"lost":0},"commits":{"ok":41,"error":0,"fenced":0,"last":null},"blocked":0,"stuck":[],"leftOut":0}"#
        );
    }
}
