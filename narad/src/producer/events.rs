//! What librdkafka reports: acknowledgements go to their calls, faults and answers to the connection.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::ack::Ticket;
use super::failure::Failure;
use super::lines::Lines;
use super::restarts::{self, Refusal};
use crate::connection::Connection;
use crate::sent::Sent;
use crate::transport::admin::{self, NewTopic};
use crate::transport::said;

/// What librdkafka reports to the client.
pub(super) struct Events {
    connection: Arc<Connection>,
    lines: Arc<Lines>,
    brokers: Vec<String>,
    /// A broker has taken a record.
    worked: AtomicBool,
    /// What became of the client, for the records that it never sent.
    end: Mutex<End>,
}

/// `Working → GivesUp → GaveUp`. librdkafka throws away what it did not send before it can be asked why.
enum End {
    Working,
    /// The records that are thrown away meanwhile.
    GivesUp(Vec<Ticket>),
    /// With the reason, where brokers let no producer begin.
    GaveUp(Option<Refusal>),
}

impl Events {
    pub(super) fn new(connection: &Arc<Connection>, lines: &Arc<Lines>, brokers: &[String]) -> Self {
        Self {
            connection: Arc::clone(connection),
            lines: Arc::clone(lines),
            brokers: brokers.to_owned(),
            worked: AtomicBool::new(false),
            end: Mutex::new(End::Working),
        }
    }

    pub(super) fn failure(&self, code: Code, topic: &Arc<str>) -> Failure {
        Failure::of(code, topic, || admin::create_command(&self.brokers, &NewTopic::named(topic)))
    }

    /// A broker has taken a record of this client.
    pub(super) fn has_worked(&self) -> bool {
        self.worked.load(Ordering::Relaxed)
    }

    /// It is known why the client gave up.
    pub(super) fn give_up(&self, refusal: Option<Refusal>) {
        let before = std::mem::replace(&mut *self.lock_end(), End::GaveUp(refusal));
        if let End::GivesUp(unsent) = before {
            for ticket in unsent {
                let failure = unsent_by(refusal, ticket.topic());
                ticket.resolve(Err(failure));
            }
        }
    }

    /// Nothing is reported any more. Where it did not give up, it ended.
    pub(super) fn settle_unsent(&self) {
        if matches!(*self.lock_end(), End::GivesUp(_)) {
            self.give_up(None);
        }
    }

    /// A record that was never sent: the client gives up, or it ends.
    fn unsent(&self, ticket: Ticket) {
        let mut end = self.lock_end();
        match &mut *end {
            End::Working => *end = End::GivesUp(vec![ticket]),
            End::GivesUp(unsent) => unsent.push(ticket),
            End::GaveUp(refusal) => {
                let failure = unsent_by(*refusal, ticket.topic());
                drop(end);
                ticket.resolve(Err(failure));
            }
        }
    }

    fn lock_end(&self) -> std::sync::MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What librdkafka throws away while the client is destroyed has nobody else who could say what became of it.
impl Drop for Events {
    fn drop(&mut self) {
        self.settle_unsent();
    }
}

/// Of a record that was never sent by a client that gave up. A retry has to come from another one.
fn unsent_by(refusal: Option<Refusal>, topic: &Arc<str>) -> Failure {
    refusal.map_or_else(Failure::not_connected, |refusal| Failure::refused(refusal, topic))
}

impl ClientContext for Events {
    /// Its warnings repeat with each attempt to connect; Narad says outages itself, once. Some faults come as
    /// a log line only.
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        let text = said(text);
        if facility == "FAIL" {
            // `[thrd:…]: ` names a thread of librdkafka's.
            self.connection.fault(text.split_once("]: ").map_or(text, |(_, reason)| reason));
        } else {
            tracing::debug!(target: "librdkafka", facility, "{text}");
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            // "0/1 brokers are down": one is back since.
            Some(Code::AllBrokersDown) => {
                match reason.split_once(' ').and_then(|(counts, _)| counts.split_once('/')) {
                    Some((down, all)) if down != all => {}
                    _ => self.connection.all_down(),
                }
            }
            // No fault of a connection: the client gives up, and its thread says so.
            Some(code) if restarts::refusal(code).is_some() => {}
            _ => self.connection.fault(reason),
        }
    }

    fn stats_raw(&self, _: &[u8]) {}
}

impl ProducerContext for Events {
    type DeliveryOpaque = Ticket;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Ticket) {
        self.lines.left(&ticket);
        let outcome = match result {
            Ok(record) => {
                self.connection.answered();
                // No proof without an offset: where a partition's first records are refused and those behind
                // them taken (a leader that has only begun), librdkafka 2.12 reports the refused ones as
                // written. A broker that took them gives their offset; acks=all is locked.
                if record.offset() >= 0 {
                    self.worked.store(true, Ordering::Relaxed);
                    Ok(Sent {
                        topic: Arc::clone(ticket.topic()),
                        partition: Some(record.partition()),
                        offset: Some(record.offset()),
                    })
                } else {
                    Err(Failure::unknown())
                }
            }
            Err((error, _)) => {
                let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
                if code == Code::PurgeQueue {
                    return self.unsent(ticket);
                }
                // Codes above zero are a broker's own.
                if code as i32 > 0 {
                    self.connection.answered();
                }
                if matches!(code, Code::UnknownTopic | Code::UnknownTopicOrPartition) {
                    self.lines.forget(ticket.gate());
                }
                Err(self.failure(code, ticket.topic()))
            }
        };
        ticket.resolve(outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::super::ack::Call;
    use super::super::client::Core;
    use super::super::{Sending, Settings};
    use super::*;
    use crate::error::Error;

    #[tokio::test]
    async fn what_the_end_of_a_client_throws_away_has_an_outcome() {
        let core = Core::new(Settings::of_tests());
        let events = Events::new(&core.connection, &core.lines, &[]);
        let call = Call::one(core.lines.gates.of("orders"), 0);
        let sending = Sending::of(Arc::clone(&call), None);
        events.unsent(call.ticket(0, || 0));
        drop(events);
        assert!(matches!(sending.await, Err(Error::NotConnected)));
    }
}
