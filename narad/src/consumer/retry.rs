//! What happens when a handler fails: attempts in place with backoff, then the dead letter.
//!
//! [`Pursuit`] takes a record over from its first attempt and brings it to its fate. While it waits, its key
//! waits, and nothing else.

/// A line of the log about a record, with where the record is.
macro_rules! say {
    ($level:ident, $record:expr, $($fields_and_text:tt)+) => {
        tracing::$level!(topic = $record.topic(), partition = $record.partition(), offset = $record.offset(), $($fields_and_text)+)
    };
}

mod attempt;
mod deliver;
mod give_up;

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

pub(crate) use self::attempt::poll_attempt;
use self::deliver::{Writing, Written};
use super::handler::Handler;
use super::lane::Phase;
use super::stats::GroupStats;
use super::watchdog::AttemptClock;
use crate::codec::Head;
use crate::engine::After;
use crate::handler::{Reply, Slot};
use crate::outcome::Outcome;
use crate::producer::Producer;
use crate::record::Record;
use crate::transport::Outgoing;

/// What became of a record in the end.
#[derive(Debug)]
pub(crate) enum Fate {
    /// Handled, dead-lettered with an acknowledged write, or skipped by rule.
    Finished,
    /// The partition is being let go: the record stays unfinished, and is repeated by the next owner.
    Abandoned,
    /// The application has to stop; the record stays unfinished.
    Halted,
    /// The records of a batch have different fates, by the reply of this attempt: they go on apart.
    Apart { attempt: u32, reply: Reply },
}

/// A record, or a batch of them, on the way from a failed attempt to its fate.
pub(crate) struct Pursuit {
    pub(crate) group: Arc<GroupStats>,
    pub(crate) producer: Producer,
    /// The group's own dead-letter topic for the records' topic.
    pub(crate) dead_letter: Arc<str>,
    pub(crate) records: Vec<(Record, Head)>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) permits: Arc<Semaphore>,
    /// The place among those that run at once; given back while it waits.
    pub(crate) permit: Option<Arc<OwnedSemaphorePermit>>,
    /// The record's place, which another of its handlers may still have.
    pub(crate) shared: Weak<OwnedSemaphorePermit>,
    /// Bytes of returned events of the lane that wait for their acknowledgement.
    pub(crate) awaited: Arc<AtomicUsize>,
    /// Runs while an attempt does.
    pub(crate) clock: AttemptClock,
}

/// Bytes that are held while a write waits.
struct Awaited(Arc<AtomicUsize>, usize);

impl Awaited {
    fn new(sum: Arc<AtomicUsize>, bytes: usize) -> Self {
        sum.fetch_add(bytes, Relaxed);
        Self(sum, bytes)
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Relaxed);
    }
}

impl Pursuit {
    /// From an attempt's reply to the end.
    pub(crate) async fn run(mut self, handler: Arc<Handler>, mut attempt: u32, mut reply: Reply) -> Fate {
        let policy = handler.policy();
        loop {
            match policy.after(attempt, self.records.len(), reply, fastrand::f64()) {
                After::Publish(events) => return self.publish(&handler, attempt, events).await,
                After::Skip(outcome) => {
                    self.log_failure(&handler, attempt, &outcome, "skipped");
                    self.group.skipped(self.records.len());
                    return Fate::Finished;
                }
                After::GiveUp(outcome) => return self.give_up(&handler, attempt, outcome).await,
                After::Unfit(rejection) => {
                    let (record, _) = self.records.remove(0);
                    return self.unfit(&handler, record, attempt, rejection).await;
                }
                After::Halt(outcome) => {
                    self.log_failure(&handler, attempt, &outcome, "halting the application");
                    self.group.halt();
                    return Fate::Halted;
                }
                After::Apart(reply) => return Fate::Apart { attempt, reply },
                After::TryAgain { wait, is_blocked, outcome } => {
                    self.log_failure(&handler, attempt, &outcome, "trying again");
                    let _blocked = is_blocked.then(|| self.group.blocked());
                    if !self.wait(wait).await {
                        return Fate::Abandoned;
                    }
                    attempt = attempt.saturating_add(1);
                    reply = match self.attempt(&handler, attempt).await {
                        Some(reply) => reply,
                        None => return Fate::Abandoned,
                    };
                }
            }
        }
    }

    /// Publishes what the handler returned; it does not run again.
    async fn publish(&mut self, handler: &Arc<Handler>, attempt: u32, events: Vec<Outgoing>) -> Fate {
        // No handler runs any more; what comes now may take for ever.
        self.permit = None;
        // Its place no longer bounds how many of them wait: their size does, together with the records that
        // the lane holds.
        let _awaited = Awaited::new(self.awaited.clone(), events.iter().map(Outgoing::bytes).sum());
        for event in events {
            match self
                .deliver_until_accepted(&event, Writing::ReturnedEvent, &self.records[0].0, &handler.name)
                .await
            {
                Written::Acknowledged => {}
                Written::Refused(error) => {
                    return self.give_up(handler, attempt, Outcome::dead_letter(error)).await;
                }
                Written::LetGo => return Fate::Abandoned,
            }
        }
        Fate::Finished
    }

    /// One more attempt, in its place among those that run at once; `None` where the partition is let go
    /// before it began.
    async fn attempt(&mut self, handler: &Arc<Handler>, attempt: u32) -> Option<Reply> {
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
        self.clock.start();
        let reply = std::future::poll_fn(|cx| poll_attempt(&mut slot, cx)).await;
        self.clock.stop();
        // What breaks off as the partition is let go, or the runtime with it, is no failure of the handler's.
        (*self.phase.borrow() != Phase::Closed).then_some(reply)
    }

    /// Waits, its place given to others; `false` where the partition is let go meanwhile: a backoff does not
    /// hold up a drain.
    async fn wait(&mut self, wait: Duration) -> bool {
        self.permit = None;
        self.pause(wait).await
    }

    /// As [`wait`](Self::wait), where the place was given back before.
    async fn pause(&self, wait: Duration) -> bool {
        let sleep = pin!(tokio::time::sleep(wait));
        tokio::select! {
            () = sleep => true,
            () = self.wait_for_the_end() => false,
        }
    }

    fn wait_for_the_end(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut phase = self.phase.clone();
        async move {
            // An error means that the lane is gone.
            let _ = phase.wait_for(|phase| *phase != Phase::Running).await;
        }
    }

    fn log_failure(&self, handler: &Handler, attempt: u32, outcome: &Outcome, then: &str) {
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
    }
}
