//! Giving a record up: to the dead letter, with an acknowledged write, or dropped by rule.

use std::sync::Arc;

use super::deliver::{Writing, Written};
use super::task::{Fate, RetryTask};
use crate::consumer::handler::Handler;
use crate::consumer::progress::Doing;
use crate::dead_letter::{self, DeadLetter, Failed};
use crate::engine::{Settled, Tally, Unhandled};
use crate::handler::Rejection;
use crate::outcome::{Cause, Outcome};
use crate::record::Record;

/// What a record came to; `None` where the partition is let go before it came to anything.
type CameTo = Option<Settled>;

impl RetryTask {
    /// Writes a record that no handler takes to the group's dead letter.
    pub(crate) async fn group_dead_letter(mut self, why: Unhandled, cause: Cause) -> Fate {
        let Some((record, _)) = self.records.pop() else { return Fate::Abandoned };
        fate(self.group_dead(record, 1, why, cause).await)
    }

    async fn group_dead(&mut self, record: Record, attempts: u32, why: Unhandled, cause: Cause) -> CameTo {
        self.permit = None;
        let topic = self.dead_letter.clone();
        let text = match why {
            Unhandled::UnknownType => "no handler takes this type: to the dead letter",
            Unhandled::Tombstone | Unhandled::Malformed => "not a well-formed record: to the dead letter",
        };
        say!(warn, record, group = self.group.name(), cause = cause.text, "{text}");
        self.note_failure(&record, None, (1, attempts), (cause.class, &cause.text), text);
        self.write(&topic, &record, "", attempts, &cause, Settled::Unhandled(why)).await
    }

    /// A record that does not fit the handler's parameters: no attempt mends that.
    pub(super) async fn unfit(
        &mut self,
        handler: &Arc<Handler>,
        record: Record,
        attempts: u32,
        rejection: Rejection,
    ) -> Fate {
        let cause = Cause { text: rejection.text, class: rejection.class };
        if rejection.fault.is_malformed() {
            return fate(self.group_dead(record, attempts, Unhandled::Malformed, cause).await);
        }
        say!(
            warn,
            record,
            group = self.group.name(),
            handler = handler.name,
            cause = cause.text,
            "the record does not fit the handler"
        );
        let cause_of = (cause.class, &*cause.text);
        let then = "the record does not fit the handler";
        self.note_failure(&record, Some(&handler.name), (1, attempts), cause_of, then);
        fate(self.dead_letter_one(handler, record, attempts, cause).await)
    }

    /// No attempt is left, or the handler wants none.
    pub(super) async fn give_up(&mut self, handler: &Arc<Handler>, attempts: u32, outcome: Outcome) -> Fate {
        self.log_failure(handler, attempts, &outcome, "giving up");
        let cause = outcome.into_cause();
        let mut came_to = Tally::default();
        for (record, _) in std::mem::take(&mut self.records) {
            match self.dead_letter_one(handler, record, attempts, cause.clone()).await {
                Some(settled) => came_to.count(settled, 1),
                None => return Fate::Abandoned,
            }
        }
        Fate::Settled(came_to)
    }

    async fn dead_letter_one(
        &mut self,
        handler: &Arc<Handler>,
        record: Record,
        attempts: u32,
        cause: Cause,
    ) -> CameTo {
        // No handler runs any more; what comes now may take for ever.
        self.permit = None;
        let topic = match &handler.dead_letter {
            DeadLetter::Topic(topic) => topic.clone(),
            DeadLetter::Skip => {
                say!(
                    warn,
                    record,
                    group = self.group.name(),
                    handler = handler.name,
                    attempts,
                    cause = cause.text,
                    "dropped after its attempts, as dead_letter = skip asks"
                );
                return Some(Settled::Skipped);
            }
            // What no attempt mends stays where it is until the partition is let go; health says so.
            DeadLetter::Off => {
                let _blocked = self.group.blocked();
                self.progress.is(Doing::Blocked);
                self.wait_for_the_end().await;
                return None;
            }
        };
        let topic = if dead_letter::is_dead_letter(record.topic(), &handler.dead_letter) {
            record.topic().to_owned()
        } else {
            topic
        };
        let came_to =
            self.write(&topic, &record, &handler.name, attempts, &cause, Settled::DeadLettered).await;
        if came_to == Some(Settled::DeadLettered) {
            self.counts.iter().for_each(|counters| counters.dead_lettered(cause.class));
        }
        came_to
    }

    /// Writes a dead letter until it is acknowledged: the record came to `written` then. The key waits
    /// meanwhile.
    async fn write(
        &self,
        topic: &str,
        record: &Record,
        handler: &str,
        attempts: u32,
        cause: &Cause,
        written: Settled,
    ) -> CameTo {
        self.progress.is(Doing::DeadLetter);
        let failed = Failed { record, group: self.group.name(), handler, attempts, cause };
        let Some(outgoing) = dead_letter::build(topic, &failed) else {
            say!(
                error,
                record,
                "failed in too many rounds between a dead-letter topic and its replay: not written again, \
                 the record stays where it was read"
            );
            // What no handler was given stays what it is.
            return Some(match written {
                Settled::Unhandled(_) => written,
                _ => Settled::Skipped,
            });
        };
        match self.deliver_until_accepted(&[outgoing], Writing::DeadLetter, record, handler).await {
            Written::Acknowledged => Some(written),
            Written::Refused(_) | Written::LetGo => None,
        }
    }
}

fn fate(came_to: CameTo) -> Fate {
    came_to.map_or(Fate::Abandoned, |settled| Fate::Settled(Tally::of(settled, 1)))
}
