//! What the threads of a group share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

use super::commit::{Committer, log_failure};
use super::lane::{Lane, Limits};
use super::plan::TopicPlan;
use super::refusals::Refusals;
use super::standing;
use super::stats::GroupStats;
use super::workers::ReadyLanes;
use crate::clock::Clock;
use crate::engine::MemoryBudget;
use crate::producer::Producer;
use crate::record::Assignment;
use crate::transport::{Class, CommitError, Fault, Member, PartitionQueue, Unread};

/// Something of a partition could not be read.
#[derive(Debug)]
pub(super) struct ReadError {
    pub(super) topic: String,
    pub(super) partition: i32,
    /// The one that it was met in: of a later one of the same partition it says nothing.
    pub(super) assignment: Arc<Assignment>,
    pub(super) unread: Unread,
}

/// What the threads of a group share.
pub(crate) struct Shared {
    pub(super) name: String,
    /// The name that the process has as a static member of the group.
    pub(super) instance: Option<String>,
    pub(super) committer: Committer,
    pub(super) stats: Arc<GroupStats>,
    pub(super) producer: Producer,
    pub(super) ready: Arc<ReadyLanes>,
    pub(super) budget: Arc<MemoryBudget>,
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
    pub(super) plans: RwLock<HashMap<String, Arc<TopicPlan>>>,
    pub(super) fatal: Mutex<Option<String>>,
    pub(super) refusals: Mutex<Refusals>,
    /// Nobody waits for the end: the run was dropped, and its runtime may follow.
    pub(super) abandoned: AtomicBool,
    /// Over when the group is to stop.
    pub(super) stop: Pauses,
    /// Over when all is drained and committed: until then the timer commits.
    pub(super) drain: Pauses,
}

/// Pauses of threads that end early when something is over.
#[derive(Default)]
pub(super) struct Pauses {
    over: Mutex<bool>,
    sign: Condvar,
}

impl Pauses {
    pub(super) fn wait(&self, interval: Duration) {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        if !*over {
            drop(self.sign.wait_timeout(over, interval).unwrap_or_else(PoisonError::into_inner));
        }
    }

    pub(super) fn end(&self) {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.sign.notify_all();
    }

    pub(super) fn is_over(&self) -> bool {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    pub(super) fn clock(&self) -> &Clock {
        self.stats.clock()
    }

    pub(super) fn plan(&self, topic: &str) -> Option<Arc<TopicPlan>> {
        self.plans.read().unwrap_or_else(PoisonError::into_inner).get(topic).cloned()
    }

    pub(super) fn client_error(&self, fault: Option<Fault>, fatal: bool, reason: &str) {
        if fatal {
            let text = match (fault.map(|fault| fault.class), &self.instance) {
                (Some(Class::InstanceTaken), Some(instance)) => {
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
        match fault {
            // librdkafka asks again and again, each time with the same answer.
            Some(fault) if fault.is_refusal() => match standing::refusal(fault, &self.name, reason) {
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
    pub(super) fn refused(&self, reason: &str) {
        if self.refusals.lock().unwrap_or_else(PoisonError::into_inner).is_news(reason, self.clock().now()) {
            tracing::warn!(
                group = self.name,
                error = reason,
                "the broker refuses; trying again until it accepts"
            );
        }
    }

    /// Commits what has changed.
    pub(super) fn commit(&self, client: &Arc<dyn Member>) {
        self.committed(self.committer.commit(client));
    }

    /// A commit came to this.
    pub(super) fn committed(&self, result: Result<(), CommitError>) {
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
    pub(super) fn fetch_no_more(&self, client: &dyn Member, lanes: &[Arc<Lane>]) {
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
        self.clock().wait(interval, |interval| self.stop.wait(interval));
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.load(SeqCst)
    }
}
