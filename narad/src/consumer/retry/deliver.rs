//! Writing what a record leads to, a dead letter or a returned event, until a broker has acknowledged it.

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::task::RetryTask;
use crate::consumer::outage::Outage;
use crate::engine::Backoff;
use crate::error::Error;
use crate::producer::{Delivery, Failure, FailureClass};
use crate::record::Record;
use crate::sent::Sent;
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

impl RetryTask {
    /// Writes what the handler returned. All of it leaves at once, each topic's in its order, and one topic
    /// that takes nothing holds back no other.
    pub(super) async fn write_returned(&self, mut events: Vec<Outgoing>, handler: &str) -> Written {
        let record = &self.records[0].0;
        if events.iter().all(|event| event.topic == events[0].topic) {
            return self.deliver_until_accepted(&events, Writing::ReturnedEvent, record, handler).await;
        }
        events.sort_by(|one, other| one.topic.cmp(&other.topic));
        let of_topic =
            |events| Box::pin(self.deliver_until_accepted(events, Writing::ReturnedEvent, record, handler));
        let mut writes: Vec<_> =
            events.chunk_by(|one, other| one.topic == other.topic).map(of_topic).collect();
        poll_fn(|cx| {
            let mut end = None;
            writes.retain_mut(|write| match write.as_mut().poll(cx) {
                Poll::Pending => true,
                Poll::Ready(Written::Acknowledged) => false,
                Poll::Ready(other) => {
                    end.get_or_insert(other);
                    false
                }
            });
            match end {
                Some(end) => Poll::Ready(end),
                None if writes.is_empty() => Poll::Ready(Written::Acknowledged),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Writes to one topic until all is acknowledged. The record's key waits meanwhile, and the caller has
    /// given its place back.
    ///
    /// Of a key, or of a partition that was named, one is written after the other: a leader that has only
    /// begun may refuse the first and take the second, and readers who drop ids that they have seen would
    /// keep that order. All others leave together.
    pub(super) async fn deliver_until_accepted(
        &self,
        records: &[Outgoing],
        writing: Writing,
        record: &Record,
        handler: &str,
    ) -> Written {
        let Some(first) = records.first() else { return Written::Acknowledged };
        let mut waits = Waits { task: self, topic: &first.topic, writing, record, handler, outage: None };
        let mut open: Vec<&Outgoing> = records.iter().collect();
        let mut failures = 0;
        while !open.is_empty() {
            let mut keys = HashSet::new();
            let (now, behind): (Vec<_>, Vec<_>) = open.into_iter().partition(|outgoing| {
                let order = (outgoing.key.as_ref(), outgoing.partition);
                order == (None, None) || keys.insert(order)
            });
            let answers = self.answers(&now, &mut waits).await;
            let (mut again, mut cause) = (Vec::new(), None);
            for (outgoing, answer) in now.into_iter().zip(answers) {
                match answer {
                    Ok(_) => {}
                    Err(Failure { error, class: FailureClass::Permanent })
                        if writing == Writing::ReturnedEvent =>
                    {
                        return Written::Refused(error);
                    }
                    Err(Failure { error, .. }) => {
                        cause = Some(error.to_string());
                        again.push(outgoing);
                    }
                }
            }
            // What failed stays before what is behind it.
            again.extend(behind);
            open = again;
            if let Some(cause) = cause {
                failures += 1;
                waits.because(&cause);
                if !self.pause(BACKOFF.jittered(failures, fastrand::f64())).await {
                    return Written::LetGo;
                }
            }
        }
        waits.end();
        Written::Acknowledged
    }

    /// What became of each of these, which leave together.
    async fn answers(&self, outgoing: &[&Outgoing], waits: &mut Waits<'_>) -> Vec<Result<Sent, Failure>> {
        let deliveries = outgoing.iter().map(|&outgoing| self.producer.deliver(outgoing.clone()));
        let mut answers = pin!(all(deliveries.collect()));
        if waits.outage.is_some() {
            return answers.await;
        }
        let silence = pin!(tokio::time::sleep(SILENCE));
        tokio::select! {
            biased;
            answers = &mut answers => answers,
            () = silence => {
                waits.because(UNANSWERED);
                answers.await
            }
        }
    }
}

/// What became of each. All are on their way with the first poll, also those for which there was no room;
/// after that one is waited for after the other.
async fn all(deliveries: Vec<Delivery>) -> Vec<Result<Sent, Failure>> {
    let mut early: Vec<_> = deliveries.into_iter().map(|delivery| (delivery, None)).collect();
    poll_fn(|cx| {
        for (delivery, answer) in &mut early {
            if let Poll::Ready(ready) = pin!(delivery).poll(cx) {
                *answer = Some(ready);
            }
        }
        Poll::Ready(())
    })
    .await;
    let mut answers = Vec::with_capacity(early.len());
    for (delivery, answer) in early {
        answers.push(match answer {
            Some(answer) => answer,
            None => delivery.await,
        });
    }
    answers
}

/// The wait of one write for its topic, from the first failure or the end of patience.
struct Waits<'a> {
    task: &'a RetryTask,
    topic: &'a str,
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
        let (group, to) = (&self.task.group, self.topic);
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
