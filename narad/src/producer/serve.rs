//! The thread of the client: from its creation to its end, and another one where it gave up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::producer::{BaseProducer, Producer, PurgeConfig};
use rdkafka::types::RDKafkaErrorCode as Code;

use super::client::Core;
use super::events::Events;
use super::failure::Failure;
use super::restarts::{self, Restarts};
use crate::supervision::caught;

/// rdkafka's poll cannot be woken for anything but events: the longest that the end of a client goes unseen. rdkafka spins through the last
/// millisecond of each (its time-outs are whole ones), so that shorter ones cost a processor: at 20 ms this thread took 5 % of one.
const POLL: Duration = Duration::from_millis(100);

/// While it ends, acknowledgements are all there is to wait for.
const POLL_AT_END: Duration = Duration::from_millis(1);

impl Core {
    /// The thread of the client: one client, and another where it gave up.
    pub(super) fn serve(self: &Arc<Self>) {
        let mut restarts = Restarts::default();
        while self.serve_client(&mut restarts) {}
    }

    /// A client from its creation to its end; true where it gave up, so that another one has to come.
    ///
    /// librdkafka's idempotent producer refuses everything once it cannot say any more what the broker has, as after a broker that lost its log;
    /// and from birth where the user may not write. It still answers whether a broker is there until the next one is made.
    fn serve_client(self: &Arc<Self>, restarts: &mut Restarts) -> bool {
        let events = Events::new(&self.connection, &self.topics, &self.settings.brokers);
        // The lines that name faults are at this level.
        let mut config = self.settings.client.clone();
        config.set_log_level(RDKafkaLogLevel::Info);
        let client = match BaseProducer::from_config_and_context(&config, events) {
            Ok(client) => Arc::new(client),
            Err(error) => {
                self.over(&crate::config::refusal(&error));
                return false;
            }
        };
        let born = Instant::now();
        self.lock_queue().refused = None;
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&client));
        let gone = Arc::new(AtomicBool::new(false));
        let courier = {
            let (core, client, gone) = (Arc::clone(self), Arc::clone(&client), Arc::clone(&gone));
            thread::Builder::new().name("narad-courier".to_owned()).spawn(move || {
                if let Err(cause) = caught(|| core.carry(&client, &gone)) {
                    core.broke(cause);
                }
            })
        };
        let courier = match courier {
            Ok(courier) => courier,
            Err(error) => {
                self.client.write().unwrap_or_else(PoisonError::into_inner).take();
                self.over(&format!("the producer's thread cannot be started: {error}"));
                return false;
            }
        };
        // Set where it gave up: when the next one is made.
        let mut replaced_at: Option<Instant> = None;
        let gave_up = loop {
            let closing = self.closing.load(Ordering::Acquire);
            client.poll(if closing { POLL_AT_END } else { POLL });
            self.connection.tick(Instant::now());
            self.expire(closing);
            if self.broken().is_some() {
                // The courier broke.
                client.purge(PurgeConfig::default().queue().inflight());
                break false;
            }
            if replaced_at.is_none()
                && let Some((code, cause)) = client.client().fatal_error()
            {
                replaced_at = Some(Instant::now() + self.give_up(&client, code, &cause, born, restarts));
            }
            if replaced_at.is_some_and(|at| at <= Instant::now()) {
                break true;
            }
            if restarts.is_refused() && client.context().has_worked() {
                *restarts = Restarts::default();
                tracing::info!(target: "narad", brokers = self.settings.brokers.join(", "), "the brokers take this producer's records again");
            }
            if !closing {
                continue;
            }
            let left = self.waiting.load(Ordering::Acquire) + client.in_flight_count().max(0) as usize;
            if left == 0 {
                break false;
            }
            if self.deadline.get().is_some_and(|deadline| *deadline <= Instant::now()) {
                tracing::warn!(target: "narad", calls = left, "sends without an acknowledgement are given up at the end");
                client.purge(PurgeConfig::default().queue().inflight());
                break false;
            }
        };
        if !gave_up {
            self.end("");
        }
        self.client.write().unwrap_or_else(PoisonError::into_inner).take();
        // A sender that held the lock may have been the last.
        while client.in_flight_count() > 0 {
            client.poll(POLL_AT_END);
        }
        client.context().settle_unsent();
        gone.store(true, Ordering::Release);
        self.ring();
        let _ = courier.join();
        // All other owners are gone, so that the client is dropped on this thread.
        drop(client);
        if !gave_up {
            self.say_ended();
        }
        gave_up
    }

    /// Takes no records to a client that can take none, and tells those that were with it. Gives the pause before the next client.
    fn give_up(&self, client: &BaseProducer<Events>, code: Code, cause: &str, born: Instant, restarts: &mut Restarts) -> Duration {
        self.client.write().unwrap_or_else(PoisonError::into_inner).take();
        let refusal = restarts::refusal(code);
        client.context().give_up(refusal);
        client.purge(PurgeConfig::default().queue().inflight());
        let (pause, say) = restarts.next(Instant::now(), born, client.context().has_worked(), code);
        let brokers = self.settings.brokers.join(", ");
        match refusal {
            _ if !say => tracing::debug!(target: "narad", brokers, cause, "the producer gave up again"),
            Some(text) => {
                tracing::error!(target: "narad", brokers, cause, "{text} Sends fail, dead letters and returned events wait; it is tried again by itself")
            }
            None => {
                tracing::error!(target: "narad", brokers, cause, "the producer cannot go on and begins anew; what was on its way may or may not be in its topic")
            }
        }
        if let Some(text) = refusal {
            let calls = {
                let mut queue = self.lock_queue();
                queue.refused = Some(text);
                self.waiting.store(0, Ordering::Release);
                std::mem::take(&mut queue.calls)
            };
            calls.into_iter().for_each(|waiting| waiting.fail(|| Failure::transient(text.to_owned())));
        }
        pause
    }
}
