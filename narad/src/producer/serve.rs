//! The thread of the client: from its creation to its end, and another one where it gave up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::core::{Client, Core};
use super::courier::Asking;
use super::events::Events;
use super::failure::Failure;
use super::mover::Carrying;
use super::restarts::{self, Refusal, Restarts};
use crate::clock::{Step, Steps};
use crate::supervision::caught;
use crate::transport::Fault;

/// The client cannot be woken for anything but events: the longest that the end of a client goes unseen.
///
/// rdkafka's waits in whole milliseconds and spins through the rest. With a whole number it has waited for
/// one less when its own time is up, and spins through nearly all of the last one: at 100 ms this thread took
/// 0.4 % of a processor, at 20 ms 5 %. The little that is over here is gone when the system has woken it.
const POLL: Duration = Duration::from_micros(100_100);

/// While it ends, acknowledgements are all there is to wait for.
const POLL_AT_END: Duration = Duration::from_millis(1);

/// Once all that was on its way has its outcome, those who ask brokers have so long to end.
const END_PATIENCE: Duration = Duration::from_secs(3);

/// A client at work: what is looked after each time that it was served. It ends with whether the client gave
/// up, so that another one has to come.
pub(super) struct Serving<'a> {
    core: &'a Core,
    client: &'a Client,
    restarts: &'a mut Restarts,
    born: Instant,
    /// Set where it gave up: when the next one is made.
    replaced_at: Option<Instant>,
}

impl<'a> Serving<'a> {
    pub(super) fn new(core: &'a Core, client: &'a Client, restarts: &'a mut Restarts) -> Self {
        Self { core, client, restarts, born: core.clock().now(), replaced_at: None }
    }

    fn poll(&self) -> Duration {
        if self.core.life.state().is_closing() { POLL_AT_END } else { POLL }
    }
}

impl Steps for Serving<'_> {
    type Done = bool;

    fn step(&mut self, now: Instant) -> Step<bool> {
        let Self { core, client, restarts, born, replaced_at } = self;
        core.connection.tick(now);
        if core.broken().is_some() {
            // Another of the threads broke.
            client.purge();
            return Step::Done(false);
        }
        if replaced_at.is_none()
            && let Some((fault, cause)) = client.gave_up()
        {
            let pause = core.give_up(*client, fault, &cause, *born, restarts);
            *replaced_at = Some(core.clock().now() + pause);
        }
        if replaced_at.is_some_and(|at| at <= now) {
            return Step::Done(true);
        }
        if restarts.is_refused() && client.deliveries().has_worked() {
            **restarts = Restarts::default();
            tracing::info!(target: "narad", brokers = core.settings.brokers.join(", "), "the brokers \
             take this producer's records again");
        }
        if core.life.state().is_closing() {
            let left = core.lines.outbox().waiting() + client.in_flight();
            if left == 0 {
                return Step::Done(false);
            }
            if core.life.gives_up(now) {
                tracing::warn!(target: "narad", calls = left, "sends without an acknowledgement are given \
                 up at the end");
                client.purge();
                return Step::Done(false);
            }
        }
        Step::By(now + self.poll())
    }

    /// The whole of it: with less the client would spin.
    fn wait(&mut self, _: Duration) {
        self.client.serve(self.poll());
    }
}

impl Core {
    /// Another thread of the producer's, watched.
    fn spawn(
        self: &Arc<Self>,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<thread::JoinHandle<()>> {
        let core = Arc::clone(self);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            if let Err(cause) = caught(work) {
                core.broke(cause);
            }
        })
    }

    /// The thread of the client: one client, and another where it gave up.
    pub(super) fn serve(self: &Arc<Self>) {
        let mut restarts = Restarts::default();
        while self.serve_client(&mut restarts) {}
    }

    /// A client from its creation to its end; true where it gave up, so that another one has to come.
    ///
    /// librdkafka's idempotent producer refuses everything once it cannot say any more what the broker has,
    /// as after a broker that lost its log; and from birth where the user may not write. It still answers
    /// whether a broker is there until the next one is made.
    fn serve_client(self: &Arc<Self>, restarts: &mut Restarts) -> bool {
        let events = Events::new(&self.connection, &self.lines, &self.settings.brokers);
        let mut properties = self.settings.client.clone();
        // What may wait is bounded before (see `room`), so that one topic's records cannot fill the queue of
        // all.
        properties.set("queue.buffering.max.messages", "0").set("queue.buffering.max.kbytes", "2147483647");
        let client = match self.settings.transport.producer(&properties, events) {
            Ok(client) => client,
            Err(error) => {
                self.breaks(&error);
                return false;
            }
        };
        *self.lines.refused() = None;
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&client));
        let gone = Arc::new(AtomicBool::new(false));
        let mover = {
            let (core, gone) = (Arc::clone(self), Arc::clone(&gone));
            self.spawn("narad-mover", move || core.clock().run(&mut Carrying::new(&core, &gone)))
        };
        let courier = {
            let (core, client, gone) = (Arc::clone(self), Arc::clone(&client), Arc::clone(&gone));
            self.spawn("narad-courier", move || core.clock().run(&mut Asking::new(&core, &*client, &gone)))
        };
        let (Ok(mover), Ok(_)) = (&mover, &courier) else {
            gone.store(true, Ordering::Release);
            self.client.write().unwrap_or_else(PoisonError::into_inner).take();
            let error =
                mover.as_ref().err().or(courier.as_ref().err()).map(ToString::to_string).unwrap_or_default();
            self.breaks(&format!("the producer's threads cannot be started: {error}"));
            return false;
        };
        let gave_up = self.clock().run(&mut Serving::new(self, &*client, restarts));
        if !gave_up {
            self.end();
        }
        self.client.write().unwrap_or_else(PoisonError::into_inner).take();
        // A sender that held the lock may have been the last.
        let purged = self.clock().now();
        while client.in_flight() > 0 && self.clock().now().duration_since(purged) < END_PATIENCE {
            client.serve(POLL_AT_END);
        }
        client.deliveries().settle_unsent();
        gone.store(true, Ordering::Release);
        self.ring_all();
        // It waits for no broker. Those that do have the client for seconds yet, as long as their questions
        // last; the last one drops it.
        while !mover.is_finished()
            || (Arc::strong_count(&client) > 1 && self.clock().now().duration_since(purged) < END_PATIENCE)
        {
            self.clock().sleep(POLL_AT_END);
        }
        drop(client);
        if !gave_up {
            self.say_over();
        }
        gave_up
    }

    /// Takes no records to a client that can take none, and tells those that were with it. Gives the pause
    /// before the next client.
    fn give_up(
        &self,
        client: &Client,
        fault: Fault,
        cause: &str,
        born: Instant,
        restarts: &mut Restarts,
    ) -> Duration {
        self.client.write().unwrap_or_else(PoisonError::into_inner).take();
        let refusal = restarts::refusal(fault);
        client.deliveries().give_up(refusal);
        client.purge();
        let (pause, say) = restarts.next(self.clock().now(), born, client.deliveries().has_worked(), fault);
        let brokers = self.settings.brokers.join(", ");
        match refusal {
            _ if !say => tracing::debug!(target: "narad", brokers, cause, "the producer gave up again"),
            Some(Refusal { text, .. }) => {
                tracing::error!(target: "narad", brokers, cause, "{text} Sends fail, dead letters and \
                 returned events wait; it is tried again by itself")
            }
            None => {
                tracing::error!(target: "narad", brokers, cause, "the producer cannot go on and begins \
                 anew; what was on its way may or may not be in its topic")
            }
        }
        if let Some(refusal) = refusal {
            let calls = {
                let mut outbox = self.lines.outbox();
                *self.lines.refused() = Some(refusal);
                outbox.drain()
            };
            calls.iter().for_each(|waiting| waiting.fail(|| Failure::refused(refusal, waiting.call.topic())));
        }
        pause
    }
}
