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

/// What came of returned events.
enum Published {
    /// All are acknowledged.
    All,
    /// No retry mends it: this becomes of the records for which they were returned.
    Never(Outcome),
    /// The partition is being let go.
    LetGo,
}

impl RetryTask {
    /// From an attempt to the end.
    pub(crate) async fn go_on(mut self, handler: Arc<Handler>, attempt: u32) -> Fate {
        match self.attempt(&handler, attempt).await {
            Some(reply) => self.run(handler, attempt, reply).await,
            None => Fate::Abandoned,
        }
    }

    /// From an attempt's reply to the end.
    pub(crate) async fn run(mut self, handler: Arc<Handler>, mut attempt: u32, mut reply: Reply) -> Fate {
        let policy = handler.policy();
        self.progress.ends(attempt);
        loop {
            match policy.after(attempt, self.records.len(), reply, fastrand::f64()) {
                After::Publish(events) => {
                    return match self.publish(&handler, events).await {
                        Published::All => Fate::Settled(Tally::of(Settled::Handled, self.records.len())),
                        Published::Never(outcome) => self.give_up(&handler, attempt, outcome).await,
                        Published::LetGo => Fate::Abandoned,
                    };
                }
                After::PublishFirst(events, rest) => {
                    reply = match self.publish(&handler, events).await {
                        Published::All => rest,
                        Published::Never(outcome) => rest.without_events(outcome),
                        Published::LetGo => return Fate::Abandoned,
                    };
                }
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
                After::Isolate { wait, outcome } => {
                    self.log_failure(&handler, attempt, &outcome, "trying its records one by one");
                    self.progress.is(Doing::Backoff);
                    return match self.wait(wait).await {
                        true => Fate::Isolated { attempts: attempt },
                        false => Fate::Abandoned,
                    };
                }
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
    async fn publish(&mut self, handler: &Arc<Handler>, returned: Vec<Encoded>) -> Published {
        let mut events = Vec::with_capacity(returned.len());
        for (mut event, late) in returned {
            if let Some(late) = late {
                // Until it is there, the record's place bounds how many of them wait.
                match self.over(handler, late).await {
                    Some(Ok(payload)) => event.payload = Some(payload),
                    Some(Err(error)) => return Published::Never(Outcome::dead_letter(error)),
                    None => return Published::LetGo,
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
            Written::Acknowledged => Published::All,
            Written::Refused(error) => Published::Never(Outcome::dead_letter(error)),
            Written::LetGo => Published::LetGo,
        }
    }
}
