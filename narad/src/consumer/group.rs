//! One consumer group, from its start to its end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::commit::Committer;
use super::control::Control;
use super::lane::{Lane, Limits};
use super::patterns::Patterns;
use super::plan::TopicPlan;
use super::polling::Told;
use super::shared::{Pauses, Shared};
use super::stats::GroupStats;
use super::views::Shown;
use super::workers::Needed;
use crate::engine::MemoryBudget;
use crate::producer::Producer;
use crate::transport::{ClientProperties, Signal, Transport};

/// A group as it is to run.
pub(crate) struct GroupParts {
    pub(crate) name: String,
    pub(crate) client: ClientProperties,
    pub(crate) transport: Arc<dyn Transport>,
    /// For how many partitions the client's limits of what is fetched ahead are made; `None` where they hold
    /// for each, however many there are.
    pub(crate) sized_for: Option<usize>,
    pub(crate) topics: HashMap<String, Arc<TopicPlan>>,
    /// `None` where the group has no pattern.
    pub(crate) patterns: Option<Patterns>,
    pub(crate) producer: Producer,
    pub(crate) workers: Arc<Needed>,
    pub(crate) budget: Arc<MemoryBudget>,
    pub(crate) shown: Arc<Shown>,
    pub(crate) commit_interval: Duration,
    pub(crate) revoke_deadline: Duration,
    /// An attempt that takes longer is stuck.
    pub(crate) patience: Duration,
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

impl Group {
    /// One without a thread, whose steps a test does.
    #[cfg(test)]
    pub(super) fn of_tests(shared: &Arc<Shared>, signal: &Arc<Signal>, stop: Sender<Instant>) -> Self {
        Self { shared: shared.clone(), signal: signal.clone(), stop: Some(stop), ended: None, closed: None }
    }

    /// Creates the client and joins the group, on a thread of the group's own.
    pub(crate) fn start(parts: GroupParts) -> Result<Self, String> {
        let (name, client, transport) = (parts.name.clone(), parts.client.clone(), parts.transport.clone());
        let shown = parts.shown.clone();
        let Made { control, patterns, stop } = Made::of(parts);
        let shared = control.shared.clone();
        let (ended, end) = oneshot::channel();
        let (closing, closed) = oneshot::channel();
        let (created, creation) = channel();
        // With a group go values of the application's: states and layers.
        let runtime = tokio::runtime::Handle::current();
        std::thread::Builder::new()
            .name(format!("narad {name}"))
            .spawn(move || {
                let _runtime = runtime.enter();
                match transport.member(&client, control.events()) {
                    Ok(client) => {
                        shown.has_member(&client);
                        let _ = created.send(Ok(client.signal().clone()));
                        let supervision = control.shared.stats.supervision().clone();
                        // Where the end itself breaks, nothing is known to be committed: nobody says that it
                        // was.
                        let stats = control.shared.stats.clone();
                        supervision.watch(|| control.run(client, patterns, ended, closing));
                        stats.standing().ends();
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

    /// Begins the end, without time for it.
    pub(super) fn stop_now(&mut self) {
        self.stop(self.shared.clock().now());
    }

    /// Begins the end: drain until the deadline, commit, leave.
    pub(super) fn stop(&mut self, deadline: Instant) {
        if let Some(stop) = self.stop.take() {
            self.shared.committer.end_by(deadline);
            self.shared.stats.standing().stops();
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

/// A group that is made, and does nothing yet.
pub(super) struct Made {
    pub(super) control: Control,
    pub(super) patterns: Option<Patterns>,
    /// Tells it by when it has to have ended.
    pub(super) stop: Sender<Instant>,
}

impl Made {
    pub(super) fn of(parts: GroupParts) -> Self {
        let (read_errors, errors) = channel();
        let (stop, stops) = channel();
        let GroupParts { name, client, transport: _, sized_for, topics, patterns, producer, .. } = parts;
        let GroupParts { workers, budget, shown, commit_interval, revoke_deadline, patience, .. } = parts;
        let shared = Arc::new(Shared {
            name,
            instance: client.get("group.instance.id").map(str::to_owned),
            committer: Committer::new(shown.stats()),
            stats: shown.stats().clone(),
            producer,
            ready: workers.ready().clone(),
            budget,
            limits: Limits::of(&client, sized_for),
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
        shown.runs(&shared);
        let told = Told { stops, read_errors: errors, patience };
        let control = Control { shared, told, commit_interval, _workers: workers };
        Self { control, patterns, stop }
    }
}
