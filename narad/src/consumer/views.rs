//! A group as views show it: from before its start until after its end.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, Weak};

use super::commit_gate::Committed;
use super::lane::Lane;
use super::log_ends::{LogEnd, LogEnds, Onlookers};
use super::shared::Shared;
use super::stats::GroupStats;
use crate::application::Told;
use crate::clock::Clock;
use crate::transport::{Member, Position};
use crate::view::{FailureView, GroupView, HandlerView, LaneView};

/// What is shown of a group. It keeps nothing of the group running.
#[derive(Debug)]
pub(crate) struct Shown {
    stats: Arc<GroupStats>,
    /// The group, once it runs.
    running: OnceLock<Weak<Shared>>,
    /// Its client, likewise.
    member: OnceLock<Weak<dyn Member>>,
    ends: LogEnds,
    onlookers: Arc<Onlookers>,
}

/// The client of a group that runs, and its partitions.
type Running = (Arc<dyn Member>, Vec<Arc<Lane>>);

impl Told for Shown {
    fn group(&self) -> GroupView {
        self.group()
    }

    fn handlers(&self) -> Vec<HandlerView> {
        self.handlers()
    }

    fn partitions(&self) -> Vec<LaneView> {
        self.partitions()
    }

    fn failures(&self) -> Vec<FailureView> {
        self.stats.failures().kept()
    }

    fn ends(&self) {
        self.stats.standing().ends();
    }
}

impl Shown {
    pub(crate) fn new(stats: Arc<GroupStats>, onlookers: Arc<Onlookers>) -> Arc<Self> {
        let (running, member) = (OnceLock::new(), OnceLock::new());
        Arc::new(Self { stats, running, member, ends: LogEnds::default(), onlookers })
    }

    pub(crate) fn stats(&self) -> &Arc<GroupStats> {
        &self.stats
    }

    /// From now on it runs.
    pub(super) fn runs(&self, group: &Arc<Shared>) {
        let _ = self.running.set(Arc::downgrade(group));
    }

    /// This is its client.
    pub(super) fn has_member(&self, member: &Arc<dyn Member>) {
        let _ = self.member.set(Arc::downgrade(member));
    }

    /// The client of the group and its partitions; `None` where it does not run, or ends.
    pub(super) fn running_member(&self) -> Option<Running> {
        let group = self.running.get().and_then(Weak::upgrade).filter(|group| !group.is_stopping())?;
        Some((self.member.get()?.upgrade()?, group.committer.lanes()))
    }

    /// Where its partitions end.
    pub(super) fn ends(&self) -> &LogEnds {
        &self.ends
    }

    pub(crate) fn group(&self) -> GroupView {
        let mut assigned = BTreeMap::<String, Vec<i32>>::new();
        for lane in self.lanes() {
            assigned.entry(lane.source().topic.to_string()).or_default().push(lane.source().partition);
        }
        let standing = self.stats.standing();
        let (now, stood) = standing.stands();
        let (generation, member) = standing.membership();
        let (ready, rebalances) = (standing.is_ready(), standing.rebalances());
        drop(standing);
        GroupView {
            group: self.stats.name().to_owned(),
            state: now.state,
            since: now.since,
            cause: now.cause,
            ready,
            assigned,
            generation,
            member,
            rebalances,
            commits: self.stats.commits().view(),
            blocked: self.stats.blocked_records(),
            stuck: self.stats.stuck(),
            left_out: self.stats.left_out(),
            stood,
        }
    }

    pub(crate) fn handlers(&self) -> Vec<HandlerView> {
        let mut in_flight = BTreeMap::<String, usize>::new();
        for lane in self.lanes() {
            for (handler, records) in lane.look().with {
                *in_flight.entry(handler).or_default() += records;
            }
        }
        self.stats.counts().view(self.stats.name(), |handler| in_flight.get(handler).copied().unwrap_or(0))
    }

    pub(crate) fn partitions(&self) -> Vec<LaneView> {
        let (clock, running) = (self.stats.clock(), self.running.get().and_then(Weak::upgrade));
        self.onlookers.look(clock.now());
        let mut views = running.map_or_else(Vec::new, |group| group.partitions());
        for view in &mut views {
            if let Some(end) = self.ends.of(&view.topic, view.partition, clock.now()) {
                falls_behind(view, end, clock);
            }
        }
        views
    }

    fn lanes(&self) -> Vec<Arc<Lane>> {
        self.running.get().and_then(Weak::upgrade).map_or_else(Vec::new, |group| group.committer.lanes())
    }
}

impl Shared {
    /// What is shown of each partition that the process has.
    pub(super) fn partitions(&self) -> Vec<LaneView> {
        let failure = self.stats.standing().why_uncommitted();
        let views = self.committer.committed().into_iter().map(|Committed { lane, position, at }| {
            let mut view = lane.view(self.stats.name());
            view.committed = position.map(|Position { next, .. }| next);
            view.committed_at = at;
            view.uncommitted = why_uncommitted(&view, failure.as_deref());
            view
        });
        views.collect()
    }
}

/// How far a partition is behind its end.
fn falls_behind(view: &mut LaneView, LogEnd { offset, behind, .. }: LogEnd, clock: &Clock) {
    let done = view.committed.or(view.next_commit).unwrap_or(offset);
    view.end = Some(offset);
    view.lag = Some(u64::try_from(offset - done).unwrap_or(0));
    let waits = match &view.oldest {
        Some(oldest) => {
            oldest.timestamp.map(|timestamp| clock.wall().duration_since(timestamp).unwrap_or_default())
        }
        // What came before the last answer may be finished by now.
        None if view.next_commit.is_some_and(|next| next >= offset) => None,
        None => behind.map(|since| clock.now().saturating_duration_since(since)),
    };
    view.lag_time = Some(waits.unwrap_or_default());
}

/// Why not all that was read of a partition is committed.
fn why_uncommitted(view: &LaneView, failure: Option<&str>) -> Option<String> {
    let committed = view.committed.unwrap_or(-1);
    if view.next_read.is_none_or(|read| read <= committed) {
        return None;
    }
    let is_finished = view.next_commit.is_some_and(|next| next > committed);
    Some(match (is_finished, failure, &view.oldest, &view.call) {
        (true, Some(failure), ..) => format!("the last commit failed: {failure}"),
        (true, None, ..) => "what is finished is committed next".to_owned(),
        (false, _, Some(oldest), _) => format!("the record at {} is not finished", oldest.offset),
        (false, _, None, Some(call)) => {
            format!("a worker is inside of a handler with the record at {}", call.offset)
        }
        (false, ..) => "nobody has looked at what was read so far".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::view::CallView;

    #[test]
    fn what_is_not_committed_has_its_reason() {
        let view = |read, finished, committed| {
            let mut view = LaneView::example();
            (view.next_read, view.next_commit, view.committed) = (Some(read), Some(finished), committed);
            view
        };
        let why = |view: &LaneView, failure| why_uncommitted(view, failure).unwrap_or_default();
        assert_eq!(why(&view(9, 9, Some(9)), Some("denied")), "", "all of it is");
        assert_eq!(why(&view(9, 9, Some(5)), Some("denied")), "the last commit failed: denied");
        assert_eq!(why(&view(9, 9, None), None), "what is finished is committed next");
        assert_eq!(why(&view(9, 5, Some(5)), Some("denied")), "the record at 100 is not finished");
        let mut held = view(9, 5, Some(5));
        held.oldest = None;
        held.call = Some(CallView { offset: 5, since: SystemTime::UNIX_EPOCH });
        assert_eq!(why(&held, None), "a worker is inside of a handler with the record at 5");
        let unread = LaneView { next_read: None, ..view(9, 9, None) };
        assert_eq!(why(&unread, None), "");
    }
}
