//! What the thread that polls a group's client does between two polls.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::broken::Broken;
use super::lane::Lane;
use super::patterns::Patterns;
use super::reset::Resets;
use super::shared::{ReadError, Shared};
use super::watchdog;
use crate::clock::{Step, Steps};
use crate::transport::Member;

/// How long a poll waits at most while there is something to look after: errors of partitions, a batch that
/// is to be read again. Else it waits for an event, a stop or the next tick.
const POLL: Duration = Duration::from_millis(100);
/// How often a group is looked after, with those of its lanes that had no room for what is in their queues.
const TICK: Duration = Duration::from_secs(1);
/// In every fifth tick all lanes are, whether or not they were told of something. A group at rest has
/// only such ticks.
const ALL_LANES: u32 = 5;

/// What a group that runs is told by others, and how long an attempt may take before it is stuck.
pub(super) struct Told {
    /// To stop, and by when all of it has to have ended.
    pub(super) stops: Receiver<Instant>,
    pub(super) read_errors: Receiver<ReadError>,
    pub(super) patience: Duration,
}

/// A group that runs: what is looked after after each poll. It ends with the time when the group has to have
/// ended.
pub(super) struct Polling<'a> {
    group: &'a Shared,
    told: &'a Told,
    client: &'a Arc<dyn Member>,
    patterns: Option<Patterns>,
    subscribed: Vec<String>,
    broken: Broken,
    resets: Resets,
    next_tick: Instant,
    long_tick: Duration,
    ticks: u32,
}

impl<'a> Polling<'a> {
    /// Subscribes for the first time.
    pub(super) fn new(
        group: &'a Shared,
        told: &'a Told,
        client: &'a Arc<dyn Member>,
        patterns: Option<Patterns>,
    ) -> Self {
        let mut polling = Self {
            group,
            told,
            client,
            patterns,
            subscribed: Vec::new(),
            broken: Broken::default(),
            resets: Resets::default(),
            next_tick: group.clock().now() + TICK,
            // A poll has to come well within librdkafka's time for one.
            long_tick: (TICK * ALL_LANES).min(told.patience / 3).max(TICK),
            ticks: 0,
        };
        // Before the first subscription: one that changes while the group is joined holds all members up.
        polling.match_topics();
        polling.subscribe();
        polling
    }

    /// The safety net under librdkafka's signs: none that gets lost costs more than a few ticks.
    fn tick(&mut self, now: Instant) {
        let group = self.group;
        let lanes = group.committer.lanes();
        lanes
            .iter()
            .filter(|lane| lane.has_unread() && !lane.is_heavy() && !lane.is_broken())
            .for_each(|lane| lane.sample());
        let all = self.ticks.is_multiple_of(ALL_LANES);
        self.ticks = self.ticks.wrapping_add(1);
        lanes
            .iter()
            .filter(|lane| !lane.is_broken() && (all || lane.has_unread()))
            .for_each(|lane| lane.filled());
        lanes.iter().filter(|lane| lane.is_broken()).for_each(|lane| group.reopen(self.client, lane));
        watchdog::look(&lanes, &group.stats, self.told.patience);
        self.broken.look(group);
        self.look();
        if self.subscribed.is_empty() {
            // It was refused.
            self.subscribe();
        }
        let rests = self.rests(&lanes);
        if rests {
            self.ticks = 0;
        }
        self.next_tick = now + if rests { self.long_tick } else { TICK };
    }

    fn is_calm(&self) -> bool {
        self.resets.is_empty() && self.broken.is_empty()
    }

    fn rests(&self, lanes: &[Arc<Lane>]) -> bool {
        // Topics of patterns are looked for in every tick.
        self.is_calm()
            && self.patterns.is_none()
            && !self.subscribed.is_empty()
            && self.group.stats.standing().is_at_rest()
            && lanes.iter().all(|lane| lane.rests())
    }

    /// Looks where the group stands, and says what is wrong for long.
    fn look(&self) {
        let group = self.group;
        let member = self
            .client
            .membership()
            .filter(|membership| !membership.member.is_empty() && membership.generation > 0);
        let connected = group.producer.is_connected();
        let now = group.clock().now();
        let mut standing = group.stats.standing();
        let wrong = standing.look(now, member.as_ref().map(|member| member.generation), connected);
        standing.is_known_as(member.map(|member| member.member));
        drop(standing);
        if let Some(wrong) = wrong {
            tracing::error!(group = group.name, "{wrong}");
        }
    }

    /// Matches patterns against the cluster's topics, where these were read anew.
    fn match_topics(&mut self) -> bool {
        let group = self.group;
        let Some(patterns) = &mut self.patterns else { return false };
        let is_assigned =
            |topic: &str| group.committer.lanes().iter().any(|lane| &*lane.source().topic == topic);
        let mut plans = group.plans.write().unwrap_or_else(PoisonError::into_inner);
        let anew = patterns.look(&group.name, &mut plans, is_assigned);
        group.stats.set_left_out(patterns.left_out());
        anew
    }

    /// Subscribes to what there is. Where all of it was deleted the subscription stays as it is: the group is
    /// not left for that.
    fn subscribe(&mut self) {
        let group = self.group;
        let plans = group.plans.read().unwrap_or_else(PoisonError::into_inner);
        let is_wanted =
            |topic: &&String| self.patterns.as_ref().is_none_or(|patterns| patterns.subscribes(topic));
        let mut topics: Vec<String> = plans.keys().filter(is_wanted).cloned().collect();
        drop(plans);
        topics.sort();
        if topics.is_empty() || topics == self.subscribed {
            return;
        }
        match self.client.subscribe(&topics.iter().map(String::as_str).collect::<Vec<_>>()) {
            Ok(()) => self.subscribed = topics,
            Err(error) => tracing::error!(group = group.name, error, "cannot subscribe"),
        }
    }
}

impl Steps for Polling<'_> {
    type Done = Instant;

    fn step(&mut self, now: Instant) -> Step<Instant> {
        let group = self.group;
        if now >= self.next_tick {
            group.heavy_filled.store(true, Relaxed);
        }
        group.take_in();
        let ticks = now >= self.next_tick;
        // Whatever ended the wait may have ended the rest.
        self.next_tick = self.next_tick.min(now + TICK);
        if group.rejoin.swap(false, Relaxed) {
            self.client.unsubscribe();
            self.subscribed.clear();
            self.subscribe();
        }
        let errors: Vec<_> = self.told.read_errors.try_iter().collect();
        errors.into_iter().for_each(|error| read_error(group, &mut self.broken, &mut self.resets, error));
        // They ask brokers, and the lanes are to drain where the group stops.
        if !group.is_stopping() {
            self.resets.go_on(group, &**self.client, &mut self.broken);
            self.broken.read_again(group, &**self.client);
        }
        if ticks {
            self.tick(now);
        }
        // The other end is never dropped without a message.
        if let Ok(deadline) = self.told.stops.try_recv() {
            return Step::Done(deadline);
        }
        if self.match_topics() {
            self.subscribe();
        }
        Step::By(match self.is_calm() {
            _ if group.rejoin.load(Relaxed) => now,
            true => self.next_tick,
            false => self.next_tick.min(now + POLL),
        })
    }

    fn wait(&mut self, at_most: Duration) {
        self.client.poll(at_most);
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
