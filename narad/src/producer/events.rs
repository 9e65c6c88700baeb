//! What a client reports: acknowledgements go to their calls, faults and answers to the connection.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::ack::{Call, Ticket};
use super::failure::Failure;
use super::lines::Lines;
use super::restarts::{self, Refusal};
use crate::connection::Connection;
use crate::sent::Sent;
use crate::transport::admin::{self, NewTopic};
use crate::transport::{Class, Deliveries, Fault};

/// What a client reports.
pub(crate) struct Events {
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

    fn failure(&self, fault: Fault, topic: &Arc<str>) -> Failure {
        Failure::of(fault, topic, || admin::create_command(&self.brokers, &NewTopic::named(topic)))
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

impl Deliveries for Events {
    type Call = Call;

    fn written(&self, ticket: Ticket, partition: i32, offset: i64) {
        self.lines.left(&ticket);
        self.connection.answered();
        // No proof without an offset: where a partition's first records are refused and those behind them
        // taken (a leader that has only begun), librdkafka 2.12 reports the refused ones as written. A broker
        // that took them gives their offset; acks=all is locked.
        let outcome = if offset >= 0 {
            self.worked.store(true, Ordering::Relaxed);
            Ok(Sent { topic: Arc::clone(ticket.topic()), partition: Some(partition), offset: Some(offset) })
        } else {
            Err(Failure::unknown())
        };
        ticket.resolve(outcome);
    }

    fn failed(&self, ticket: Ticket, fault: Fault) {
        self.lines.left(&ticket);
        if fault.class == Class::NotSent {
            return self.unsent(ticket);
        }
        if fault.of_broker {
            self.connection.answered();
        }
        if fault.class == Class::UnknownTopic {
            self.lines.forget(ticket.gate());
        }
        let failure = self.failure(fault, ticket.topic());
        ticket.resolve(Err(failure));
    }

    fn refused(&self, ticket: Ticket, fault: Fault) {
        self.lines.left(&ticket);
        let failure = self.failure(fault, ticket.topic());
        ticket.resolve(Err(failure));
    }

    fn disturbed(&self, fault: Option<Fault>, reason: &str) {
        // No fault of a connection: the client gives up, and its thread says so.
        if fault.and_then(restarts::refusal).is_none() {
            self.connection.fault(reason);
        }
    }

    fn all_down(&self) {
        self.connection.all_down();
    }
}

#[cfg(test)]
mod tests {
    use super::super::core::Core;
    use super::super::{Sending, Settings};
    use super::*;
    use crate::error::Error;
    use crate::transport::{Call as _, Outgoing};

    #[tokio::test]
    async fn what_the_end_of_a_client_throws_away_has_an_outcome() {
        let core = Core::new(Settings::of_tests());
        let events = Events::new(&core.connection, &core.lines, &[]);
        let call = Call::one(core.lines.gates.of("orders"), 0);
        let sending = Sending::of(Arc::clone(&call), None);
        events.unsent(call.ticket(0, &Outgoing::default()));
        drop(events);
        assert!(matches!(sending.await, Err(Error::NotConnected)));
    }
}
