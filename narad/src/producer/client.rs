//! The client and its two threads: one serves it from its creation to its end, the courier talks to brokers and moves what waits.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use rdkafka::types::RDKafkaErrorCode as Code;
use tokio::sync::{oneshot, watch};

use super::ack::{Call, Ticket};
use super::failure::Failure;
use super::queue::{Queue, Records, Sender, Waiting};
use super::topics::{Answer, Topics};
use super::{Outgoing, Sent, Settings, ffi};
use crate::connection::{Admission, Connection, Phase, Security};
use crate::error::{Error, Result};
use crate::transport::admin::{self, NewTopic};

/// rdkafka's poll cannot be woken for anything but events: the longest that the end of a client goes unseen.
const POLL: Duration = Duration::from_millis(20);

/// While it ends, acknowledgements are all there is to wait for.
const POLL_AT_END: Duration = Duration::from_millis(1);

/// A broker that said nothing for so long is asked.
const ASK_AFTER: Duration = Duration::from_secs(2);

/// The patience with a broker that answered before, and with one that did not.
const PATIENCE_UP: Duration = Duration::from_secs(2);
const PATIENCE_DOWN: Duration = Duration::from_millis(500);

/// A full queue has room again within moments.
const FULL: Duration = Duration::from_millis(1);

/// What all clones of a producer and its threads share.
pub(super) struct Core {
    settings: Settings,
    connection: Arc<Connection>,
    topics: Arc<Topics>,
    /// There from its creation to its end. Senders hold the lock while they enqueue, never across anything that waits.
    client: RwLock<Option<Arc<BaseProducer<Events>>>>,
    queue: Mutex<Queue>,
    /// The calls in `queue`: a send that finds one lines up behind it.
    waiting: AtomicUsize,
    started: AtomicBool,
    closing: AtomicBool,
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
        let spawned = thread::Builder::new().name("narad-producer".to_owned()).spawn(move || core.serve());
        if let Err(error) = spawned {
            self.end(&format!("the producer's thread cannot be started: {error}"));
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
            self.end("");
        }
        self.ring();
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
        queue.calls.push_back(waiting);
        self.waiting.fetch_add(1, Ordering::AcqRel);
        drop(queue);
        self.ring();
    }

    /// Hands the records that wait to librdkafka; false where it has no room for all.
    fn enqueue(&self, client: &BaseProducer<Events>, waiting: &mut Waiting) -> bool {
        let records = waiting.records.as_slice();
        while let Some(record) = records.get(waiting.next) {
            let ticket = waiting.call.ticket(waiting.next);
            match produce(client, waiting.call.topic(), record, ticket) {
                Ok(()) => {}
                Err((Code::QueueFull, _)) => return false,
                Err((code, ticket)) => ticket.resolve(Err(client.context().failure(code, waiting.call.topic()))),
            }
            waiting.next += 1;
        }
        true
    }

    /// The thread of the client, from its creation to its end.
    fn serve(self: &Arc<Self>) {
        let events =
            Events { connection: Arc::clone(&self.connection), topics: Arc::clone(&self.topics), brokers: self.settings.brokers.clone() };
        let client = match BaseProducer::from_config_and_context(&self.settings.client, events) {
            Ok(client) => Arc::new(client),
            Err(error) => return self.end(&format!("the producer cannot be configured: {error}")),
        };
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&client));
        let gone = Arc::new(AtomicBool::new(false));
        let courier = {
            let (core, client, gone) = (Arc::clone(self), Arc::clone(&client), Arc::clone(&gone));
            thread::Builder::new().name("narad-courier".to_owned()).spawn(move || core.carry(&client, &gone))
        };
        let courier = match courier {
            Ok(courier) => courier,
            Err(error) => {
                self.client.write().unwrap_or_else(PoisonError::into_inner).take();
                return self.end(&format!("the producer's thread cannot be started: {error}"));
            }
        };
        loop {
            let closing = self.closing.load(Ordering::Acquire);
            client.poll(if closing { POLL_AT_END } else { POLL });
            self.connection.tick(Instant::now());
            self.expire();
            if closing && self.waiting.load(Ordering::Acquire) == 0 && client.in_flight_count() == 0 {
                break;
            }
        }
        self.end("");
        self.client.write().unwrap_or_else(PoisonError::into_inner).take();
        // A sender that held the lock may have been the last.
        while client.in_flight_count() > 0 {
            client.poll(POLL_AT_END);
        }
        gone.store(true, Ordering::Release);
        self.ring();
        let _ = courier.join();
        // All other owners are gone, so that the client is dropped on this thread.
        drop(client);
        self.ended.send_replace(true);
    }

    /// What waits fails, and nothing more is taken in.
    fn end(&self, cause: &str) {
        let broken = !cause.is_empty();
        if broken {
            let _ = self.broken.set(cause.to_owned());
            tracing::error!(target: "narad", "{cause}");
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
        if self.client.read().unwrap_or_else(PoisonError::into_inner).is_none() {
            self.ended.send_replace(true);
        }
    }

    /// The application's calls do not wait beyond the patience of an outage; in development not once it is known that there is none.
    fn expire(&self) {
        if self.waiting.load(Ordering::Acquire) == 0 {
            return;
        }
        let phase = self.connection.phase();
        let pretend = self.settings.development && phase == Phase::Down;
        if phase == Phase::Up || !(pretend || self.connection.admission(Instant::now()) == Admission::Refused) {
            return;
        }
        let taken = {
            let mut queue = self.lock_queue();
            let taken = queue.take_application();
            self.waiting.fetch_sub(taken.len(), Ordering::AcqRel);
            taken
        };
        for waiting in taken {
            if pretend { waiting.pretend() } else { waiting.fail(Failure::not_connected) }
        }
    }

    /// The courier: asks for signs of life where nothing else is one, and moves what waits.
    fn carry(&self, client: &BaseProducer<Events>, gone: &AtomicBool) {
        while !gone.load(Ordering::Acquire) {
            let up = self.connection.phase() == Phase::Up;
            if !up || self.connection.quiet_for(Instant::now()) >= ASK_AFTER {
                match ffi::ask_any_broker(client.client().native_ptr(), if up { PATIENCE_UP } else { PATIENCE_DOWN }) {
                    Ok(()) => self.connection.answered(),
                    Err(code) => tracing::debug!(target: "narad", "no broker answered a request for metadata: {code}"),
                }
            }
            let pause = match self.connection.phase() {
                Phase::Up if self.move_waiting(client) => ASK_AFTER.saturating_sub(self.connection.quiet_for(Instant::now())),
                Phase::Up => FULL,
                Phase::Connecting | Phase::Down => Duration::from_millis(50),
            };
            self.listen(pause);
        }
    }

    /// Enqueues what waits, in its order; false where something is left.
    fn move_waiting(&self, client: &BaseProducer<Events>) -> bool {
        loop {
            let Some(topic) = self.lock_queue().calls.front().map(|waiting| Arc::clone(waiting.call.topic())) else { return true };
            let refused = if self.topics.knows(&topic) {
                None
            } else {
                match self.topics.check(client.client(), &self.settings, &topic) {
                    Answer::Known => {
                        self.connection.answered();
                        None
                    }
                    Answer::Unanswered => return false,
                    Answer::Refused(failure) => Some(failure),
                }
            };
            let mut queue = self.lock_queue();
            // Meanwhile the front may have run out of patience.
            let Some(front) = queue.calls.front_mut().filter(|front| *front.call.topic() == topic) else { continue };
            if refused.is_none() && !self.enqueue(client, front) {
                return false;
            }
            let taken = queue.calls.pop_front();
            // Only now may a send of another thread go past the queue.
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            drop(queue);
            if let (Some(failure), Some(waiting)) = (refused, taken) {
                waiting.fail(failure);
            }
        }
    }

    fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_one();
    }

    fn listen(&self, pause: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rung, _) = self.bell.wait_timeout_while(rung, pause, |rung| !*rung).unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }

    fn lock_queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("settings", &self.settings).field("phase", &self.connection.phase()).finish_non_exhaustive()
    }
}

fn produce(client: &BaseProducer<Events>, topic: &str, record: &Outgoing, ticket: Ticket) -> Result<(), (Code, Ticket)> {
    let pointer = client.client().native_ptr();
    match ffi::produce(pointer, topic, record, ticket) {
        // What finds no room in an empty queue never will; the queue may have emptied since.
        Err((Code::QueueFull, ticket)) if client.in_flight_count() == 0 => match ffi::produce(pointer, topic, record, ticket) {
            Err((Code::QueueFull, ticket)) if client.in_flight_count() == 0 => Err((Code::MessageSizeTooLarge, ticket)),
            other => other,
        },
        other => other,
    }
}

/// What librdkafka reports to the client.
pub(super) struct Events {
    connection: Arc<Connection>,
    topics: Arc<Topics>,
    brokers: Vec<String>,
}

impl Events {
    fn failure(&self, code: Code, topic: &str) -> Failure {
        Failure::of(code, topic, || admin::create_command(&self.brokers, &NewTopic::named(topic)))
    }
}

impl ClientContext for Events {
    /// Its warnings repeat with each attempt to connect; Narad says outages itself, once.
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        tracing::debug!(target: "librdkafka", facility, "{text}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.connection.fault(reason, error.rdkafka_error_code() == Some(Code::AllBrokersDown));
    }

    fn stats_raw(&self, _: &[u8]) {}
}

impl ProducerContext for Events {
    type DeliveryOpaque = Ticket;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Ticket) {
        let outcome = match result {
            Ok(record) => {
                self.connection.answered();
                Ok(Sent { topic: Arc::clone(ticket.topic()), partition: Some(record.partition()), offset: Some(record.offset()) })
            }
            Err((error, _)) => {
                let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
                // Codes above zero are a broker's own.
                if code as i32 > 0 {
                    self.connection.answered();
                }
                if matches!(code, Code::UnknownTopic | Code::UnknownTopicOrPartition) {
                    self.topics.forget(ticket.topic());
                }
                Err(self.failure(code, ticket.topic()))
            }
        };
        ticket.resolve(outcome);
    }
}
