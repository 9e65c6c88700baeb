//! What all clones of a producer and its threads share, and the way into its client.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use super::certificate_files::CertificateFiles;
use super::events::Events;
use super::failure::Failure;
use super::life::{Lifecycle, ProducerEvent};
use super::lines::{Bell, Lines};
use super::questions::Checks;
use super::settings::Settings;
use super::waiting::Waiting;
use crate::clock::Clock;
use crate::connection::{Connection, Security};
use crate::error::Error;
use crate::supervision::foreign;
use crate::transport::ProducerClient;

/// The client of a producer.
pub(super) type Client = dyn ProducerClient<Events>;

/// What all clones of a producer and its threads share.
pub(super) struct Core {
    pub(super) settings: Settings,
    pub(super) connection: Arc<Connection>,
    /// What waits.
    pub(super) lines: Arc<Lines>,
    pub(super) checks: Checks,
    /// There from its creation to its end. Senders hold the lock while they enqueue, never across anything
    /// that waits.
    pub(super) client: RwLock<Option<Arc<Client>>>,
    pub(super) life: Lifecycle,
    /// Wakes the thread that asks for signs of life.
    pub(super) bell: Bell,
    /// What is known of certificates on disk; over restarts of the client, since those of consumers live on.
    certificates: Mutex<CertificateFiles>,
    /// The cluster's id, once it is known.
    cluster: OnceLock<String>,
}

impl Core {
    pub(super) fn new(settings: Settings) -> Arc<Self> {
        let security = Security::of(settings.client.get("security.protocol"));
        let connection = Connection::new(
            &settings.brokers,
            security,
            settings.connection_timeout,
            settings.development,
            settings.clock.clone(),
        );
        Arc::new(Self {
            lines: Lines::new(&settings.client, settings.clock.clone()),
            settings,
            connection: Arc::new(connection),
            checks: Checks::default(),
            client: RwLock::new(None),
            life: Lifecycle::new(),
            bell: Bell::default(),
            certificates: Mutex::default(),
            cluster: OnceLock::new(),
        })
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.settings.clock
    }

    /// Says what has changed of the certificates on disk, and which of them end soon.
    pub(super) fn look_at_certificates(&self) {
        let mut files = self.certificates.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = files.look(&self.settings.client, self.clock().now(), self.clock().wall());
        drop(files);
        lines.iter().for_each(|line| tracing::warn!(target: "narad", "{line}"));
    }

    /// Why there is no client.
    pub(super) fn broken(&self) -> Option<Error> {
        self.life.cause().cloned().map(Error::Config)
    }

    /// The cluster's id, once brokers told it; waits for nothing.
    pub(super) fn cluster_id(&self) -> Option<&str> {
        if let Some(known) = self.cluster.get() {
            return Some(known);
        }
        let client = self.client.read().unwrap_or_else(PoisonError::into_inner);
        let id = client.as_ref()?.cluster_id()?;
        Some(self.cluster.get_or_init(|| id))
    }

    /// Hands the records that wait to the client; false where it takes no more.
    pub(super) fn enqueue(&self, client: &Client, waiting: &mut Waiting) -> bool {
        let Waiting { call, records, next } = waiting;
        let records = records.as_mut_slice();
        *next = client.enqueue(call, records, *next);
        *next == records.len()
    }

    /// Of a call that comes after the end.
    pub(super) fn ended_failure(&self) -> Failure {
        self.life.cause().map_or_else(Failure::not_connected, |text| Failure::permanent(text.clone()))
    }

    /// One of the producer's threads panicked: nothing is sent any more, and an application that runs halts.
    pub(super) fn broke(&self, cause: String) {
        self.client.write().unwrap_or_else(PoisonError::into_inner).take();
        self.breaks(&format!("the producer failed: {cause}"));
        self.ring_all();
        self.settings.supervision.fail(cause);
    }

    /// There is no client, and none will come.
    pub(super) fn breaks(&self, cause: &str) {
        self.life.breaks(cause);
        // Each send and each wait for a connection is told by its error.
        tracing::debug!(target: "narad", "no producer: {cause}");
        self.end();
        self.say_over();
    }

    /// What waits fails, and nothing more is taken in.
    pub(super) fn end(&self) {
        self.life.happens(ProducerEvent::Settles);
        let calls = self.lines.outbox().end();
        calls.iter().for_each(|waiting| waiting.fail(|| self.ended_failure()));
        self.connection.end();
    }

    /// Wakes all threads.
    pub(super) fn ring_all(&self) {
        self.bell.ring();
        self.lines.bell.ring();
    }

    /// Wakes who waits for the end.
    pub(super) fn say_over(&self) {
        self.life.happens(ProducerEvent::IsGone);
        foreign("a waker", || self.life.say_over());
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
