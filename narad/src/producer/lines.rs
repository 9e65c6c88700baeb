//! What all threads of a producer share of what waits: the topics, the room, the lines, and the bell of the
//! thread that moves them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::ack::Ticket;
use super::gate::{Gate, Gates};
use super::outbox::Outbox;
use super::restarts::Refusal;
use super::room::Room;
use super::waiting::Waiting;
use crate::clock::Clock;
use crate::transport::ClientProperties;

/// librdkafka's default of `delivery.timeout.ms`.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(300);

/// What goes on is said again after this.
const SAY_AGAIN: Duration = Duration::from_secs(60);

pub(super) struct Lines {
    pub(super) room: Arc<Room>,
    pub(super) gates: Gates,
    /// `delivery.timeout.ms`.
    pub(super) timeout: Duration,
    clock: Clock,
    outbox: Mutex<Outbox<Waiting>>,
    /// Why brokers let no producer begin, until the next client is made. Locked after the outbox, where both
    /// are.
    refused: Mutex<Option<Refusal>>,
    /// Wakes the thread that moves what waits.
    pub(super) bell: Bell,
    /// Sends whose future was dropped before they had entered.
    dropped: AtomicU64,
    said: Mutex<Option<Instant>>,
}

impl Lines {
    pub(super) fn new(properties: &ClientProperties, clock: Clock) -> Arc<Self> {
        let timeout = ["delivery.timeout.ms", "message.timeout.ms"]
            .iter()
            .find_map(|name| properties.get(name)?.trim().parse().ok());
        let timeout = match timeout {
            // 0 is for ever.
            Some(0) => Duration::from_secs(365 * 24 * 3_600),
            Some(milliseconds) => Duration::from_millis(milliseconds),
            None => DELIVERY_TIMEOUT,
        };
        let room = Arc::new(Room::of(properties));
        Arc::new(Self {
            room: Arc::clone(&room),
            gates: Gates::default(),
            timeout,
            clock,
            outbox: Mutex::new(Outbox::new(room, timeout)),
            refused: Mutex::default(),
            bell: Bell::default(),
            dropped: AtomicU64::new(0),
            said: Mutex::default(),
        })
    }

    /// Held for moments only, never while anything is handed over, resolved or asked.
    pub(super) fn outbox(&self) -> MutexGuard<'_, Outbox<Waiting>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn refused(&self) -> MutexGuard<'_, Option<Refusal>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// librdkafka has done with a record: its room is for others.
    pub(super) fn left(&self, ticket: &Ticket) {
        if self.room.leave(ticket.gate(), ticket.load()) {
            self.bell.ring();
        }
    }

    /// A broker does not know the topic any more.
    pub(super) fn forget(&self, gate: &Gate) {
        self.outbox().forget(gate);
        self.bell.ring();
    }

    /// The future of a call was polled that has not entered yet.
    pub(super) fn polled(&self, gate: &Gate, id: u64) {
        self.outbox().polled(gate, id);
        self.bell.ring();
    }

    /// The future of a call was dropped that may not have entered.
    pub(super) fn withdraw(&self, gate: &Gate, id: u64) {
        let withdrawn = self.outbox().withdraw(gate, id);
        let Some(waiting) = withdrawn else { return };
        // Those behind it may go.
        self.bell.ring();
        let dropped = self.dropped.fetch_add(waiting.left() as u64, Relaxed) + waiting.left() as u64;
        let now = self.clock.now();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|said| now.duration_since(said) >= SAY_AGAIN) {
            *said = Some(now);
            tracing::warn!(
                target: "narad", topic = %gate.topic(), dropped,
                "sends were dropped before there was room for them: nothing of them was sent. As much waits as \
                 queue.buffering.max.kbytes or queue.buffering.max.messages allow, and a send then begins only \
                 when its future is polled: await it"
            );
        }
    }
}

/// Wakes a thread.
#[derive(Default)]
pub(super) struct Bell {
    bell: Condvar,
    rung: Mutex<bool>,
}

impl Bell {
    pub(super) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_one();
    }

    pub(super) fn listen(&self, pause: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rung, _) =
            self.bell.wait_timeout_while(rung, pause, |rung| !*rung).unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}
