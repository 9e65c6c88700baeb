//! What all clones of a producer share, and the way into its client.

use std::ffi::CStr;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::thread;
use std::time::Instant;

use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::types::RDKafkaErrorCode as Code;
use tokio::sync::{oneshot, watch};

use super::Settings;
use super::ack::{Call, Ticket};
use super::events::Events;
use super::failure::{Failure, FailureClass};
use super::lines::{Bell, Lines};
use super::questions::Checks;
use super::queue::Sender;
use super::waiting::{Records, Waiting};
use crate::connection::{Admission, Connection, Phase, Security};
use crate::error::{Error, Result, SendErrorKind};
use crate::supervision::{caught, foreign};
use crate::transport::Outgoing;
use crate::transport::ffi::produce;

/// What all clones of a producer and its threads share.
pub(super) struct Core {
    pub(super) settings: Settings,
    pub(super) connection: Arc<Connection>,
    /// What waits.
    pub(super) lines: Arc<Lines>,
    pub(super) checks: Checks,
    /// There from its creation to its end. Senders hold the lock while they enqueue, never across anything
    /// that waits.
    pub(super) client: RwLock<Option<Arc<BaseProducer<Events>>>>,
    started: AtomicBool,
    pub(super) closing: AtomicBool,
    /// When what is still on its way at the end is given up.
    pub(super) deadline: OnceLock<Instant>,
    /// Wakes the thread that asks for signs of life.
    pub(super) bell: Bell,
    /// Why there is no client.
    broken: OnceLock<String>,
    /// The cluster's id, once it is known.
    cluster: OnceLock<String>,
    ended: watch::Sender<bool>,
}

impl Core {
    pub(super) fn new(settings: Settings) -> Arc<Self> {
        let security = Security::of(settings.client.get("security.protocol"));
        let connection =
            Connection::new(&settings.brokers, security, settings.connection_timeout, settings.development);
        Arc::new(Self {
            lines: Lines::new(&settings.client),
            settings,
            connection: Arc::new(connection),
            checks: Checks::default(),
            client: RwLock::new(None),
            started: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            deadline: OnceLock::new(),
            bell: Bell::default(),
            broken: OnceLock::new(),
            cluster: OnceLock::new(),
            ended: watch::Sender::new(false),
        })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Why there is no client.
    pub(super) fn broken(&self) -> Option<Error> {
        self.broken.get().cloned().map(Error::Config)
    }

    /// The cluster's id, once brokers told it; waits for nothing.
    pub(super) fn cluster_id(&self) -> Option<&str> {
        if let Some(known) = self.cluster.get() {
            return Some(known);
        }
        let client = self.client.read().unwrap_or_else(PoisonError::into_inner);
        let id = produce::cluster_id(client.as_ref()?.client())?;
        Some(self.cluster.get_or_init(|| id))
    }

    /// Begins the client, once.
    fn start(self: &Arc<Self>) {
        if self.started.swap(true, Ordering::AcqRel) {
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
            self.over(&format!("the producer's thread cannot be started: {error}"));
        }
    }

    /// Waits for a broker. The sender is dropped where the client ends first.
    pub(super) fn connect(self: &Arc<Self>) -> oneshot::Receiver<Result<()>> {
        if self.closing.load(Ordering::Acquire) || self.lines.outbox().has_ended() {
            return oneshot::channel().1;
        }
        let waiting = self.connection.wait();
        self.start();
        self.ring_all();
        waiting
    }

    /// Takes nothing more from now on; the threads end once nothing is on its way.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        // Without a client there is nothing to wait for.
        if !self.started.swap(true, Ordering::AcqRel) {
            self.over("");
        }
        self.ring_all();
    }

    /// Gives up then what is still on its way, and says how much that was.
    pub(super) fn give_up_at(&self, deadline: Instant) {
        // The first deadline counts.
        let _ = self.deadline.set(deadline);
    }

    pub(super) async fn ended(&self) {
        // The sender lives in `self`.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
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
        if self.closing.load(Ordering::Acquire) {
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
            if self.connection.admission(Instant::now()) == Admission::Refused {
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
        let outside = match outbox.submit(&gate, waiting, load, sender, Instant::now()) {
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

    /// Hands the records that wait to librdkafka; false where it takes no more.
    pub(super) fn enqueue(&self, client: &BaseProducer<Events>, waiting: &mut Waiting) -> bool {
        while let Some(record) = waiting.records.as_slice().get(waiting.next) {
            let gate = waiting.call.gate();
            let ticket = waiting.call.ticket(waiting.next, || record.bytes());
            match hand_over(client, gate.native(), record, ticket) {
                Ok(()) => {}
                // One that gave up is replaced.
                Err((Code::QueueFull | Code::Fatal, _)) => return false,
                Err((code, ticket)) => {
                    self.lines.left(&ticket);
                    let failure = client.context().failure(code, ticket.topic());
                    ticket.resolve(Err(failure));
                }
            }
            waiting.advance();
        }
        true
    }

    /// Of a call that comes after the end.
    pub(super) fn ended_failure(&self) -> Failure {
        self.broken.get().map_or_else(Failure::not_connected, |text| Failure::permanent(text.clone()))
    }

    /// One of the producer's threads panicked: nothing is sent any more, and an application that runs halts.
    pub(super) fn broke(&self, cause: String) {
        self.client.write().unwrap_or_else(PoisonError::into_inner).take();
        self.over(&format!("the producer broke: {cause}"));
        self.ring_all();
        self.settings.supervision.fail(cause);
    }

    /// What waits fails, and nothing more is taken in.
    pub(super) fn end(&self, cause: &str) {
        if !cause.is_empty() {
            let _ = self.broken.set(cause.to_owned());
            // Each send and each wait for a connection is told by its error.
            tracing::debug!(target: "narad", "no producer: {cause}");
        }
        let calls = self.lines.outbox().end();
        calls.iter().for_each(|waiting| waiting.fail(|| self.ended_failure()));
        self.connection.end();
    }

    /// As [`end`](Self::end), where there is no client to wait for.
    pub(super) fn over(&self, cause: &str) {
        self.end(cause);
        self.say_ended();
    }

    /// Wakes all threads.
    pub(super) fn ring_all(&self) {
        self.bell.ring();
        self.lines.bell.ring();
    }

    /// Wakes who waits for the end.
    pub(super) fn say_ended(&self) {
        foreign("a waker", || {
            self.ended.send_replace(true);
        });
    }

    /// The client gave up, and the next one is not made yet.
    pub(super) fn has_given_up(&self) -> bool {
        self.client.read().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("settings", &self.settings)
            .field("phase", &self.connection.phase())
            .finish_non_exhaustive()
    }
}

fn hand_over(
    client: &BaseProducer<Events>,
    topic: &CStr,
    record: &Outgoing,
    ticket: Ticket,
) -> Result<(), (Code, Ticket)> {
    match produce::produce(client, topic, record, ticket) {
        // What finds no room in an empty queue never will; the queue may have emptied since.
        Err((Code::QueueFull, ticket)) if client.in_flight_count() == 0 => {
            match produce::produce(client, topic, record, ticket) {
                Err((Code::QueueFull, ticket)) if client.in_flight_count() == 0 => {
                    Err((Code::MessageSizeTooLarge, ticket))
                }
                other => other,
            }
        }
        other => other,
    }
}
