//! The application and its run: collect, check, start the groups, wait, drain.

mod builder;
mod life;
mod start;
mod views;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::announce::announce;
use crate::assemble::groups;
use crate::config::{Config, Environment};
use crate::consumer::{GroupStats, Shown};
use crate::describe;
use crate::error::{Error, Result};
use crate::health::Health;
use crate::layer::Layers;
use crate::producer::Producer;
use crate::registry;
use crate::signals::Signals;
use crate::state::States;
use crate::supervision::Supervision;

pub use self::builder::Builder;
use self::life::{Life, Lifecycle, Step};

/// What is on its way when a run ends has so long for its acknowledgements.
const FLUSH: Duration = Duration::from_secs(5);
/// So long after `NARAD_SHUTDOWN_TIMEOUT` nothing is waited for any more: of the 5 s that are promised the
/// rest is for the ends of clients.
const GRACE: Duration = Duration::from_millis(3_800);
/// So much of it is for the acknowledgements, at least.
const FLUSH_AT_LEAST: Duration = Duration::from_millis(500);

/// The application: publishes and, when it runs, handles. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Narad(Arc<Shared>);

/// What the clones of an application share.
pub(crate) struct Shared {
    config: Config,
    brokers: Vec<String>,
    states: Arc<States>,
    layers: Layers,
    producer: Producer,
    supervision: Arc<Supervision>,
    life: Lifecycle,
    groups: Mutex<Vec<Arc<Shown>>>,
}

/// Ends the run also where its future is dropped.
struct EndOfRun<'a>(&'a Shared);

impl Drop for EndOfRun<'_> {
    fn drop(&mut self) {
        // Those that did not come to start, too.
        self.0.shown().iter().for_each(|group| group.stats().standing().ends());
        self.0.life.goes(Step::Ends);
    }
}

impl Narad {
    /// A builder with the configuration of the environment.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Runs the registered handlers until SIGINT or SIGTERM, then drains. In a tokio runtime with timers and
    /// I/O, of either flavor.
    ///
    /// # Errors
    /// What cannot start; [`Error::DrainTimeout`] where handlers did not end in time, or what they finished
    /// is not committed; [`Error::Halted`] where a handler stopped it.
    pub async fn run(&self) -> Result<()> {
        let mut signals = Signals::listen()?;
        self.run_until(async move { signals.next().await }).await
    }

    /// Runs the registered handlers until the future is ready, then drains. Takes no signals. In a tokio
    /// runtime with timers, of either flavor.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn run_until(&self, shutdown: impl Future<Output = ()>) -> Result<()> {
        crate::runtime::current()?;
        if !self.0.life.goes(Step::Begins) {
            return Err(Error::Start(
                "this application ran already, or was disconnected: build another one".to_owned(),
            ));
        }
        let _end = EndOfRun(&self.0);
        let stopping = self.0.life.stops();
        let shutdown = async move {
            tokio::select! {
                () = shutdown => {}
                () = stopping => {}
            }
        };
        let mut last = None;
        let outcome = self.serve(shutdown, &mut last).await;
        // Acknowledgements take moments; without a broker they would take until `delivery.timeout.ms`.
        let left = last.map_or(FLUSH, |last: Instant| last.saturating_duration_since(Instant::now()));
        let flushed = self.producer().disconnect_within(left.clamp(FLUSH_AT_LEAST, FLUSH)).await;
        outcome.and(flushed)
    }

    /// Says by when a stop is to be over, once there is one.
    async fn serve(&self, shutdown: impl Future<Output = ()>, last: &mut Option<Instant>) -> Result<()> {
        let shared = &self.0;
        let config = &shared.config;
        if describe::is_asked(config) {
            return describe::describe(config);
        }
        let plans = groups(registry::handlers(), config, &shared.states)?;
        announce(&self.0.config, &self.0.brokers, &plans);
        // From now on they are to be joined, whatever comes before: health knows them at once.
        let shown: Vec<_> = plans
            .iter()
            .map(|plan| Shown::new(GroupStats::new(&plan.name, shared.supervision.clone())))
            .collect();
        // librdkafka's default.
        let session = config
            .librdkafka
            .get("session.timeout.ms")
            .and_then(|value| value.parse().ok())
            .unwrap_or(45_000);
        for (group, plan) in shown.iter().map(|group| group.stats()).zip(&plans) {
            group.standing().session = Duration::from_millis(session);
            plan.handlers().for_each(|(name, topics)| group.knows(name, topics));
        }
        shared.groups.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&shown);
        // Before the connection, so that a probe is told that there is none yet.
        #[cfg(feature = "http")]
        let _health = match config.http {
            Some(address) => {
                let narad = self.clone();
                Some(crate::health::http::serve(address, move || narad.health()).await?)
            }
            None => None,
        };
        let mut shutdown = std::pin::pin!(shutdown);
        let connecting = shared.producer.connect();
        tokio::select! {
            connected = connecting => connected?,
            () = &mut shutdown => return Ok(()),
        }
        // In development no broker is required: the groups start when one appears.
        while config.environment == Environment::Development && !shared.producer.is_connected() {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(200)) => {}
                () = &mut shutdown => return Ok(()),
            }
        }
        // From here on it is known, and with it the ids of what handlers return.
        let _ = shared.producer.cluster_id();
        // Nothing is in flight yet: a stop does not wait for what brokers are asked here.
        let (plans, found) = tokio::select! {
            ensured = self.ensure_topics(plans) => ensured?,
            () = &mut shutdown => return Ok(()),
        };
        let (mut running, workers, watching) = self.start(plans, shown, found).await?;
        shared.life.goes(Step::Started);
        tokio::select! {
            () = shutdown => {}
            () = shared.supervision.halted() => {}
        }
        shared.life.goes(Step::Stops);
        tracing::info!(target: "narad", "stopping: finishing what is in flight");
        let deadline = Instant::now() + config.shutdown_timeout;
        *last = Some(deadline + GRACE);
        running.stop(deadline);
        let drained = running.ended(deadline + (GRACE - FLUSH_AT_LEAST)).await;
        drop((workers, watching));
        if let Some(cause) = shared.supervision.failures().first() {
            return Err(Error::Start(format!(
                "a part of the application broke: {cause}; the others were drained"
            )));
        }
        if let Some(cause) = running.fatal() {
            return Err(Error::Start(format!("a consumer cannot go on: {cause}")));
        }
        if running.is_halted() {
            return Err(Error::Halted);
        }
        if drained { Ok(()) } else { Err(Error::DrainTimeout) }
    }

    pub(crate) fn producer(&self) -> &Producer {
        &self.0.producer
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl Shared {
    /// Ends the run, if there is one, and lets no other begin; true where none is left to wait for.
    pub(crate) fn stop(&self) -> bool {
        self.life.goes(Step::Stops);
        self.life.now() == Life::Ended
    }

    /// Waits until no run is left.
    pub(crate) async fn stopped(&self) {
        self.life.ended().await;
    }

    pub(crate) fn health(&self) -> Health {
        let groups: Vec<_> = self.shown().iter().map(|group| group.group()).collect();
        // Without groups there is nothing to finish.
        let draining = matches!(self.life.now(), Life::Draining | Life::Ended) && !groups.is_empty();
        Health::new(self.producer.is_connected(), &self.config.client_id, &self.brokers).with_work(
            groups,
            self.supervision.failures(),
            draining,
        )
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("config", &self.config).finish_non_exhaustive()
    }
}
