//! The thread that polls a group's client, and the one that commits beside it.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::commit::MOMENT;
use super::letting_go::LetGo;
use super::patterns::Patterns;
use super::polling::{Polling, Told};
use super::shared::Shared;
use super::timer::Timer;
use super::workers::Needed;
use crate::clock::Clock;
use crate::supervision;
use crate::transport::{GroupEvents, Member};

/// While a coordinator that does not answer is waited for, the client is polled so often.
const POLL: Duration = Duration::from_millis(100);
/// And is asked so long for an answer.
const ANSWER: Duration = Duration::from_secs(1);
/// A coordinator that has answered within so long is there.
const HEARD: Duration = Duration::from_secs(1);

/// The thread that polls.
pub(super) struct Control {
    pub(super) shared: Arc<Shared>,
    pub(super) told: Told,
    pub(super) commit_interval: Duration,
    /// They drop what is left of the lanes.
    pub(super) _workers: Arc<Needed>,
}

impl Control {
    fn clock(&self) -> &Clock {
        self.shared.clock()
    }

    /// What happens to its member.
    pub(super) fn events(&self) -> Arc<dyn GroupEvents> {
        Arc::new(Arc::downgrade(&self.shared))
    }

    pub(super) fn run(
        self,
        client: Arc<dyn Member>,
        patterns: Option<Patterns>,
        ended: oneshot::Sender<bool>,
        closing: oneshot::Sender<()>,
    ) {
        let commits = self.spawn_committer(client.clone());
        let deadline = self
            .shared
            .stats
            .supervision()
            .watch(|| self.clock().run(&mut Polling::new(&self.shared, &self.told, &client, patterns)));
        // Where it broke, the application halts, and says by when this group has to have ended.
        let deadline = deadline.or_else(|| self.told.stops.recv().ok()).unwrap_or_else(|| self.clock().now());
        let let_go = self.ends(&client, deadline);
        let _ = ended.send(let_go.in_time && let_go.committed);
        self.shared.drain.end();
        self.shared.committer.work().give();
        if let Some(commits) = commits {
            let _ = commits.join();
        }
        self.leave(client, closing);
    }

    /// Lets go of all that it has, within the deadline.
    pub(super) fn ends(&self, client: &Arc<dyn Member>, deadline: Instant) -> LetGo {
        self.shared.stop.end();
        let lanes = self.shared.committer.lanes();
        lanes.iter().for_each(|lane| lane.drain());
        self.shared.fetch_no_more(&**client, &lanes);
        let let_go = self.shared.let_go(client, &lanes, deadline);
        drop(lanes);
        self.shared.stats.standing().ends();
        let_go
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
                unanswered = unanswered.and_then(|sent| sent.answer(Duration::ZERO).err());
                if unanswered.is_none() && answers(ANSWER) {
                    break;
                }
            }
        }
        client.close(Duration::from_secs(2));
    }

    /// Commits on a thread of its own: a slow coordinator holds up no poll.
    fn spawn_committer(&self, client: Arc<dyn Member>) -> Option<std::thread::JoinHandle<()>> {
        let shared = self.shared.clone();
        let mut timer = Timer::new(shared.clone(), client, self.commit_interval);
        let thread = supervision::spawn(
            format!("narad {} commit", self.shared.name),
            self.shared.stats.supervision().clone(),
            move || shared.clock().run(&mut timer),
        );
        thread
            .inspect_err(|error| {
                tracing::error!(group = self.shared.name, %error, "no thread for \
         commits: only the end commits")
            })
            .ok()
    }
}
