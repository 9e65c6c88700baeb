//! A second opinion: brokers that do not answer on the producer's connection may answer on another one.
//!
//! A broker takes the requests of a connection one after the other, and none while a quota mutes it. So a
//! question about metadata waits behind a write that waits for replicas, or for as long as the quota asks,
//! and silence on that connection says nothing of the broker.

use std::time::{Duration, Instant};

use crate::transport::Asks;

/// What goes on is said again after this.
const SAY_AGAIN: Duration = Duration::from_secs(300);

/// Another connection, while the producer's says nothing.
#[derive(Default)]
pub(super) struct SecondOpinion {
    client: Option<Box<dyn Asks>>,
    /// Since when a broker answers there, and not to the producer.
    muted: Option<Instant>,
    said: Option<Instant>,
    /// The wait that goes on was said, so that its end has to be.
    open: bool,
}

impl SecondOpinion {
    /// Whether a broker answers over a connection of its own. Blocks.
    pub(super) fn ask(&mut self, open: impl FnOnce() -> Option<Box<dyn Asks>>, patience: Duration) -> bool {
        let client = match &self.client {
            Some(client) => client,
            None => match open() {
                Some(client) => self.client.insert(client),
                None => return false,
            },
        };
        client.ask(patience).is_ok()
    }

    /// It is asked at the moment.
    pub(super) fn is_open(&self) -> bool {
        self.client.is_some()
    }

    /// A broker answers here, and not on the producer's connection.
    pub(super) fn muted(&mut self, brokers: &str, now: Instant) {
        self.muted.get_or_insert(now);
        if !self.open && self.said.is_none_or(|said| now.duration_since(said) >= SAY_AGAIN) {
            (self.said, self.open) = (Some(now), true);
            tracing::warn!(
                target: "narad", brokers,
                "the brokers answer, but not what this producer has asked: its connection waits, for a \
                 quota (throttling) or behind a write \
                 that waits for replicas. Sends wait up to delivery.timeout.ms"
            );
        }
    }

    /// The producer's connection answers, or is gone.
    pub(super) fn close(&mut self, brokers: &str, now: Instant) {
        self.client = None;
        let Some(since) = self.muted.take() else { return };
        if std::mem::take(&mut self.open) {
            tracing::info!(target: "narad", brokers, "the producer's connection answers again after {:.1} s", now.duration_since(since).as_secs_f64());
        }
    }
}
