//! The thread that polls a group's client, and the one that commits beside it.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::broken::Broken;
use super::commit::MOMENT;
use super::patterns::Patterns;
use super::reset::Resets;
use super::shared::{ReadError, Shared};
use super::stills::{self, Stills};
use super::watchdog;
use super::workers::Needed;
use crate::clock::Clock;
use crate::supervision;
use crate::transport::Member;

/// How long a poll waits at most while there is something to look after: errors of partitions, a batch that
/// is to be read again. Else it waits for an event, a stop or the next tick.
const POLL: Duration = Duration::from_millis(100);
/// How often a group is looked after, with those of its lanes that had no room for what is in their queues.
const TICK: Duration = Duration::from_secs(1);
/// In every fifth tick all lanes are, whether or not they were told of something. A group at rest has
/// only such ticks.
const ALL_LANES: u32 = 5;
/// How long the committer waits before it looks again, whether or not there was anything to commit.
const IDLE: Duration = Duration::from_secs(60);
/// A coordinator that has answered within so long is there.
const HEARD: Duration = Duration::from_secs(1);

/// The thread that polls.
pub(super) struct Control {
    pub(super) shared: Arc<Shared>,
    pub(super) stops: Receiver<Instant>,
    pub(super) read_errors: Receiver<ReadError>,
    pub(super) commit_interval: Duration,
    pub(super) patience: Duration,
    /// They drop what is left of the lanes.
    pub(super) _workers: Arc<Needed>,
}

impl Control {
    fn clock(&self) -> &Clock {
        self.shared.clock()
    }

    pub(super) fn run(
        self,
        client: Arc<dyn Member>,
        patterns: Option<Patterns>,
        ended: oneshot::Sender<bool>,
        closing: oneshot::Sender<()>,
    ) {
        let commits = self.spawn_committer(client.clone());
        let deadline = self.shared.stats.supervision().watch(|| self.turns(&client, patterns));
        // Where it broke, the application halts, and says by when this group has to have ended.
        let deadline = deadline.or_else(|| self.stops.recv().ok()).unwrap_or_else(|| self.clock().now());
        self.shared.stop.end();
        let lanes = self.shared.committer.lanes();
        lanes.iter().for_each(|lane| lane.drain());
        self.shared.fetch_no_more(&*client, &lanes);
        let let_go = self.shared.let_go(&client, &lanes, deadline);
        drop(lanes);
        self.shared.stats.standing().ends();
        let _ = ended.send(let_go.in_time && let_go.committed);
        self.shared.drain.end();
        self.shared.committer.work().give();
        if let Some(commits) = commits {
            let _ = commits.join();
        }
        self.leave(client, closing);
    }

    /// Leaves the group and closes the client, once the coordinator answers.
    ///
    /// librdkafka waits for the answer to each commit before it closes a consumer, and before 2.14.2 it may
    /// crash where the coordinator is away meanwhile. So nobody waits for that: a process ends without it,
    /// and in one that goes on this thread does it when it can be done.
    fn leave(&self, client: Arc<dyn Member>, closing: oneshot::Sender<()>) {
        let committer = &self.shared.committer;
        let mut unanswered = committer.take_unanswered();
        // Without a topic the group was never joined.
        let topic = self.shared.plans.read().unwrap_or_else(PoisonError::into_inner).keys().next().cloned();
        let answers = |patience| topic.as_ref().is_none_or(|topic| client.answers((topic, 0), patience));
        if unanswered.is_some() || !(committer.heard_within(HEARD) || answers(MOMENT)) {
            tracing::warn!(
                group = self.shared.name,
                "the group coordinator does not answer: the group is not left, and its partitions are given \
                 to others when the session has timed out"
            );
            drop(closing);
            client.unsubscribe_unless_named();
            loop {
                client.poll(POLL);
                unanswered = unanswered.and_then(|sent| sent.answer(&|| true).err());
                if unanswered.is_none() && answers(TICK) {
                    break;
                }
            }
        }
        client.close(Duration::from_secs(2));
    }

    /// Polls, until the group is to end; when it has to have ended.
    fn turns(&self, client: &Arc<dyn Member>, mut patterns: Option<Patterns>) -> Instant {
        let mut subscribed = Vec::new();
        // Before the first subscription: one that changes while the group is joined holds all members up.
        patterns.as_mut().map(|patterns| self.match_topics(patterns));
        self.subscribe(&**client, patterns.as_ref(), &mut subscribed);
        let mut next_tick = self.clock().now() + TICK;
        let mut broken = Broken::default();
        let mut resets = Resets::default();
        let mut calm = true;
        let mut ticks: u32 = 0;
        // A poll has to come well within librdkafka's time for one.
        let long_tick = (TICK * ALL_LANES).min(self.patience / 3).max(TICK);
        loop {
            // The other end is never dropped without a message.
            if let Ok(deadline) = self.stops.try_recv() {
                return deadline;
            }
            let now = self.clock().now();
            if let Some(patterns) = &mut patterns
                && self.match_topics(patterns)
            {
                self.subscribe(&**client, Some(&*patterns), &mut subscribed);
            }
            let until_tick = next_tick.saturating_duration_since(now);
            client.poll(match calm {
                _ if self.shared.rejoin.load(Relaxed) => Duration::ZERO,
                true => until_tick,
                false => until_tick.min(POLL),
            });
            let now = self.clock().now();
            if now >= next_tick {
                self.shared.heavy_filled.store(true, Relaxed);
            }
            self.shared.take_in();
            // Whatever ended the wait may have ended the rest.
            next_tick = next_tick.min(now + TICK);
            if self.shared.rejoin.swap(false, Relaxed) {
                client.unsubscribe();
                subscribed.clear();
                self.subscribe(&**client, patterns.as_ref(), &mut subscribed);
            }
            let errors: Vec<_> = self.read_errors.try_iter().collect();
            errors.into_iter().for_each(|error| read_error(&self.shared, &mut broken, &mut resets, error));
            // They ask brokers, and the lanes are to drain where the group stops.
            if !self.shared.is_stopping() {
                resets.go_on(&self.shared, &**client, &mut broken);
                broken.read_again(&self.shared, &**client);
            }
            calm = resets.is_empty() && broken.is_empty();
            if now >= next_tick {
                // The safety net under librdkafka's signs: none that gets lost costs more than a few ticks.
                let lanes = self.shared.committer.lanes();
                lanes
                    .iter()
                    .filter(|lane| lane.has_unread() && !lane.is_heavy() && !lane.is_broken())
                    .for_each(|lane| lane.sample());
                let all = ticks.is_multiple_of(ALL_LANES);
                ticks = ticks.wrapping_add(1);
                lanes
                    .iter()
                    .filter(|lane| !lane.is_broken() && (all || lane.has_unread()))
                    .for_each(|lane| lane.filled());
                lanes
                    .iter()
                    .filter(|lane| lane.is_broken())
                    .for_each(|lane| self.shared.reopen(client, lane));
                watchdog::look(&lanes, &self.shared.stats, self.patience);
                broken.look(&self.shared);
                self.look(&**client);
                if subscribed.is_empty() {
                    // It was refused.
                    self.subscribe(&**client, patterns.as_ref(), &mut subscribed);
                }
                // Topics of patterns are looked for in every tick.
                let rests = calm
                    && patterns.is_none()
                    && !subscribed.is_empty()
                    && self.shared.stats.standing().is_at_rest()
                    && lanes.iter().all(|lane| lane.rests());
                if rests {
                    ticks = 0;
                }
                next_tick = now + if rests { long_tick } else { TICK };
            }
        }
    }

    /// Looks where the group stands, and says what is wrong for long.
    fn look(&self, client: &dyn Member) {
        let member = client
            .membership()
            .filter(|membership| !membership.member.is_empty() && membership.generation > 0);
        let connected = self.shared.producer.is_connected();
        let now = self.clock().now();
        let mut standing = self.shared.stats.standing();
        let wrong = standing.look(now, member.as_ref().map(|member| member.generation), connected);
        standing.is_known_as(member.map(|member| member.member));
        drop(standing);
        if let Some(wrong) = wrong {
            tracing::error!(group = self.shared.name, "{wrong}");
        }
    }

    /// Commits on a thread of its own: a slow coordinator holds up no poll.
    fn spawn_committer(&self, client: Arc<dyn Member>) -> Option<std::thread::JoinHandle<()>> {
        let (shared, interval) = (self.shared.clone(), self.commit_interval);
        let thread = supervision::spawn(
            format!("narad {} commit", self.shared.name),
            self.shared.stats.supervision().clone(),
            move || {
                let mut stills = Stills::default();
                while !shared.drain.is_over() {
                    shared.drain.wait(interval);
                    shared.commit(&client);
                    if stills::is_heard() {
                        stills.look(shared.partitions(), shared.clock().wall()).iter().for_each(stills::say);
                    }
                    if !shared.committer.has_work() {
                        shared.committer.work().wait(IDLE);
                    }
                }
            },
        );
        thread
            .inspect_err(|error| {
                tracing::error!(group = self.shared.name, %error, "no thread for \
         commits: only the end commits")
            })
            .ok()
    }

    /// Matches patterns against the cluster's topics, where these were read anew.
    fn match_topics(&self, patterns: &mut Patterns) -> bool {
        let is_assigned =
            |topic: &str| self.shared.committer.lanes().iter().any(|lane| &*lane.source().topic == topic);
        let mut plans = self.shared.plans.write().unwrap_or_else(PoisonError::into_inner);
        let anew = patterns.look(&self.shared.name, &mut plans, is_assigned);
        self.shared.stats.set_left_out(patterns.left_out());
        anew
    }

    /// Subscribes to what there is. Where all of it was deleted the subscription stays as it is: the group is
    /// not left for that.
    fn subscribe(&self, client: &dyn Member, patterns: Option<&Patterns>, subscribed: &mut Vec<String>) {
        let plans = self.shared.plans.read().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = |topic: &&String| patterns.is_none_or(|patterns| patterns.subscribes(topic));
        let mut topics: Vec<String> = plans.keys().filter(is_wanted).cloned().collect();
        drop(plans);
        topics.sort();
        if topics.is_empty() || topics == *subscribed {
            return;
        }
        match client.subscribe(&topics.iter().map(String::as_str).collect::<Vec<_>>()) {
            Ok(()) => *subscribed = topics,
            Err(error) => tracing::error!(group = self.shared.name, error, "cannot subscribe"),
        }
    }
}

/// Something in the queue of a partition that is no record.
fn read_error(group: &Shared, broken: &mut Broken, resets: &mut Resets, error: ReadError) {
    if !error.assignment.is_current() {
        return;
    }
    let ReadError { topic, partition, unread, .. } = &error;
    match unread.fault {
        // The log is not what it was: librdkafka has stopped to read it. Or it only thinks so.
        _ if unread.is_of_another_log() => resets.met(error),
        _ if unread.is_broken_batch() => broken.met(group, topic, *partition, unread),
        fault if fault.is_refusal() => {
            group.stats.standing().stalls(topic, *partition, unread.offset, &unread.reason);
            // The partitions stand in health.
            group.refused(&format!("{topic}: {fault}"));
        }
        fault => group.client_error(Some(fault), false, &format!("{topic}/{partition}: {fault}")),
    }
}
