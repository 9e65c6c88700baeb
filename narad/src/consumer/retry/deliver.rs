//! Writing what a record leads to, a dead letter or a returned event, until a broker has acknowledged it.

use std::pin::pin;
use std::time::Duration;

use super::pursuit::Pursuit;
use crate::consumer::outage::Outage;
use crate::engine::Backoff;
use crate::error::Error;
use crate::producer::{Failure, FailureClass};
use crate::record::Record;
use crate::transport::Outgoing;

/// Between two tries.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(10) };

/// A write that has no answer for so long is one that waits, also without an error.
const SILENCE: Duration = Duration::from_secs(5);

/// The cause of such a wait; without a number, so that all that wait have the same.
const UNANSWERED: &str = "no broker has acknowledged it yet";

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    /// Whatever the failure, it is tried again: the record has nowhere else to go.
    DeadLetter,
    /// What no retry mends ends it: the record is dead-lettered instead.
    ReturnedEvent,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Written {
    Acknowledged,
    /// No retry mends it: too large, not allowed.
    Refused(Error),
    /// The partition is being let go.
    LetGo,
}

impl Pursuit {
    /// Writes until it is acknowledged. The record's key waits meanwhile, and the caller has given its place
    /// back.
    pub(super) async fn deliver_until_accepted(
        &self,
        outgoing: &Outgoing,
        writing: Writing,
        record: &Record,
        handler: &str,
    ) -> Written {
        let mut waits = Waits { pursuit: self, outgoing, writing, record, handler, outage: None };
        let mut failures = 0;
        loop {
            let mut delivery = self.producer.deliver(outgoing.clone());
            let answer = if waits.outage.is_some() {
                delivery.await
            } else {
                let silence = pin!(tokio::time::sleep(SILENCE));
                tokio::select! {
                    biased;
                    answer = &mut delivery => answer,
                    () = silence => {
                        waits.because(UNANSWERED);
                        delivery.await
                    }
                }
            };
            match answer {
                Ok(_) => {
                    waits.end();
                    return Written::Acknowledged;
                }
                Err(Failure { error, class: FailureClass::Permanent })
                    if writing == Writing::ReturnedEvent =>
                {
                    return Written::Refused(error);
                }
                Err(Failure { error, .. }) => {
                    failures += 1;
                    waits.because(&error.to_string());
                    if !self.pause(BACKOFF.jittered(failures, fastrand::f64())).await {
                        return Written::LetGo;
                    }
                }
            }
        }
    }
}

/// The wait of one write for its topic, from the first failure or the end of patience.
struct Waits<'a> {
    pursuit: &'a Pursuit,
    outgoing: &'a Outgoing,
    writing: Writing,
    record: &'a Record,
    handler: &'a str,
    outage: Option<Outage>,
}

impl Waits<'_> {
    /// It waits for this from now on. Said by the first of all records that wait for the same.
    fn because(&mut self, cause: &str) {
        if self.outage.as_ref().is_some_and(|outage| outage.is_for(cause)) {
            return;
        }
        let (group, to) = (&self.pursuit.group, &self.outgoing.topic);
        let (next, first) = Outage::begin(group, to, cause.to_owned());
        self.outage = Some(next);
        if !first {
            return;
        }
        match self.writing {
            Writing::DeadLetter => say!(
                error,
                self.record,
                group = group.name(),
                handler = self.handler,
                dead_letter = to,
                error = cause,
                "the dead letter cannot be written; the record's key waits (said once for all records that \
                 wait for this)"
            ),
            Writing::ReturnedEvent => say!(
                error,
                self.record,
                group = group.name(),
                handler = self.handler,
                to,
                error = cause,
                "a returned event cannot be published; the record's key waits (said once for all records \
                 that wait for this)"
            ),
        }
    }

    /// The topic took it.
    fn end(self) {
        if let Some(outage) = self.outage {
            outage.end();
        }
    }
}
