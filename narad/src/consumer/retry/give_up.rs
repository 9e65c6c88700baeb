//! Giving a record up: to the dead letter, with an acknowledged write, or dropped by rule.

use std::sync::Arc;

use super::deliver::{Writing, Written};
use super::{Fate, Pursuit};
use crate::consumer::handler::Handler;
use crate::dead_letter::{self, DeadLetter, Failed};
use crate::handler::Rejection;
use crate::outcome::{Cause, Outcome};
use crate::record::Record;

impl Pursuit {
    /// Writes a record that nothing can be dispatched on to the group's dead letter.
    pub(crate) async fn group_dead_letter(mut self, cause: Cause) -> Fate {
        let Some((record, _)) = self.records.pop() else { return Fate::Finished };
        self.group_dead(record, 1, cause).await
    }

    async fn group_dead(&mut self, record: Record, attempts: u32, cause: Cause) -> Fate {
        self.permit = None;
        let topic = self.dead_letter.clone();
        say!(
            warn,
            record,
            group = self.group.name(),
            cause = cause.text,
            "not a well-formed record: to the dead letter"
        );
        self.write(&topic, &record, "", attempts, &cause).await
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
        if rejection.malformed {
            return self.group_dead(record, attempts, cause).await;
        }
        say!(
            warn,
            record,
            group = self.group.name(),
            handler = handler.name,
            cause = cause.text,
            "the record does not fit the handler"
        );
        self.dead_letter_one(handler, record, attempts, cause).await
    }

    /// No attempt is left, or the handler wants none.
    pub(super) async fn give_up(&mut self, handler: &Arc<Handler>, attempts: u32, outcome: Outcome) -> Fate {
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

    async fn dead_letter_one(
        &mut self,
        handler: &Arc<Handler>,
        record: Record,
        attempts: u32,
        cause: Cause,
    ) -> Fate {
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
        let topic = if dead_letter::is_dead_letter(record.topic(), &handler.dead_letter) {
            record.topic().to_owned()
        } else {
            topic
        };
        self.write(&topic, &record, &handler.name, attempts, &cause).await
    }

    /// Writes a dead letter until it is acknowledged. The key waits meanwhile.
    async fn write(&self, topic: &str, record: &Record, handler: &str, attempts: u32, cause: &Cause) -> Fate {
        let failed = Failed { record, group: self.group.name(), handler, attempts, cause };
        let Some(outgoing) = dead_letter::build(topic, &failed) else {
            say!(
                error,
                record,
                "failed in too many rounds between a dead-letter topic and its replay: not written again, \
                 the record stays where it was read"
            );
            self.group.skipped(1);
            return Fate::Finished;
        };
        match self.deliver_until_accepted(&outgoing, Writing::DeadLetter, record, handler).await {
            Written::Acknowledged => {
                self.group.dead_lettered();
                Fate::Finished
            }
            Written::Refused(_) | Written::LetGo => Fate::Abandoned,
        }
    }
}
