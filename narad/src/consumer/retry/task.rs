//! What is retried: what that needs, further attempts, and pauses.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::attempt::poll_attempt;
use crate::codec::{Outline, Wait};
use crate::consumer::counts::{Counters, class_name, count};
use crate::consumer::handler::Handler;
use crate::consumer::life::Phase;
use crate::consumer::progress::{Doing, Progress};
use crate::consumer::stats::GroupStats;
use crate::engine::Tally;
use crate::handler::{Reply, Slot};
use crate::outcome::{Outcome, bounded};
use crate::producer::Producer;
use crate::record::Record;
use crate::view::{Attempts, FailureView, Inside};

/// What became of records in the end.
#[derive(Debug)]
pub(crate) enum Fate {
    /// Nothing is left to be done: they came to this.
    Settled(Tally),
    /// The partition is being let go: they stay unfinished, and are repeated by the next owner.
    Abandoned,
    /// The application has to stop; they stay unfinished.
    Halted,
    /// The records of a batch have different fates, by the reply of this attempt: they go on apart.
    Apart { attempt: u32, reply: Reply },
    /// The records of a batch go on one by one, after so many attempts.
    Isolated { attempts: u32 },
}

/// A record, or a batch of them, on the way from a failed attempt to its fate.
///
/// Its methods stand in this folder, each file knowing those before it only: attempts and pauses here, writes
/// in `deliver`, records that are given up in `give_up`, and the way as a whole in `run`.
pub(crate) struct RetryTask {
    pub(crate) group: Arc<GroupStats>,
    pub(crate) producer: Producer,
    /// The group's own dead-letter topic for the records' topic.
    pub(crate) dead_letter: Arc<str>,
    pub(crate) records: Vec<(Record, Outline)>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) permits: Arc<Semaphore>,
    /// The place among those that run at once; given back while it waits.
    pub(crate) permit: Option<Arc<OwnedSemaphorePermit>>,
    /// The record's place, which another of its handlers may still have.
    pub(crate) shared: Weak<OwnedSemaphorePermit>,
    /// Bytes of returned events of the lane that wait for their acknowledgement.
    pub(crate) awaited: Arc<AtomicUsize>,
    /// What is counted of the handler's attempts; `None` where there is no handler.
    pub(crate) counts: Option<Arc<Counters>>,
    /// Where it is.
    pub(crate) progress: Progress,
}

impl RetryTask {
    /// One more attempt, in its place among those that run at once; `None` where the partition is let go
    /// before it began.
    pub(super) async fn attempt(&mut self, handler: &Arc<Handler>, attempt: u32) -> Option<Reply> {
        if self.permit.is_none() {
            self.permit = self.shared.upgrade();
        }
        if self.permit.is_none() {
            let permits = self.permits.clone();
            self.permit = tokio::select! {
                permit = permits.acquire_owned() => permit.ok().map(Arc::new),
                () = self.wait_for_the_end() => return None,
            };
        }
        let mut slot = Slot::new();
        handler.start(&mut slot, handler.input(&self.records, attempt));
        self.progress.begins(attempt);
        let reply = std::future::poll_fn(|cx| poll_attempt(&mut slot, cx)).await;
        self.progress.ends(attempt);
        // What breaks off as the partition is let go, or the runtime with it, is no failure of the handler's.
        if *self.phase.borrow() == Phase::Closed {
            return None;
        }
        if let (Some(counters), Some(ending)) = (&self.counts, reply.ending(self.records.len())) {
            let mut attempts = Attempts::default();
            count(&mut attempts, ending);
            counters.attempted(attempts);
        }
        Some(reply)
    }

    /// Waits, its place given to others; `false` where the partition is let go meanwhile: a backoff does not
    /// hold up a drain.
    pub(super) async fn wait(&mut self, wait: Duration) -> bool {
        self.permit = None;
        self.pause(wait).await
    }

    /// Waits for what an encoding waits for; `None` where the partition is let go meanwhile.
    pub(super) async fn over<T>(&self, handler: &Handler, wait: Wait<T>) -> Option<T> {
        if let Some((record, _)) = self.records.first() {
            let (group, handler) = (self.group.name(), &handler.name);
            say!(debug, record, group, handler, what = wait.what(), "neither read nor written yet: waits");
        }
        self.progress.is(Doing::NotYet);
        tokio::select! {
            it = wait.over() => Some(it),
            () = self.wait_for_the_end() => None,
        }
    }

    /// As [`wait`](Self::wait), where the place was given back before.
    pub(super) async fn pause(&self, wait: Duration) -> bool {
        let sleep = pin!(tokio::time::sleep(wait));
        tokio::select! {
            () = sleep => true,
            () = self.wait_for_the_end() => false,
        }
    }

    pub(super) fn wait_for_the_end(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut phase = self.phase.clone();
        async move {
            // An error means that the lane is gone.
            let _ = phase.wait_for(|phase| *phase != Phase::Running).await;
        }
    }

    pub(super) fn log_failure(&self, handler: &Handler, attempt: u32, outcome: &Outcome, then: &str) {
        let Some((record, _)) = self.records.first() else { return };
        say!(
            warn,
            record,
            group = self.group.name(),
            handler = handler.name,
            attempt,
            records = self.records.len(),
            cause = outcome.cause().unwrap_or_default(),
            "attempt failed: {then}"
        );
        let cause = (outcome.class(), outcome.cause().unwrap_or_default());
        self.note_failure(record, Some(&handler.name), (self.records.len(), attempt), cause, then);
    }

    /// Notes a failure for those who ask what goes wrong.
    pub(super) fn note_failure(
        &self,
        record: &Record,
        handler: Option<&str>,
        (records, attempt): (usize, u32),
        (class, error): (&str, &str),
        then: &str,
    ) {
        let key = record.key().map(|key| bounded(&String::from_utf8_lossy(key)));
        self.group.failures().add(FailureView {
            at: self.group.clock().wall(),
            group: self.group.name().to_owned(),
            handler: handler.map(str::to_owned),
            topic: record.topic().to_owned(),
            partition: record.partition(),
            offset: record.offset(),
            records,
            attempt,
            class: class_name(class).to_owned(),
            then: then.to_owned(),
            inside: Some(Inside { key, error: error.to_owned() }),
        });
    }
}
