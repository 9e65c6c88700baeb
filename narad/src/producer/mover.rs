//! The thread that moves what waits: it does what the outbox asks, and never waits for a broker.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::ack::Call;
use super::core::Core;
use super::failure::{Failure, FailureClass};
use super::gate::Gate;
use super::queue::{Entry, Sender};
use super::step::{Action, Brokers, Now, Why};
use super::waiting::Waiting;
use crate::clock::{Step, Steps};
use crate::connection::{Admission, Phase};
use crate::error::SendErrorKind;

/// A step is done at least so often while something waits: a broker that answers again, or patience that
/// ends, rings no bell.
const TICK: Duration = Duration::from_millis(50);

/// Where nothing waits, the next call rings.
const IDLE: Duration = Duration::from_secs(60);

/// A call that waited for less goes by librdkafka's own time.
const LATE: Duration = Duration::from_secs(1);

/// Calls that waited here for long, and are with librdkafka now, which gives each a whole
/// `delivery.timeout.ms` again: they end before that.
#[derive(Default)]
pub(super) struct Late(BinaryHeap<Reverse<Held>>);

struct Held(Instant, Weak<Call>);

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl Late {
    /// Whether a broker has them is not known.
    fn end(&mut self, now: Instant) {
        while let Some(Reverse(Held(deadline, _))) = self.0.peek()
            && *deadline <= now
        {
            let Some(Reverse(Held(_, call))) = self.0.pop() else { return };
            if let Some(call) = call.upgrade() {
                call.resolve_all(|| Err(Failure::unknown()));
            }
        }
    }

    fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse(Held(deadline, _))| *deadline)
    }
}

/// Moves what waits, until the client is gone.
pub(super) struct Carrying<'a> {
    core: &'a Arc<Core>,
    gone: &'a AtomicBool,
    late: Late,
}

impl<'a> Carrying<'a> {
    pub(super) fn new(core: &'a Arc<Core>, gone: &'a AtomicBool) -> Self {
        Self { core, gone, late: Late::default() }
    }
}

impl Steps for Carrying<'_> {
    type Done = ();

    fn step(&mut self, now: Instant) -> Step<()> {
        // Where the client's thread broke, nobody says that it is gone.
        if self.gone.load(Ordering::Acquire) || self.core.broken().is_some() {
            return Step::Done(());
        }
        self.late.end(now);
        let next = self.core.step(now, &mut self.late);
        Step::By(next.into_iter().chain(self.late.next()).min().unwrap_or(now + IDLE))
    }

    fn wait(&mut self, at_most: Duration) {
        self.core.lines.bell.listen(at_most);
    }
}

impl Core {
    /// One step. Says when the next one is due.
    fn step(self: &Arc<Self>, at: Instant, late: &mut Late) -> Option<Instant> {
        if !self.lines.outbox().is_busy() {
            return None;
        }
        let now = self.now(at);
        let (actions, next) = self.lines.outbox().step(&now);
        // What was done may make more possible.
        let again = actions.iter().any(|action| matches!(action, Action::HandOver { .. }));
        for action in actions {
            match action {
                Action::Check { gate, again } => self.check(gate, again),
                Action::HandOver { gate, entries } => self.hand_over_all(&gate, entries, late),
                Action::End { gate, call, why } => self.end_call(&gate, &call, &why),
            }
        }
        Some(if again { at } else { next.map_or(at + TICK, |next| next.min(at + TICK)) })
    }

    fn now(&self, at: Instant) -> Now {
        let phase = self.connection.phase();
        let brokers = match phase {
            Phase::Up => Brokers::Answer,
            Phase::Down if self.settings.development => Brokers::Pretended,
            _ if self.connection.admission(at) == Admission::Refused => Brokers::GivenUp,
            Phase::Connecting | Phase::Down => Brokers::Awaited,
        };
        Now { at, brokers, client: !self.has_given_up(), closing: self.life.state().is_closing() }
    }

    fn hand_over_all(&self, gate: &Gate, entries: Vec<Entry<Waiting>>, late: &mut Late) {
        let mut entries = entries.into_iter();
        let mut rest = Vec::new();
        {
            let client = self.client.read().unwrap_or_else(PoisonError::into_inner);
            while let Some(mut entry) = entries.next() {
                let Some(waiting) = &mut entry.call else { continue };
                let in_time =
                    entry.deadline.saturating_duration_since(self.clock().now()) + LATE >= self.lines.timeout;
                if entry.sender == Sender::Application && !in_time {
                    late.0.push(Reverse(Held(entry.deadline, Arc::downgrade(&waiting.call))));
                }
                if !client.as_deref().is_some_and(|client| self.enqueue(client, waiting)) {
                    // What went out of it has a ticket that gives its room back.
                    entry.load = waiting.load();
                    rest.push(entry);
                    rest.extend(entries);
                    break;
                }
            }
        }
        let failed = self.lines.outbox().moved(gate, rest, self.clock().now());
        failed.iter().for_each(|waiting| waiting.fail(|| self.ended_failure()));
    }

    fn end_call(&self, gate: &Gate, waiting: &Waiting, why: &Why) {
        let seconds = self.lines.timeout.as_secs_f64();
        match why {
            Why::NotConnected => waiting.fail(Failure::not_connected),
            Why::Pretended => waiting.pretend(),
            Why::QueueFull => waiting.fail(|| Failure::queue_full(gate.topic(), seconds)),
            Why::NotSent(cause) => waiting.fail(|| {
                let topic = gate.topic();
                let text = format!(
                    "topic {topic}: nothing was sent within delivery.timeout.ms ({seconds} s): {cause}"
                );
                Failure::of_topic(SendErrorKind::Other, FailureClass::Transient, topic, text)
            }),
        }
    }
}
