//! From an attempt's reply to the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::deliver::Written;
use super::task::{Fate, RetryTask};
use crate::consumer::handler::Handler;
use crate::consumer::progress::Doing;
use crate::engine::{After, Settled, Tally};
use crate::handler::{Encoded, Reply};
use crate::outcome::Outcome;
use crate::transport::Outgoing;

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

impl RetryTask {
    /// From an attempt's reply to the end.
    pub(crate) async fn run(mut self, handler: Arc<Handler>, mut attempt: u32, mut reply: Reply) -> Fate {
        let policy = handler.policy();
        self.progress.ends(attempt);
        loop {
            match policy.after(attempt, self.records.len(), reply, fastrand::f64()) {
                After::Publish(events) => return self.publish(&handler, attempt, events).await,
                After::Wait(wait) => {
                    self.permit = None;
                    let again = match self.over(&handler, wait).await {
                        Some(()) => self.attempt(&handler, attempt).await,
                        None => None,
                    };
                    reply = match again {
                        Some(reply) => reply,
                        None => return Fate::Abandoned,
                    };
                }
                After::Skip(outcome) => {
                    self.log_failure(&handler, attempt, &outcome, "skipped");
                    return Fate::Settled(Tally::of(Settled::Skipped, self.records.len()));
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
                    self.progress.is(Doing::Backoff);
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
    async fn publish(&mut self, handler: &Arc<Handler>, attempt: u32, returned: Vec<Encoded>) -> Fate {
        let mut events = Vec::with_capacity(returned.len());
        for (mut event, late) in returned {
            if let Some(late) = late {
                // Until it is there, the record's place bounds how many of them wait.
                match self.over(handler, late).await {
                    Some(Ok(payload)) => event.payload = Some(payload),
                    Some(Err(error)) => {
                        return self.give_up(handler, attempt, Outcome::dead_letter(error)).await;
                    }
                    None => return Fate::Abandoned,
                }
            }
            events.push(event);
        }
        // No handler runs any more; what comes now may take for ever.
        self.permit = None;
        self.progress.is(Doing::Publish);
        // Its place no longer bounds how many of them wait: their size does, together with the records that
        // the lane holds.
        // Twice: what is written may have to be written again.
        let bytes: usize = events.iter().map(Outgoing::bytes).sum();
        let _awaited = Awaited::new(self.awaited.clone(), 2 * bytes);
        match self.write_returned(events, &handler.name).await {
            Written::Acknowledged => Fate::Settled(Tally::of(Settled::Handled, self.records.len())),
            Written::Refused(error) => self.give_up(handler, attempt, Outcome::dead_letter(error)).await,
            Written::LetGo => Fate::Abandoned,
        }
    }
}
