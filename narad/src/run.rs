//! The application and its run: collect, check, start the groups, wait, drain.

mod builder;
mod setup;
mod start;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::announce::announce;
use crate::application::{Application, Narad, RunEvent, Told};
use crate::assemble::groups;
use crate::config::Environment;
use crate::consumer::{AskingEnds, GroupStats, Onlookers, Shown};
use crate::describe;
use crate::error::{Error, Result};
use crate::registry;
use crate::signals::Signals;

pub use self::builder::Builder;
use self::setup::Setup;
use self::start::ensure_topics;

/// What is on its way when a run ends has so long for its acknowledgements.
const FLUSH: Duration = Duration::from_secs(5);
/// So long after `NARAD_SHUTDOWN_TIMEOUT` nothing is waited for any more: of the 5 s that are promised the
/// rest is for the ends of clients.
const GRACE: Duration = Duration::from_millis(3_800);
/// So much of it is for the acknowledgements, at least.
const FLUSH_AT_LEAST: Duration = Duration::from_millis(500);

/// Ends the run also where its future is dropped.
struct EndOfRun<'a>(&'a Application);

impl Drop for EndOfRun<'_> {
    fn drop(&mut self) {
        // Those that did not come to start, too.
        self.0.told().iter().for_each(|group| group.ends());
        self.0.life.goes(RunEvent::Ends);
    }
}

impl Narad {
    /// Runs the registered handlers until SIGINT or SIGTERM, then drains. It needs a tokio runtime with
    /// timers and I/O, of either flavor.
    ///
    /// # Errors
    /// [`Error::Start`] if it cannot start, at a second run, and on the application of a
    /// [context](crate::Context::narad); [`Error::DrainTimeout`] if handlers did not end in time, or what
    /// they finished is not committed; [`Error::Halted`] if a handler stopped it.
    pub async fn run(&self) -> Result<()> {
        self.check_outside()?;
        let mut signals = Signals::listen()?;
        self.run_until(async move { signals.next().await }).await
    }

    /// Runs the registered handlers until the future is ready, then drains. It does not listen to signals. It
    /// needs a tokio runtime with timers, of either flavor.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn run_until(&self, shutdown: impl Future<Output = ()>) -> Result<()> {
        crate::runtime::current()?;
        self.check_outside()?;
        let shared = self.shared();
        let begins = shared.life.goes(RunEvent::Begins);
        let setup = if begins { shared.take_setup().and_then(|setup| setup.downcast().ok()) } else { None };
        let Some(setup) = setup else {
            return Err(Error::Start(
                "this application ran already, or was disconnected: build another one".to_owned(),
            ));
        };
        let _end = EndOfRun(shared);
        let stopping = shared.life.stops();
        let shutdown = async move {
            tokio::select! {
                () = shutdown => {}
                () = stopping => {}
            }
        };
        let mut last = None;
        let outcome = self.serve(setup, shutdown, &mut last).await;
        // Acknowledgements take moments; without a broker they would take until `delivery.timeout.ms`.
        let left =
            last.map_or(FLUSH, |last: Instant| last.saturating_duration_since(self.producer().clock().now()));
        let flushed = self.producer().disconnect_within(left.clamp(FLUSH_AT_LEAST, FLUSH)).await;
        outcome.and(flushed)
    }

    fn check_outside(&self) -> Result<()> {
        if self.is_of_a_context() {
            let text = "a context's application runs already: build another one to run it";
            return Err(Error::Start(text.to_owned()));
        }
        Ok(())
    }

    /// Says by when a stop is to be over, once there is one.
    async fn serve(
        &self,
        setup: Arc<Setup>,
        shutdown: impl Future<Output = ()>,
        last: &mut Option<Instant>,
    ) -> Result<()> {
        let shared = self.shared();
        let config = &setup.config;
        if describe::is_asked(config) {
            return describe::describe(config);
        }
        let plans = groups(registry::handlers(), config, &setup.states)?;
        announce(config, &shared.about.brokers, &plans);
        // From now on they are to be joined, whatever comes before: health knows them at once.
        let clock = shared.producer.clock();
        let onlookers = Arc::<Onlookers>::default();
        let shown: Vec<_> = plans
            .iter()
            .map(|plan| {
                Shown::new(
                    GroupStats::new(&plan.name, shared.supervision.clone(), clock.clone()),
                    onlookers.clone(),
                )
            })
            .collect();
        for (group, plan) in shown.iter().map(|group| group.stats()).zip(&plans) {
            group.standing().session = config.session_timeout();
            plan.handlers().for_each(|(name, topics)| group.knows(name, topics));
        }
        shared.set_told(shown.iter().map(|group| group.clone() as Arc<dyn Told>).collect());
        // Before the connection, so that a probe is told that there is none yet.
        #[cfg(feature = "http")]
        let _http = match config.http {
            Some(address) => Some(crate::http::serve(address, self.router())?),
            None => None,
        };
        let _lag = AskingEnds::begin(onlookers, shown.clone(), clock.clone())
            .map_err(|error| Error::Start(format!("no thread for the lag: {error}")))?;
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
            ensured = ensure_topics(config.clone(), plans) => ensured?,
            () = &mut shutdown => return Ok(()),
        };
        let (mut running, workers, watching) = self.start(setup.clone(), plans, shown, found).await?;
        shared.life.goes(RunEvent::Started);
        tokio::select! {
            () = shutdown => {}
            () = shared.supervision.halted() => {}
        }
        shared.life.goes(RunEvent::Stops);
        tracing::info!(target: "narad", "stopping: finishing what is in flight");
        let deadline = clock.now() + config.shutdown_timeout;
        *last = Some(deadline + GRACE);
        running.stop(deadline);
        let drained = running.ended(deadline + (GRACE - FLUSH_AT_LEAST)).await;
        drop((workers, watching));
        if let Some(cause) = shared.supervision.failures().first() {
            return Err(Error::Start(format!(
                "a part of the application failed: {cause}; the others were drained"
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
}
