//! What all clones of a producer share, and the way into its client.

use std::ffi::{CStr, CString};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::types::RDKafkaErrorCode as Code;
use tokio::sync::{oneshot, watch};

use super::ack::{Call, Ticket};
use super::events::Events;
use super::failure::Failure;
use super::queue::{Queue, Records, Sender, Waiting};
use super::topics::Topics;
use super::{Outgoing, Settings};
use crate::connection::{Admission, Connection, Phase, Security};
use crate::error::{Error, Result};
use crate::supervision::{caught, foreign};
use crate::transport::ffi::produce;

/// What all clones of a producer and its threads share.
pub(super) struct Core {
    pub(super) settings: Settings,
    pub(super) connection: Arc<Connection>,
    pub(super) topics: Arc<Topics>,
    /// There from its creation to its end. Senders hold the lock while they enqueue, never across anything that waits.
    pub(super) client: RwLock<Option<Arc<BaseProducer<Events>>>>,
    queue: Mutex<Queue>,
    /// The calls in `queue`: a send that finds one lines up behind it.
    pub(super) waiting: AtomicUsize,
    started: AtomicBool,
    pub(super) closing: AtomicBool,
    /// When what is still on its way at the end is given up.
    pub(super) deadline: OnceLock<Instant>,
    /// Wakes the courier.
    bell: Condvar,
    rung: Mutex<bool>,
    /// Why there is no client.
    broken: OnceLock<String>,
    ended: watch::Sender<bool>,
}

impl Core {
    pub(super) fn new(settings: Settings) -> Arc<Self> {
        let security = Security::of(settings.client.get("security.protocol"));
        let connection = Connection::new(&settings.brokers, security, settings.connection_timeout, settings.development);
        Arc::new(Self {
            settings,
            connection: Arc::new(connection),
            topics: Arc::default(),
            client: RwLock::new(None),
            queue: Mutex::default(),
            waiting: AtomicUsize::new(0),
            started: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            deadline: OnceLock::new(),
            bell: Condvar::new(),
            rung: Mutex::new(false),
            broken: OnceLock::new(),
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
        if self.closing.load(Ordering::Acquire) || self.lock_queue().ended {
            return oneshot::channel().1;
        }
        let waiting = self.connection.wait();
        self.start();
        self.ring();
        waiting
    }

    /// Takes nothing more from now on; the threads end once nothing is on its way.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        // Without a client there is nothing to wait for.
        if !self.started.swap(true, Ordering::AcqRel) {
            self.over("");
        }
        self.ring();
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

    /// Enqueues the records now if that is possible, and lets them wait if it is not.
    pub(super) fn submit(self: &Arc<Self>, call: Arc<Call>, records: Records, sender: Sender) {
        let mut waiting = Waiting { call, records, next: 0, sender };
        if waiting.records.as_slice().is_empty() {
            return;
        }
        if self.closing.load(Ordering::Acquire) {
            return waiting.fail(Failure::not_connected);
        }
        self.start();
        let phase = self.connection.phase();
        if sender == Sender::Application && phase != Phase::Up {
            if self.settings.development && phase == Phase::Down {
                return waiting.pretend();
            }
            if self.connection.admission(Instant::now()) == Admission::Refused {
                return waiting.fail(Failure::not_connected);
            }
        }
        let direct = phase == Phase::Up && self.waiting.load(Ordering::Acquire) == 0 && self.topics.knows(waiting.call.topic());
        if direct
            && let Some(client) = self.client.read().unwrap_or_else(PoisonError::into_inner).as_deref()
            && self.enqueue(client, &mut waiting)
        {
            return;
        }
        let mut queue = self.lock_queue();
        if queue.ended {
            drop(queue);
            let broken = self.broken.get();
            return waiting.fail(|| broken.map_or_else(Failure::not_connected, |text| Failure::permanent(text.clone())));
        }
        if let Some(text) = queue.refused {
            drop(queue);
            return waiting.fail(|| Failure::transient(text.to_owned()));
        }
        queue.calls.push_back(waiting);
        self.waiting.fetch_add(1, Ordering::AcqRel);
        drop(queue);
        self.ring();
    }

    /// Hands the records that wait to librdkafka; false where it has no room for all.
    pub(super) fn enqueue(&self, client: &BaseProducer<Events>, waiting: &mut Waiting) -> bool {
        let Ok(topic) = CString::new(&**waiting.call.topic()) else {
            waiting.fail(|| client.context().failure(Code::InvalidTopic, waiting.call.topic()));
            return true;
        };
        let records = waiting.records.as_slice();
        while let Some(record) = records.get(waiting.next) {
            let ticket = waiting.call.ticket(waiting.next);
            match hand_over(client, &topic, record, ticket) {
                Ok(()) => {}
                // One that gave up is replaced.
                Err((Code::QueueFull | Code::Fatal, _)) => return false,
                Err((code, ticket)) => ticket.resolve(Err(client.context().failure(code, waiting.call.topic()))),
            }
            waiting.next += 1;
        }
        true
    }

    /// One of the two threads panicked: nothing is sent any more, and an application that runs halts.
    pub(super) fn broke(&self, cause: String) {
        self.client.write().unwrap_or_else(PoisonError::into_inner).take();
        self.over(&format!("the producer broke: {cause}"));
        self.ring();
        self.settings.supervision.fail(cause);
    }

    /// What waits fails, and nothing more is taken in.
    pub(super) fn end(&self, cause: &str) {
        let broken = !cause.is_empty();
        if broken {
            let _ = self.broken.set(cause.to_owned());
            // Each send and each wait for a connection is told by its error.
            tracing::debug!(target: "narad", "no producer: {cause}");
        }
        let calls = {
            let mut queue = self.lock_queue();
            queue.ended = true;
            self.waiting.store(0, Ordering::Release);
            std::mem::take(&mut queue.calls)
        };
        for waiting in calls {
            waiting.fail(|| if broken { Failure::permanent(cause.to_owned()) } else { Failure::not_connected() });
        }
        self.connection.end();
    }

    /// As [`end`](Self::end), where there is no client to wait for.
    pub(super) fn over(&self, cause: &str) {
        self.end(cause);
        self.say_ended();
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

    /// The application's calls do not wait beyond the patience of an outage; in development not once it is known that no broker answers.
    /// At the end Narad's do not wait for one either: what they belong to is not committed.
    pub(super) fn expire(&self, closing: bool) {
        let phase = self.connection.phase();
        if self.waiting.load(Ordering::Acquire) == 0 || phase == Phase::Up {
            return;
        }
        let pretend = self.settings.development && phase == Phase::Down;
        let application = pretend || self.connection.admission(Instant::now()) == Admission::Refused;
        let taken = {
            let mut queue = self.lock_queue();
            let taken = queue.take(|sender| match sender {
                Sender::Application => application,
                Sender::Narad => closing,
            });
            self.waiting.fetch_sub(taken.len(), Ordering::AcqRel);
            taken
        };
        for waiting in taken {
            if pretend && waiting.sender == Sender::Application { waiting.pretend() } else { waiting.fail(Failure::not_connected) }
        }
    }

    pub(super) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_one();
    }

    pub(super) fn listen(&self, pause: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rung, _) = self.bell.wait_timeout_while(rung, pause, |rung| !*rung).unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }

    pub(super) fn lock_queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("settings", &self.settings).field("phase", &self.connection.phase()).finish_non_exhaustive()
    }
}

fn hand_over(client: &BaseProducer<Events>, topic: &CStr, record: &Outgoing, ticket: Ticket) -> Result<(), (Code, Ticket)> {
    match produce::produce(client, topic, record, ticket) {
        // What finds no room in an empty queue never will; the queue may have emptied since.
        Err((Code::QueueFull, ticket)) if client.in_flight_count() == 0 => match produce::produce(client, topic, record, ticket) {
            Err((Code::QueueFull, ticket)) if client.in_flight_count() == 0 => Err((Code::MessageSizeTooLarge, ticket)),
            other => other,
        },
        other => other,
    }
}
