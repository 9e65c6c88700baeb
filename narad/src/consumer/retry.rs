//! What happens when a handler fails: attempts in place with backoff, then the dead letter.
//!
//! [`Pursuit`] takes a record over from its first attempt and brings it to its fate. While it waits, its key waits, and nothing else.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::lane::Phase;
use super::plan::{DeadLetter, Handler, Retry};
use super::stats::GroupStats;
use super::watchdog::AttemptClock;
use crate::codec::Head;
use crate::context::Context;
use crate::dead_letter::{self, Failed};
use crate::handler::{Input, Rejection, Reply, Slot};
use crate::outcome::{Cause, Outcome, OutcomeKind};
use crate::producer::{Failure, FailureClass, Producer};
use crate::record::Record;

/// What became of a record in the end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Handled, dead-lettered with an acknowledged write, or skipped by rule.
    Finished,
    /// The partition is being let go: the record stays unfinished, and is repeated by the next owner.
    Abandoned,
    /// The application has to stop; the record stays unfinished.
    Halted,
}

/// How long an attempt's failure is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Backoff {
    /// The most that is waited after this many failed attempts: doubled each time, up to the longest.
    pub(crate) fn ceiling(&self, failed: u32) -> Duration {
        let factor = 1u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.checked_mul(factor).unwrap_or(self.longest).min(self.longest)
    }

    /// Full jitter: anything up to the ceiling, so that records that failed together do not come back together.
    /// (aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter)
    fn jittered(&self, failed: u32) -> Duration {
        self.ceiling(failed).mul_f64(fastrand::f64())
    }
}

/// Runs one attempt to its end; a panic is a failed attempt.
pub(crate) fn poll_attempt(slot: &mut Slot, cx: &mut std::task::Context<'_>) -> Poll<Reply> {
    match std::panic::catch_unwind(AssertUnwindSafe(|| slot.poll(cx))) {
        Ok(poll) => poll,
        Err(panic) => {
            // The future may panic again while it is dropped.
            let _ = std::panic::catch_unwind(AssertUnwindSafe(|| slot.clear()));
            Poll::Ready(Reply::new(panicked(&*panic)))
        }
    }
}

/// The outcome of a panic.
pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> Outcome {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    Outcome::retry(format!("panicked: {text}"))
}

/// A record, or a batch of them, on the way from a failed attempt to its fate.
pub(crate) struct Pursuit {
    pub(crate) group: Arc<GroupStats>,
    pub(crate) producer: Producer,
    pub(crate) records: Vec<(Record, Head)>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) permits: Arc<Semaphore>,
    /// The place among those that run at once; given back while it waits.
    pub(crate) permit: Option<Arc<OwnedSemaphorePermit>>,
    /// Runs while an attempt does.
    pub(crate) clock: AttemptClock,
}

impl Pursuit {
    /// From the first attempt's reply to the end.
    pub(crate) async fn run(mut self, handler: Arc<Handler>, mut reply: Reply) -> Fate {
        let mut attempt = 1;
        loop {
            if !reply.unfit.is_empty() {
                for (index, rejection) in std::mem::take(&mut reply.unfit).into_iter().rev() {
                    let (record, _) = self.records.remove(index);
                    match self.unfit(&handler, record, attempt, rejection).await {
                        Fate::Finished => {}
                        fate => return fate,
                    }
                }
                if self.records.is_empty() {
                    return Fate::Finished;
                }
                reply = match self.attempt(&handler, attempt).await {
                    Some(reply) => reply,
                    None => return Fate::Abandoned,
                };
                continue;
            }
            let kind = reply.outcome.kind();
            let retry = handler.retry.with(reply.outcome.policy);
            match kind {
                OutcomeKind::Done => return self.publish(&handler, attempt, std::mem::take(&mut reply.events)).await,
                OutcomeKind::Skip => {
                    self.log_failure(&handler, attempt, &reply.outcome, "skipped");
                    self.group.skipped(self.records.len());
                    return Fate::Finished;
                }
                OutcomeKind::Halt => {
                    self.log_failure(&handler, attempt, &reply.outcome, "halting the application");
                    self.group.halt();
                    return Fate::Halted;
                }
                OutcomeKind::DeadLetter => return self.give_up(&handler, attempt, reply.outcome).await,
                OutcomeKind::Retry | OutcomeKind::RetryAfter(_) => {
                    let exhausted = attempt >= retry.attempts;
                    if exhausted && handler.dead_letter != DeadLetter::Off {
                        return self.give_up(&handler, attempt, reply.outcome).await;
                    }
                    let wait = match kind {
                        OutcomeKind::RetryAfter(wait) => wait,
                        _ if exhausted => retry.backoff.longest,
                        _ => retry.backoff.jittered(attempt),
                    };
                    self.log_failure(&handler, attempt, &reply.outcome, "trying again");
                    let _blocked = exhausted.then(|| self.group.blocked());
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

    /// Writes a record that nothing can be dispatched on to the group's dead letter.
    pub(crate) async fn group_dead_letter(mut self, cause: Cause) -> Fate {
        let Some((record, _)) = self.records.pop() else { return Fate::Finished };
        self.group_dead(record, 1, cause).await
    }

    async fn group_dead(&mut self, record: Record, attempts: u32, cause: Cause) -> Fate {
        let topic = dead_letter::group_topic(record.topic(), self.group.name());
        tracing::warn!(
            topic = record.topic(),
            partition = record.partition(),
            offset = record.offset(),
            group = self.group.name(),
            cause = cause.text,
            "not a well-formed record: to the dead letter"
        );
        self.write(&topic, &record, "", attempts, &cause).await
    }

    /// A record that does not fit the handler's parameters: no attempt mends that.
    async fn unfit(&mut self, handler: &Arc<Handler>, record: Record, attempts: u32, rejection: Rejection) -> Fate {
        let cause = Cause { text: rejection.text, class: rejection.class };
        if rejection.malformed {
            return self.group_dead(record, attempts, cause).await;
        }
        tracing::warn!(
            topic = record.topic(),
            partition = record.partition(),
            offset = record.offset(),
            group = self.group.name(),
            handler = handler.name,
            cause = cause.text,
            "the record does not fit the handler"
        );
        self.dead_letter_one(handler, record, attempts, cause).await
    }

    /// No attempt is left, or the handler wants none.
    async fn give_up(&mut self, handler: &Arc<Handler>, attempts: u32, outcome: Outcome) -> Fate {
        self.log_failure(handler, attempts, &outcome, "giving up");
        let cause = outcome.into_cause();
        for (record, _) in std::mem::take(&mut self.records) {
            match self.dead_letter_one(handler, record, attempts, cause.clone()).await {
                Fate::Finished => {}
                fate => return fate,
            }
        }
        Fate::Finished
    }

    async fn dead_letter_one(&mut self, handler: &Arc<Handler>, record: Record, attempts: u32, cause: Cause) -> Fate {
        let topic = match &handler.dead_letter {
            DeadLetter::Topic(topic) => topic.clone(),
            DeadLetter::Skip => {
                tracing::warn!(
                    topic = record.topic(),
                    partition = record.partition(),
                    offset = record.offset(),
                    group = self.group.name(),
                    handler = handler.name,
                    attempts,
                    cause = cause.text,
                    "dropped after its attempts, as dead_letter = skip asks"
                );
                self.group.skipped(1);
                return Fate::Finished;
            }
            // What no attempt mends stays where it is until the partition is let go; health says so.
            DeadLetter::Off => {
                let _blocked = self.group.blocked();
                self.wait_for_the_end().await;
                return Fate::Abandoned;
            }
        };
        let topic = if dead_letter::is_dead_letter(record.topic(), &handler.dead_letter) { record.topic().to_owned() } else { topic };
        self.write(&topic, &record, &handler.name, attempts, &cause).await
    }

    /// Writes a dead letter until it is acknowledged. The key waits meanwhile.
    async fn write(&mut self, topic: &str, record: &Record, handler: &str, attempts: u32, cause: &Cause) -> Fate {
        let failed = Failed { record, group: self.group.name(), handler, attempts, cause };
        let Some(outgoing) = dead_letter::build(topic, &failed) else {
            tracing::error!(
                topic = record.topic(),
                partition = record.partition(),
                offset = record.offset(),
                "failed in too many rounds between a dead-letter topic and its replay: not written again, the record stays where it was read"
            );
            self.group.skipped(1);
            return Fate::Finished;
        };
        let backoff = Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(10) };
        let mut failures = 0;
        let mut blocked = None;
        loop {
            match self.producer.deliver(outgoing.clone()).await {
                Ok(_) => {
                    self.group.dead_lettered();
                    return Fate::Finished;
                }
                Err(Failure { error, .. }) => {
                    failures += 1;
                    tracing::error!(
                        topic = record.topic(), partition = record.partition(), offset = record.offset(), dead_letter = topic, %error,
                        "the dead letter cannot be written; the record's key waits"
                    );
                    blocked.get_or_insert_with(|| self.group.blocked());
                    if !self.wait(backoff.jittered(failures)).await {
                        return Fate::Abandoned;
                    }
                }
            }
        }
    }

    /// Publishes what the handler returned; it does not run again.
    async fn publish(&mut self, handler: &Arc<Handler>, attempt: u32, events: Vec<crate::producer::Outgoing>) -> Fate {
        for event in events {
            let mut failures = 0;
            let mut blocked = None;
            loop {
                match self.producer.deliver(event.clone()).await {
                    Ok(_) => break,
                    // No retry mends it: too large, not allowed.
                    Err(Failure { error, class: FailureClass::Permanent }) => {
                        return self.give_up(handler, attempt, Outcome::dead_letter(error)).await;
                    }
                    Err(Failure { error, .. }) => {
                        failures += 1;
                        let (record, _) = &self.records[0];
                        tracing::error!(
                            topic = record.topic(), partition = record.partition(), offset = record.offset(), handler = handler.name, %error,
                            "a returned event cannot be published; the record's key waits"
                        );
                        blocked.get_or_insert_with(|| self.group.blocked());
                        if !self.wait(handler.retry.backoff.jittered(failures)).await {
                            return Fate::Abandoned;
                        }
                    }
                }
            }
        }
        Fate::Finished
    }

    /// One more attempt, in its place among those that run at once; `None` where the partition is let go before it began.
    async fn attempt(&mut self, handler: &Arc<Handler>, attempt: u32) -> Option<Reply> {
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
        Some(reply)
    }

    /// Waits, its place given to others; `false` where the partition is let go meanwhile: a backoff does not hold up a drain.
    async fn wait(&mut self, wait: Duration) -> bool {
        self.permit = None;
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
        tracing::warn!(
            topic = record.topic(),
            partition = record.partition(),
            offset = record.offset(),
            group = self.group.name(),
            handler = handler.name,
            attempt,
            records = self.records.len(),
            cause = outcome.cause().unwrap_or_default(),
            "attempt failed: {then}"
        );
    }
}

impl Retry {
    /// What an error's own `#[retry(…)]` changes.
    fn with(&self, over: Option<&crate::outcome::RetryOverride>) -> Self {
        let mut retry = *self;
        if let Some(over) = over {
            if let Some(attempts) = over.attempts {
                retry.attempts = attempts;
            }
            if let Some((first, longest)) = over.backoff_ms {
                retry.backoff = Backoff { first: Duration::from_millis(first), longest: Duration::from_millis(longest) };
            }
        }
        retry
    }
}

impl Handler {
    /// What one attempt works on.
    pub(crate) fn input(&self, records: &[(Record, Head)], attempt: u32) -> Input {
        let context = |(record, head): &(Record, Head)| Context::new(record.clone(), *head, self.scope.clone(), attempt);
        if self.batch.is_some() { Input::Many(records.iter().map(context).collect()) } else { Input::One(context(&records[0])) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn backoff_doubles_up_to_the_longest(first in 1u64..10_000, longest in 1u64..100_000, failed in 1u32..100) {
            let backoff = Backoff { first: Duration::from_millis(first), longest: Duration::from_millis(longest) };
            let naive = (0..failed - 1).fold(u128::from(first), |wait, _| (wait * 2).min(1 << 100)).min(u128::from(longest));
            prop_assert_eq!(backoff.ceiling(failed).as_millis(), naive);
            prop_assert!(backoff.jittered(failed) <= backoff.ceiling(failed));
        }
    }
}
