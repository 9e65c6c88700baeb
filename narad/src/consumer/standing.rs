//! Where a group stands, for health and for the log: fed by what happens to it, looked at once a second by
//! the thread that polls.
//!
//! librdkafka tells of some refusals once, of others with each request, and of a coordinator that is never
//! there not at all. So the time tells, too: a group that is out for longer than its session is not ready,
//! and says so, with the cause as far as it is known.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use crate::clock::Clock;
use crate::transport::{Class, Fault};
use crate::view::{GroupEvent, GroupState, Rebalances, Stood};

/// What is wrong for long is said again after this.
const SAY_AGAIN: Duration = Duration::from_secs(60);
/// A member that is in the same generation for so long has joined, whether or not it was told partitions.
const SETTLED: Duration = Duration::from_secs(3);

/// Of one group.
#[derive(Debug)]
pub(crate) struct Standing {
    clock: Clock,
    /// So long a member may be silent, and a group be out of work.
    pub(crate) session: Duration,
    state: GroupState,
    since: SystemTime,
    entered: Instant,
    cause: Option<String>,
    /// As which member it stood when its end began.
    stood: Option<Stood>,
    rebalances: Rebalances,
    /// As whom the coordinator knows the process.
    member: Option<String>,
    has_joined: bool,
    /// Since when the process is not a member that has its partitions.
    out: Option<Instant>,
    /// The generation that it is in, and since when; and the one that no longer counts.
    generation: Option<(i32, Instant)>,
    over: i32,
    /// When the last refusal was heard; those that last are repeated well within [`SAY_AGAIN`].
    heard: Option<Instant>,
    /// Partitions that stand still: at which offset, and why.
    stalled: BTreeMap<(String, i32), (i64, String)>,
    /// Since when no commit was taken, and why not.
    uncommitted: Option<(Instant, String)>,
    said: Option<Instant>,
}

impl Standing {
    pub(super) fn new(clock: Clock) -> Self {
        let now = clock.now();
        Self {
            session: Duration::from_secs(45),
            state: GroupState::Joining,
            since: clock.wall(),
            entered: now,
            cause: None,
            stood: None,
            rebalances: Rebalances::default(),
            member: None,
            has_joined: false,
            out: Some(now),
            generation: None,
            over: -1,
            heard: None,
            stalled: BTreeMap::new(),
            uncommitted: None,
            said: None,
            clock,
        }
    }

    /// The group gave this process its partitions, maybe none.
    pub(super) fn assigned(&mut self) {
        self.rebalances.assigned += 1;
        self.joined();
    }

    /// Partitions were taken: the group is shared out anew.
    pub(super) fn revoked(&mut self) {
        self.rebalances.revoked += 1;
        self.over = self.generation.map_or(-1, |(generation, _)| generation);
        self.happens(GroupEvent::Revoked, self.clock.now());
    }

    /// Partitions are others': the process was no member any more before it knew.
    pub(super) fn lost(&mut self) {
        self.rebalances.lost += 1;
        self.is_out();
    }

    /// It is to end: what is in flight is finished, and nothing more is taken.
    pub(super) fn stops(&mut self) {
        self.happens(GroupEvent::Stops, self.clock.now());
    }

    /// Nothing of it runs here any more.
    pub(crate) fn ends(&mut self) {
        (self.generation, self.member) = (None, None);
        self.happens(GroupEvent::Ends, self.clock.now());
    }

    fn joined(&mut self) {
        self.has_joined = true;
        self.happens(GroupEvent::Joined, self.clock.now());
    }

    /// The process is no member any more.
    fn is_out(&mut self) {
        self.generation = None;
        self.happens(GroupEvent::Lost, self.clock.now());
    }

    /// The coordinator refuses the process.
    pub(super) fn refused(&mut self, cause: String) {
        self.over = self.generation.map_or(-1, |(generation, _)| generation);
        self.heard = Some(self.clock.now());
        self.happens(GroupEvent::Refused, self.clock.now());
        if self.state == GroupState::Refused {
            self.cause = Some(cause);
        }
    }

    /// A partition cannot be read on from this offset.
    pub(super) fn stalls(&mut self, topic: &str, partition: i32, offset: i64, cause: &str) {
        self.stalled.insert((topic.to_owned(), partition), (offset, cause.to_owned()));
        self.judge(self.clock.now());
    }

    /// Looks at the partitions that stand still: those that went on, or are not this process's any more, are
    /// taken out, and given back.
    pub(super) fn flows(&mut self, goes_on: impl Fn(&str, i32, i64) -> bool) -> Vec<(String, i32)> {
        let went_on = self
            .stalled
            .iter()
            .filter(|((topic, partition), (offset, _))| goes_on(topic, *partition, *offset));
        let went_on: Vec<_> = went_on.map(|(place, _)| place.clone()).collect();
        for place in &went_on {
            self.stalled.remove(place);
        }
        if !went_on.is_empty() {
            self.judge(self.clock.now());
        }
        went_on
    }

    /// Why the last commit was not taken; `None` where it was.
    pub(super) fn why_uncommitted(&self) -> Option<String> {
        self.uncommitted.as_ref().map(|(_, cause)| cause.clone())
    }

    /// How a commit went.
    pub(super) fn committed(&mut self, failure: Option<String>) {
        self.uncommitted = failure.map(|cause| {
            (self.uncommitted.take().map_or_else(|| self.clock.now(), |(since, _)| since), cause)
        });
    }

    /// Looks at the time, and at what the process is to its group: the generation that it is in, if any.
    /// Gives what is to be said.
    pub(super) fn look(&mut self, now: Instant, generation: Option<i32>, connected: bool) -> Option<String> {
        match (generation, self.generation) {
            (Some(generation), Some((known, since))) if generation == known => {
                let waits =
                    matches!(self.state, GroupState::Joining | GroupState::Rebalancing | GroupState::Refused);
                let over = generation == self.over
                    && self.heard.is_none_or(|heard| now.duration_since(heard) < SAY_AGAIN);
                if waits && !over && now.duration_since(since) >= SETTLED {
                    self.joined();
                }
            }
            (Some(generation), _) => self.generation = Some((generation, now)),
            (None, Some(_)) => self.is_out(),
            (None, None) => {}
        }
        self.judge(now);
        let out = self.out.map(|out| now.duration_since(out)).filter(|out| *out > self.session);
        if out.is_some() && connected && self.cause.is_none() {
            self.cause = Some(
                "no coordinator lets it in: look whether the brokers can make the topic __consumer_offsets \
                 (offsets.topic.replication.factor \
                 must not be above the number of brokers) and what the coordinator's log says; members that are slow to join again hold up a join, too"
                    .to_owned(),
            );
        }
        // What stalls is said when it begins, by whoever finds it.
        let stalls = self.state == GroupState::Stalled && now.duration_since(self.entered) > self.session;
        let wrong = (out.is_some() && connected) || stalls;
        if !wrong {
            self.said = None;
        } else if self.said.is_none_or(|said| now.duration_since(said) >= SAY_AGAIN) {
            self.said = Some(now);
            let cause = self.cause.as_deref().unwrap_or("not known");
            return Some(match out {
                Some(out) => {
                    format!("not a member of its group for {} s, nothing is handled: {cause}", out.as_secs())
                }
                None => format!("makes no progress: {cause}"),
            });
        }
        None
    }

    /// Whether the group is what it is to be, and nothing is on its way to be otherwise.
    pub(super) fn is_at_rest(&self) -> bool {
        self.state == GroupState::Stable && self.stalled.is_empty() && self.uncommitted.is_none()
    }

    /// Where it stands, since when, and why; and as which member, once its end has begun.
    pub(super) fn stands(&self) -> (Stood, Option<Stood>) {
        (Stood { state: self.state, since: self.since, cause: self.cause.clone() }, self.stood.clone())
    }

    /// Whether it does its work, or is out of it for no longer than it may be.
    pub(super) fn is_ready(&self) -> bool {
        let in_time = self.out.is_none_or(|out| self.clock.now().duration_since(out) <= self.session);
        let state = self.stood.as_ref().map_or(self.state, |stood| stood.state);
        self.has_joined && in_time && state != GroupState::Stalled
    }

    /// The generation that the process is in, and its name there.
    pub(super) fn membership(&self) -> (Option<i32>, Option<String>) {
        (self.generation.map(|(generation, _)| generation), self.member.clone())
    }

    /// As whom the coordinator knows the process.
    pub(super) fn is_known_as(&mut self, member: Option<String>) {
        self.member = member;
    }

    pub(super) fn rebalances(&self) -> Rebalances {
        self.rebalances
    }

    /// Whether what is known makes the group one that stands still.
    fn judge(&mut self, now: Instant) {
        let uncommitted =
            self.uncommitted.as_ref().filter(|(since, _)| now.duration_since(*since) > self.session);
        let cause = match (self.stalled.first_key_value(), uncommitted) {
            (Some(((topic, partition), (offset, cause))), _) => {
                let others = match self.stalled.len() {
                    1 => String::new(),
                    more => format!("; and {} more partitions", more - 1),
                };
                Some(format!("{topic}/{partition} stands still at offset {offset}: {cause}{others}"))
            }
            (None, Some((since, cause))) => {
                Some(format!("nothing was committed for {} s: {cause}", now.duration_since(*since).as_secs()))
            }
            (None, None) => None,
        };
        self.happens(if cause.is_some() { GroupEvent::Stalls } else { GroupEvent::Flows }, now);
        if self.state == GroupState::Stalled {
            self.cause = cause;
        }
    }

    fn happens(&mut self, what: GroupEvent, now: Instant) {
        let state = self.state.after(what);
        if state == self.state {
            return;
        }
        let ends = matches!(state, GroupState::Draining | GroupState::Ended);
        if ends && self.stood.is_none() {
            self.stood = Some(self.stands().0);
        }
        (self.state, self.since, self.entered, self.cause) = (state, self.clock.wall(), now, None);
        match state {
            GroupState::Stable | GroupState::Stalled => self.out = None,
            GroupState::Joining | GroupState::Rebalancing | GroupState::Refused => {
                self.out = self.out.or(Some(now));
            }
            // Its time as a member is over, and is not counted any more.
            GroupState::Draining | GroupState::Ended => {}
        }
    }
}

/// What a refusal of the coordinator means, and what mends it; `None` where it is about something else.
pub(super) fn refusal(fault: Fault, group: &str, reason: &str) -> Option<String> {
    let advice = match fault.class {
        Class::GroupDenied => format!(
            "the user may not read the group: it needs READ on \
         group {group}"
        ),
        Class::SessionTimeout => {
            "the brokers do not allow this session timeout: NARAD_KAFKA_SESSION_TIMEOUT_MS has to be \
             between their group.min.session.timeout.ms \
             and group.max.session.timeout.ms"
                .to_owned()
        }
        Class::GroupProtocol => {
            "a member of the group uses another way to share it out: stop that one, or set \
             NARAD_KAFKA_PARTITION_ASSIGNMENT_STRATEGY to one that \
             all members have"
                .to_owned()
        }
        Class::GroupFull => "the group has as many members as group.max.size of the brokers \
         allows"
            .to_owned(),
        Class::InvalidGroup => "the brokers do not take this name of a group".to_owned(),
        Class::UnsupportedAssignor => "the brokers do not have this assignor".to_owned(),
        _ if reason.starts_with("JoinGroup failed")
            || reason.starts_with("ConsumerGroupHeartbeat failed") =>
        {
            "the coordinator's log says more".to_owned()
        }
        _ => return None,
    };
    Some(format!("{reason}: {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: Duration = Duration::from_secs(45);

    fn health(standing: &Standing) -> (GroupState, bool) {
        (standing.state, standing.is_ready())
    }

    #[test]
    fn a_group_is_ready_once_it_has_joined_also_without_partitions() {
        let mut standing = Standing::new(Clock::real());
        assert_eq!(health(&standing), (GroupState::Joining, false));
        let now = Instant::now();
        assert_eq!(standing.look(now, Some(3), true), None);
        assert_eq!(
            health(&standing),
            (GroupState::Joining, false),
            "it may be told partitions at any moment"
        );
        assert_eq!(standing.look(now + SETTLED, Some(3), true), None);
        assert_eq!(health(&standing), (GroupState::Stable, true));
    }

    #[test]
    fn a_coordinator_that_never_answers_is_said_after_a_session_and_again_after_a_while() {
        let mut standing = Standing::new(Clock::real());
        let now = Instant::now();
        assert_eq!(standing.look(now + SESSION / 2, None, true), None);
        assert_eq!(
            standing.look(now + SESSION * 2, None, false),
            None,
            "an outage is said by the connection"
        );
        let said =
            standing.look(now + SESSION * 2, None, true).expect("it is out for longer than its session");
        assert!(said.contains("offsets.topic.replication.factor"), "{said}");
        assert_eq!(standing.look(now + SESSION * 2 + SAY_AGAIN / 2, None, true), None);
        assert!(standing.look(now + SESSION * 2 + SAY_AGAIN, None, true).is_some());
    }

    #[test]
    fn a_refusal_stays_until_the_group_is_joined_in_another_generation() {
        let mut standing = Standing::new(Clock::real());
        let now = Instant::now();
        standing.look(now, Some(3), true);
        standing.assigned();
        standing.refused("denied".to_owned());
        standing.look(now + SETTLED * 2, Some(3), true);
        assert_eq!(
            health(&standing),
            (GroupState::Refused, true),
            "within its session it still has what it had"
        );
        assert_eq!(standing.cause.as_deref(), Some("denied"));
        let said = standing.look(now + SESSION + SETTLED, Some(3), true).expect("out for long");
        assert!(said.contains("denied"), "{said}");
        standing.look(now + SESSION * 2, Some(4), true);
        standing.look(now + SESSION * 2 + SETTLED, Some(4), true);
        assert_eq!(health(&standing), (GroupState::Stable, true));
    }

    #[test]
    fn what_stands_still_is_named_until_it_goes_on() {
        let mut standing = Standing::new(Clock::real());
        standing.assigned();
        standing.stalls("orders", 3, 17, "broken");
        assert_eq!(health(&standing), (GroupState::Stalled, false));
        assert_eq!(standing.cause.as_deref(), Some("orders/3 stands still at offset 17: broken"));
        assert!(standing.flows(|_, _, _| false).is_empty());
        assert_eq!(health(&standing), (GroupState::Stalled, false));
        let went_on =
            standing.flows(|topic, partition, offset| (topic, partition, offset) == ("orders", 3, 17));
        assert_eq!(went_on, [("orders".to_owned(), 3)]);
        assert_eq!(health(&standing), (GroupState::Stable, true));
    }

    #[test]
    fn commits_that_fail_for_longer_than_a_session_show() {
        let mut standing = Standing::new(Clock::real());
        standing.assigned();
        standing.committed(Some("denied".to_owned()));
        let now = Instant::now();
        assert_eq!(standing.look(now, Some(1), true), None);
        assert_eq!(
            standing.look(now + SESSION * 2, Some(1), true),
            None,
            "each failure is said by who commits"
        );
        assert_eq!(health(&standing), (GroupState::Stalled, false));
        let said = standing.look(now + SESSION * 4, Some(1), true).expect("for long");
        assert!(said.contains("nothing was committed") && said.contains("denied"), "{said}");
        standing.committed(None);
        assert_eq!(standing.look(now + SESSION * 4, Some(1), true), None);
        assert_eq!(health(&standing), (GroupState::Stable, true));
    }

    #[test]
    fn a_member_that_was_thrown_out_is_ready_for_a_session_more() {
        let mut standing = Standing { session: Duration::ZERO, ..Standing::new(Clock::real()) };
        standing.assigned();
        standing.lost();
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(health(&standing), (GroupState::Joining, false));
        standing.session = SESSION;
        assert_eq!(health(&standing), (GroupState::Joining, true));
    }

    #[test]
    fn a_group_that_drains_and_ends_is_told_as_what_it_stood_before() {
        let mut standing = Standing::new(Clock::real());
        standing.assigned();
        standing.stops();
        standing.revoked();
        standing.refused("denied".to_owned());
        let (now, before) = standing.stands();
        assert_eq!((now.state, now.cause), (GroupState::Draining, None));
        assert_eq!(before.expect("a member").state, GroupState::Stable);
        assert!(standing.is_ready(), "health says that the application drains");
        standing.ends();
        standing.stops();
        let (now, before) = standing.stands();
        assert_eq!(
            (now.state, before.map(|stood| stood.state)),
            (GroupState::Ended, Some(GroupState::Stable))
        );
        assert_eq!(standing.rebalances(), Rebalances { assigned: 1, revoked: 1, ..Rebalances::default() });
    }
}
