//! One consumer group: the thread that polls, the thread that commits, and what they share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::broken::Broken;
use super::commit::{Committer, MOMENT, log_failure};
use super::lane::{Lane, Limits};
use super::patterns::Patterns;
use super::plan::TopicPlan;
use super::refusals::Refusals;
use super::reset::Resets;
use super::room::Room;
use super::standing;
use super::stats::GroupStats;
use super::watchdog::Watchdog;
use super::workers::{Needed, ReadyLanes};
use crate::producer::Producer;
use crate::record::Assignment;
use crate::supervision;
use crate::transport::{Client, ClientProperties, PartitionQueue, QueueError, Signal, Unread, membership};

/// How long a poll waits at most while there is something to look after: errors of partitions, a batch that
/// is to be read again. Else it waits for an event, a stop or the next tick.
const POLL: Duration = Duration::from_millis(100);
/// So often a group is looked after, with those of its lanes that had no room for what is in their queues.
const TICK: Duration = Duration::from_secs(1);
/// In every fifth tick all lanes are, whether or not they were told of something. A group at rest has
/// only such ticks.
const ALL_LANES: u32 = 5;
/// Who commits looks again after so long, whether or not there was anything to commit.
const IDLE: Duration = Duration::from_secs(60);
/// A coordinator that has answered within so long is there.
const HEARD: Duration = Duration::from_secs(1);

/// Something of a partition could not be read.
#[derive(Debug)]
pub(super) struct ReadError {
    pub(super) topic: String,
    pub(super) partition: i32,
    /// The one that it was met in: of a later one of the same partition it says nothing.
    pub(super) assignment: Arc<Assignment>,
    pub(super) unread: Unread,
}

/// A group as it is to run.
pub(crate) struct GroupParts {
    pub(crate) name: String,
    pub(crate) client: ClientProperties,
    pub(crate) topics: HashMap<String, Arc<TopicPlan>>,
    /// `None` where the group has no pattern.
    pub(crate) patterns: Option<Patterns>,
    pub(crate) producer: Producer,
    pub(crate) workers: Arc<Needed>,
    pub(crate) room: Arc<Room>,
    pub(crate) stats: Arc<GroupStats>,
    pub(crate) commit_interval: Duration,
    pub(crate) revoke_deadline: Duration,
    /// An attempt that takes longer is stuck.
    pub(crate) patience: Duration,
}

/// What the threads of a group share.
pub(crate) struct Shared {
    pub(super) name: String,
    /// The name that the process has as a static member of the group.
    instance: Option<String>,
    pub(super) committer: Committer,
    pub(super) stats: Arc<GroupStats>,
    pub(super) producer: Producer,
    pub(super) ready: Arc<ReadyLanes>,
    pub(super) room: Arc<Room>,
    /// What librdkafka may fetch ahead of each partition.
    pub(super) limits: Limits,
    /// Something came of a heavy partition, whose lane may be long in coming.
    pub(super) heavy_filled: Arc<AtomicBool>,
    pub(super) revoke_deadline: Duration,
    pub(super) read_errors: Sender<ReadError>,
    /// Queues of partitions that are about to be assigned, for their lanes: nothing is read before it is
    /// known where to begin.
    pub(super) detached: Mutex<Vec<(Arc<Lane>, PartitionQueue)>>,
    /// The group is to be left and joined anew.
    pub(super) rejoin: AtomicBool,
    plans: RwLock<HashMap<String, Arc<TopicPlan>>>,
    fatal: Mutex<Option<String>>,
    refusals: Mutex<Refusals>,
    /// Nobody waits for the end: the run was dropped, and its runtime may follow.
    abandoned: AtomicBool,
    /// Over when the group is to stop.
    stop: Pauses,
    /// Over when all is drained and committed: until then the timer commits.
    drain: Pauses,
}

/// Pauses of threads that end early when something is over.
#[derive(Default)]
struct Pauses {
    over: Mutex<bool>,
    sign: Condvar,
}

impl Pauses {
    fn wait(&self, interval: Duration) {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        if !*over {
            drop(self.sign.wait_timeout(over, interval).unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn end(&self) {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.sign.notify_all();
    }

    fn is_over(&self) -> bool {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running group.
pub(crate) struct Group {
    shared: Arc<Shared>,
    /// Wakes the thread that polls.
    signal: Arc<Signal>,
    stop: Option<Sender<Instant>>,
    ended: Option<oneshot::Receiver<bool>>,
    /// Without a message: when its sender is dropped, the client is closed, or nobody is to wait for that.
    closed: Option<oneshot::Receiver<()>>,
}

impl Shared {
    pub(super) fn plan(&self, topic: &str) -> Option<Arc<TopicPlan>> {
        self.plans.read().unwrap_or_else(PoisonError::into_inner).get(topic).cloned()
    }

    pub(super) fn client_error(&self, code: Option<QueueError>, fatal: bool, reason: &str) {
        if fatal {
            let text = match (code, &self.instance) {
                (Some(QueueError::FencedInstanceId | QueueError::UnreleasedInstanceId), Some(instance)) => {
                    format!(
                        "another process is a member of group {} by the name {instance}: each needs a \
                         NARAD_KAFKA_GROUP_INSTANCE_ID of its own",
                        self.name
                    )
                }
                _ => reason.to_owned(),
            };
            if !self.stats.is_halted() {
                tracing::error!(group = self.name, error = text, "the consumer cannot go on");
            }
            *self.fatal.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
            return self.stats.halt();
        }
        match code {
            // librdkafka asks again and again, each time with the same answer.
            Some(code) if is_refusal(code) => match standing::refusal(code, &self.name, reason) {
                Some(reason) => {
                    self.stats.standing().refused(reason.clone());
                    self.refused(&reason);
                }
                None => self.refused(reason),
            },
            // Of an outage the application's `Connection` tells, once.
            _ => tracing::debug!(group = self.name, error = reason, "a passing error"),
        }
    }

    /// A broker refuses something: said once, and again when it has not been heard for a while.
    fn refused(&self, reason: &str) {
        if self.refusals.lock().unwrap_or_else(PoisonError::into_inner).is_news(reason, Instant::now()) {
            tracing::warn!(
                group = self.name,
                error = reason,
                "the broker refuses; asking again until it does not"
            );
        }
    }

    /// Something in the queue of a partition that is no record.
    fn read_error(&self, broken: &mut Broken, resets: &mut Resets, error: ReadError) {
        if !error.assignment.is_current() {
            return;
        }
        let ReadError { topic, partition, unread, .. } = &error;
        match unread.code {
            // The log is not what it was: librdkafka has stopped to read it. Or it only thinks so.
            QueueError::AutoOffsetReset => resets.met(error),
            _ if unread.is_broken_batch() => broken.met(self, topic, *partition, unread),
            code if is_refusal(code) => {
                self.stats.standing().stalls(topic, *partition, unread.offset, &unread.reason);
                // The partitions stand in health.
                self.refused(&format!("{topic}: {code}"));
            }
            code => self.client_error(Some(code), false, &format!("{topic}/{partition}: {code}")),
        }
    }

    /// Commits what has changed.
    pub(super) fn commit(&self, client: &Arc<Client>) {
        let result = self.committer.commit(client);
        self.stats.standing().committed(result.as_ref().err().map(ToString::to_string));
        if let Err(error) = result {
            log_failure(&self.name, error);
        }
    }

    /// Takes in what came of heavy partitions. Whoever keeps the control thread for long calls it meanwhile.
    pub(super) fn take_in(&self) {
        if self.heavy_filled.swap(false, Relaxed) {
            let lanes = self.committer.lanes();
            lanes.iter().filter(|lane| lane.is_heavy()).for_each(|lane| lane.take_in());
        }
    }

    /// Has nothing more fetched for lanes that drain: they read no more, and nobody takes in what comes.
    fn fetch_no_more(&self, client: &Client, lanes: &[Arc<Lane>]) {
        // Those that are reading just now have not seen that they drain, and may have it fetched on.
        lanes.iter().for_each(|lane| drop(lane.reading()));
        let places: Vec<_> =
            lanes.iter().map(|lane| (&*lane.source().topic, lane.source().partition)).collect();
        client.pause(&places);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.is_over()
    }

    /// Waits for an interval, or until the group stops.
    pub(super) fn pause(&self, interval: Duration) {
        self.stop.wait(interval);
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.load(SeqCst)
    }
}

impl Group {
    /// Creates the client and joins the group, on a thread of the group's own.
    pub(crate) fn start(parts: GroupParts) -> Result<Self, String> {
        let (read_errors, errors) = channel();
        let (stop, stops) = channel();
        let (ended, end) = oneshot::channel();
        let (closing, closed) = oneshot::channel();
        let (created, creation) = channel();
        let GroupParts {
            name,
            client,
            topics,
            patterns,
            producer,
            workers,
            room,
            stats,
            commit_interval,
            revoke_deadline,
            patience,
        } = parts;
        let shared = Arc::new(Shared {
            name: name.clone(),
            instance: client.get("group.instance.id").map(str::to_owned),
            committer: Committer::new(&name),
            stats,
            producer,
            ready: workers.ready().clone(),
            room,
            limits: Limits::of(&client),
            heavy_filled: Arc::default(),
            revoke_deadline,
            read_errors,
            detached: Mutex::default(),
            rejoin: AtomicBool::new(false),
            plans: RwLock::new(topics),
            fatal: Mutex::new(None),
            refusals: Mutex::default(),
            abandoned: AtomicBool::new(false),
            stop: Pauses::default(),
            drain: Pauses::default(),
        });
        let control = Control {
            shared: shared.clone(),
            stops,
            read_errors: errors,
            commit_interval,
            patience,
            _workers: workers,
        };
        // With a group go values of the application's: states and layers.
        let runtime = tokio::runtime::Handle::current();
        std::thread::Builder::new()
            .name(format!("narad {name}"))
            .spawn(move || {
                let _runtime = runtime.enter();
                match Client::create(&client, control.shared.clone()) {
                    Ok(client) => {
                        let _ = created.send(Ok(client.signal().clone()));
                        let supervision = control.shared.stats.supervision().clone();
                        // Where the end itself breaks, nothing is known to be committed: nobody says that it
                        // was.
                        supervision.watch(|| control.run(client, patterns, ended, closing));
                    }
                    Err(error) => drop(created.send(Err(error))),
                }
            })
            .map_err(|error| format!("no thread for group {name}: {error}"))?;
        let signal = creation.recv().unwrap_or_else(|_| Err("its thread ended".to_owned()))?;
        Ok(Self { shared, signal, stop: Some(stop), ended: Some(end), closed: Some(closed) })
    }

    pub(crate) fn stats(&self) -> &Arc<GroupStats> {
        &self.shared.stats
    }

    /// Why librdkafka gave up, where it did.
    pub(crate) fn fatal(&self) -> Option<String> {
        self.shared.fatal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins the end: drain until the deadline, commit, leave.
    pub(super) fn stop(&mut self, deadline: Instant) {
        if let Some(stop) = self.stop.take() {
            self.shared.committer.end_by(deadline);
            let _ = stop.send(deadline);
            self.shared.stop.end();
            self.signal.give();
            // Whoever polls may be waiting for a broker.
            self.shared.committer.lanes().iter().for_each(|lane| lane.drain());
        }
    }

    /// Waits for the end, but no longer than this; `false` where handlers did not end in time, or what they
    /// finished is not committed.
    pub(super) async fn ended(&mut self, last: Instant) -> bool {
        let (Some(ended), Some(closed)) = (&mut self.ended, &mut self.closed) else { return true };
        let (group, committer, last) = (&self.shared.name, &self.shared.committer, last.into());
        let Ok(outcome) = tokio::time::timeout_at(last, ended).await else {
            tracing::warn!(
                group,
                "the group is still asking a broker that does not answer; it is left to the end of the \
                 process"
            );
            return committer.lanes().iter().all(|lane| *lane.drained().borrow())
                && committer.owing(|_| true).is_empty();
        };
        self.ended = None;
        if tokio::time::timeout_at(last, closed).await.is_err() {
            tracing::warn!(
                group,
                "the group could not be left in time; it is left to the end of the process"
            );
        }
        outcome.unwrap_or(false)
    }

    /// Where nobody has waited for the end, nothing more is handled; the lanes that are left.
    pub(super) fn abandon(&mut self) -> Vec<Arc<Lane>> {
        if self.ended.is_none() {
            return Vec::new();
        }
        self.shared.abandoned.store(true, SeqCst);
        self.shared.committer.lanes()
    }
}

/// The thread that polls.
struct Control {
    shared: Arc<Shared>,
    stops: Receiver<Instant>,
    read_errors: Receiver<ReadError>,
    commit_interval: Duration,
    patience: Duration,
    /// They drop what is left of the lanes.
    _workers: Arc<Needed>,
}

impl Control {
    fn run(
        self,
        client: Arc<Client>,
        patterns: Option<Patterns>,
        ended: oneshot::Sender<bool>,
        closing: oneshot::Sender<()>,
    ) {
        let commits = self.spawn_committer(client.clone());
        let deadline = self.shared.stats.supervision().watch(|| self.turns(&client, patterns));
        // Where it broke, the application halts, and says by when this group has to have ended.
        let deadline = deadline.or_else(|| self.stops.recv().ok()).unwrap_or_else(Instant::now);
        self.shared.stop.end();
        let lanes = self.shared.committer.lanes();
        lanes.iter().for_each(|lane| lane.drain());
        self.shared.fetch_no_more(&client, &lanes);
        let let_go = self.shared.let_go(&client, &lanes, deadline);
        drop(lanes);
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
    fn leave(&self, client: Arc<Client>, closing: oneshot::Sender<()>) {
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
    fn turns(&self, client: &Arc<Client>, mut patterns: Option<Patterns>) -> Instant {
        let mut subscribed = Vec::new();
        // Before the first subscription: one that changes while the group is joined holds all members up.
        patterns.as_mut().map(|patterns| self.match_topics(patterns));
        self.subscribe(client, patterns.as_ref(), &mut subscribed);
        let mut next_tick = Instant::now() + TICK;
        let mut watchdog = Watchdog::new(self.patience);
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
            let now = Instant::now();
            if let Some(patterns) = &mut patterns
                && self.match_topics(patterns)
            {
                self.subscribe(client, Some(&*patterns), &mut subscribed);
            }
            let until_tick = next_tick.saturating_duration_since(now);
            client.poll(match calm {
                _ if self.shared.rejoin.load(Relaxed) => Duration::ZERO,
                true => until_tick,
                false => until_tick.min(POLL),
            });
            let now = Instant::now();
            if now >= next_tick {
                self.shared.heavy_filled.store(true, Relaxed);
            }
            self.shared.take_in();
            // Whatever ended the wait may have ended the rest.
            next_tick = next_tick.min(now + TICK);
            if self.shared.rejoin.swap(false, Relaxed) {
                client.unsubscribe();
                subscribed.clear();
                self.subscribe(client, patterns.as_ref(), &mut subscribed);
            }
            let errors: Vec<_> = self.read_errors.try_iter().collect();
            errors.into_iter().for_each(|error| self.shared.read_error(&mut broken, &mut resets, error));
            // They ask brokers, and the lanes are to drain where the group stops.
            if !self.shared.is_stopping() {
                resets.go_on(&self.shared, client, &mut broken);
                broken.read_again(&self.shared, client);
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
                watchdog.look(&lanes, &self.shared.stats);
                broken.look(&self.shared);
                self.look(client, lanes.len());
                if subscribed.is_empty() {
                    // It was refused.
                    self.subscribe(client, patterns.as_ref(), &mut subscribed);
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
    fn look(&self, client: &Client, assigned: usize) {
        let member = membership(client)
            .filter(|membership| !membership.member.is_empty() && membership.generation > 0);
        let connected = self.shared.producer.is_connected();
        let mut standing = self.shared.stats.standing();
        let wrong =
            standing.look(Instant::now(), member.map(|member| member.generation), assigned, connected);
        drop(standing);
        if let Some(wrong) = wrong {
            tracing::error!(group = self.shared.name, "{wrong}");
        }
    }

    /// Commits on a thread of its own: a slow coordinator holds up no poll.
    fn spawn_committer(&self, client: Arc<Client>) -> Option<std::thread::JoinHandle<()>> {
        let (shared, interval) = (self.shared.clone(), self.commit_interval);
        let thread = supervision::spawn(
            format!("narad {} commit", self.shared.name),
            self.shared.stats.supervision().clone(),
            move || {
                while !shared.drain.is_over() {
                    shared.drain.wait(interval);
                    shared.commit(&client);
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
    fn subscribe(&self, client: &Client, patterns: Option<&Patterns>, subscribed: &mut Vec<String>) {
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

/// Codes above zero are a broker's own, and so is the one for what it does not know itself.
fn is_refusal(code: QueueError) -> bool {
    code as i32 > 0 || code == QueueError::Unknown
}
