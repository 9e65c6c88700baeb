//! What an application asks of its producer: to begin, to take records, to end.

use std::sync::{Arc, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use super::ack::Call;
use super::core::Core;
use super::failure::{Failure, FailureClass};
use super::life::{ProducerEvent, ProducerState};
use super::queue::Sender;
use super::waiting::{Records, Waiting};
use crate::connection::{Admission, Phase};
use crate::error::{Result, SendErrorKind};
use crate::supervision::caught;

impl Core {
    /// Begins the client, once.
    fn start(self: &Arc<Self>) {
        if self.life.state() != ProducerState::Unused || self.life.happens(ProducerEvent::Begins).is_none() {
            return;
        }
        self.connection.begin();
        let core = Arc::clone(self);
        let spawned = thread::Builder::new().name("narad-producer".to_owned()).spawn(move || {
            if let Err(cause) = caught(|| core.serve()) {
                core.broke(cause);
            }
        });
        if let Err(error) = spawned {
            self.breaks(&format!("the producer's thread cannot be started: {error}"));
        }
    }

    /// Waits for a broker. The sender is dropped where the client ends first.
    pub(super) fn connect(self: &Arc<Self>) -> oneshot::Receiver<Result<()>> {
        if self.life.state().is_closing() || self.lines.outbox().has_ended() {
            return oneshot::channel().1;
        }
        let waiting = self.connection.wait();
        self.start();
        self.ring_all();
        waiting
    }

    /// Takes nothing more from now on; the threads end once nothing is on its way.
    pub(super) fn close(&self) {
        // Without a client there is nothing to wait for.
        if self.life.happens(ProducerEvent::Closes) == Some(ProducerState::Ended) {
            self.end();
            self.say_over();
        }
        self.ring_all();
    }

    /// Enqueues the records now if that is possible, and lets them wait if it is not. Gives the id of a call
    /// for which there was no room.
    ///
    /// # Errors
    /// The records, where the topic has another gate by now.
    pub(super) fn submit(
        self: &Arc<Self>,
        call: Arc<Call>,
        records: Records,
        sender: Sender,
    ) -> Result<Option<u64>, Records> {
        let mut waiting = Waiting { call, records, next: 0 };
        if waiting.records.as_slice().is_empty() {
            return Ok(None);
        }
        if self.life.state().is_closing() {
            waiting.fail(Failure::not_connected);
            return Ok(None);
        }
        self.start();
        let phase = self.connection.phase();
        if sender == Sender::Application && phase != Phase::Up {
            if self.settings.development && phase == Phase::Down {
                waiting.pretend();
                return Ok(None);
            }
            if self.connection.admission(self.clock().now()) == Admission::Refused {
                waiting.fail(Failure::not_connected);
                return Ok(None);
            }
        }
        let gate = Arc::clone(waiting.call.gate());
        let mut load = waiting.call.load().unwrap_or_else(|| waiting.load());
        let mut entered = false;
        if phase == Phase::Up && gate.is_open() && self.lines.room.enter(&gate, load) {
            entered = true;
            if let Some(client) = self.client.read().unwrap_or_else(PoisonError::into_inner).as_deref()
                && self.enqueue(client, &mut waiting)
            {
                return Ok(None);
            }
        }
        if entered {
            // What went out has tickets that give its room back.
            load = waiting.load();
            self.lines.room.leave(&gate, load);
        }
        let mut outbox = self.lines.outbox();
        if outbox.has_ended() {
            drop(outbox);
            waiting.fail(|| self.ended_failure());
            return Ok(None);
        }
        let refused = *self.lines.refused();
        if let Some(refusal) = refused {
            drop(outbox);
            waiting.fail(|| Failure::refused(refusal, gate.topic()));
            return Ok(None);
        }
        let outside = match outbox.submit(&gate, waiting, load, sender, self.clock().now()) {
            Ok(outside) => outside,
            Err(mut waiting) if waiting.next == 0 => return Err(waiting.take()),
            Err(waiting) => {
                drop(outbox);
                let topic = gate.topic();
                waiting.fail(|| {
                    let text = format!("topic {topic}: it was deleted while its records were sent");
                    Failure::of_topic(SendErrorKind::UnknownTopic, FailureClass::Transient, topic, text)
                });
                return Ok(None);
            }
        };
        drop(outbox);
        if outside.is_none() {
            self.lines.bell.ring();
        }
        Ok(outside)
    }
}
