//! Whether a broker answers: one state for the application, fed by answers and by faults, and said once per
//! outage.
//!
//! ```text
//! Connecting ──answer──► Up ──no answer for 5 s, or all brokers down──► Down
//!      └──── no answer in time, or all brokers refuse the user ────────►  │
//!                         ▲───────────────────answer──────────────────────┘
//! ```

mod broker;
mod certificate;
mod diagnose;

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

pub(crate) use broker::Broker;
#[cfg(test)]
pub(crate) use certificate::ENDED_PEM;
pub(crate) use certificate::{ends_of_pem, not_after, not_after_of_pem};
pub(crate) use diagnose::{Cause, Security, diagnose};

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::supervision::foreign;

/// An answer says that the brokers are there for so long.
const ANSWER_HOLDS: Duration = Duration::from_secs(5);

/// librdkafka reports a fault that repeats only now and then.
const CAUSE_HOLDS: Duration = Duration::from_secs(60);

/// Of so many brokers it is said that they cannot be reached; who has more of them knows by then.
const SAID_OF: usize = 32;

/// In development a connection that failed once has so long for another address (`localhost` is often two)
/// before it counts as none.
const DEVELOPMENT_PATIENCE: Duration = Duration::from_millis(300);

/// In development brokers that say nothing at all have so long.
const DEVELOPMENT_SILENCE: Duration = Duration::from_secs(1);

/// Whether a broker answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Nothing is known yet.
    Connecting,
    /// A broker answers.
    Up,
    /// No broker answers.
    Down,
}

/// What a send may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// A broker answers.
    Now,
    /// No broker answers: it waits for one until then.
    Until(Instant),
    /// The wait of this outage is over.
    Refused,
}

/// The application's connection to its brokers.
#[derive(Debug)]
pub(crate) struct Connection {
    brokers: String,
    security: Security,
    timeout: Duration,
    development: bool,
    origin: Instant,
    clock: Clock,
    /// [`Phase`], apart from the rest so that a send reads it without the lock.
    phase: AtomicU8,
    /// Milliseconds from `origin` to the last answer.
    answered: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When this phase began.
    since: Instant,
    /// The first fault of this phase.
    first_fault: Option<Instant>,
    /// librdkafka had tried all brokers, and none was left.
    all_down: bool,
    /// The last cause that says most, and when it was seen.
    cause: Option<(Instant, Cause)>,
    /// Brokers of which it was said, while others answered, that they cannot be reached.
    said_of: Vec<Broker>,
    /// Until when sends of this outage wait; set by the first.
    patience: Option<Instant>,
    /// The outage was said, so that its end has to be.
    said: bool,
    /// The last look at the time.
    looked: Option<Instant>,
    /// Silence until then is this process's own.
    deaf_until: Option<Instant>,
    /// There is no client any more.
    ended: bool,
    waiting: Vec<(Instant, oneshot::Sender<Result<()>>)>,
}

impl State {
    /// A fault of long ago is no cause of this outage.
    fn recent_cause(&self, now: Instant) -> Option<&Cause> {
        self.cause
            .as_ref()
            .filter(|(seen, _)| now.saturating_duration_since(*seen) <= CAUSE_HOLDS)
            .map(|(_, cause)| cause)
    }

    /// All brokers were tried, and what is wrong is what this client says of itself: waiting does not mend
    /// it.
    fn is_refused(&self, now: Instant) -> bool {
        self.all_down && self.recent_cause(now).is_some_and(Cause::is_refusal)
    }
}

impl Connection {
    pub(crate) fn new(
        brokers: &[String],
        security: Security,
        timeout: Duration,
        development: bool,
        clock: Clock,
    ) -> Self {
        let now = clock.now();
        let state = State {
            since: now,
            first_fault: None,
            all_down: false,
            cause: None,
            said_of: Vec::new(),
            patience: None,
            said: false,
            looked: None,
            deaf_until: None,
            ended: false,
            waiting: Vec::new(),
        };
        Self {
            brokers: brokers.join(", "),
            security,
            timeout,
            development,
            origin: now,
            clock,
            phase: AtomicU8::new(Phase::Connecting as u8),
            answered: AtomicU64::new(0),
            state: Mutex::new(state),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Connecting,
            1 => Phase::Up,
            _ => Phase::Down,
        }
    }

    /// True only while a broker answered within 5 s.
    pub(crate) fn is_connected(&self) -> bool {
        self.phase() == Phase::Up && self.quiet_for(self.clock.now()) <= ANSWER_HOLDS
    }

    /// How long no broker has answered.
    pub(crate) fn quiet_for(&self, now: Instant) -> Duration {
        let answered = self.origin + Duration::from_millis(self.answered.load(Ordering::Relaxed));
        now.saturating_duration_since(answered)
    }

    /// The client begins now; what came before is no wait for a broker.
    pub(crate) fn begin(&self) {
        self.lock().since = self.clock.now();
    }

    /// A broker answered: a delivery report, metadata, records.
    pub(crate) fn answered(&self) {
        self.answered_to(self.clock.now());
    }

    /// A broker answered what it was asked then: an answer from before an outage does not end it.
    pub(crate) fn answered_to(&self, asked: Instant) {
        let now = self.clock.now();
        if self.phase() != Phase::Up && !self.up(asked, now) {
            return;
        }
        self.answered.store(now.duration_since(self.origin).as_millis() as u64, Ordering::Relaxed);
    }

    /// librdkafka reports a fault of one broker.
    pub(crate) fn fault(&self, reason: &str) {
        let now = self.clock.now();
        let broker = Broker::of(reason);
        let mut cause = diagnose(reason, self.security);
        // Before the first connection only an answer of a given broker makes another one known.
        if self.phase() == Phase::Connecting
            && broker.is_learnt()
            && !self.is_given(&broker)
            && matches!(cause, Cause::Refused | Cause::Dns | Cause::TimedOut)
        {
            cause = Cause::Advertised(broker.clone(), Box::new(cause));
        }
        let mut state = self.lock();
        // Each attempt fails anew; in development these lines are read.
        if state.recent_cause(now) != Some(&cause) {
            tracing::debug!(target: "narad", reason, "a connection to a broker failed");
        } else {
            tracing::trace!(target: "narad", reason, "a connection to a broker failed");
        }
        state.first_fault.get_or_insert(now);
        if self.phase() == Phase::Up && cause.is_lasting() {
            // Others answer: an advertised name that this host cannot resolve would else show only as
            // time-outs.
            if state.said_of.len() < SAID_OF && !state.said_of.contains(&broker) {
                self.say_of(&broker, &cause);
                state.said_of.push(broker);
            }
        }
        let kept = match (state.recent_cause(now), &cause) {
            // librdkafka says the same of several, and it was found out which.
            (Some(known), cause) if known.explains(cause) => Some(known.clone()),
            (Some(known), cause) if known.is_telling() && !cause.is_telling() => return,
            _ => None,
        };
        state.cause = Some((now, kept.unwrap_or(cause)));
    }

    /// librdkafka has lost its last broker.
    pub(crate) fn all_down(&self) {
        let now = self.clock.now();
        let mut state = self.lock();
        state.first_fault.get_or_insert(now);
        state.all_down = true;
        if self.phase() == Phase::Up {
            self.down(&mut state, now, true);
        }
    }

    /// What was found out beyond what librdkafka says.
    pub(crate) fn found(&self, cause: Cause) {
        let now = self.clock.now();
        let mut state = self.lock();
        state.first_fault.get_or_insert(now);
        state.cause = Some((now, cause));
    }

    /// librdkafka has lost its last broker, and no other answered since.
    pub(crate) fn has_lost_all(&self) -> bool {
        self.lock().all_down
    }

    /// Looks at the time: outages that begin by silence, and waits that are over.
    pub(crate) fn tick(&self, now: Instant) {
        let mut state = self.lock();
        // Whoever was asleep for as long as an answer holds, with a machine or a process that was stopped,
        // could hear none.
        if state
            .looked
            .replace(now)
            .is_some_and(|looked| now.saturating_duration_since(looked) > ANSWER_HOLDS)
        {
            state.deaf_until = Some(now + ANSWER_HOLDS);
        }
        let quiet = self.phase() == Phase::Up
            && self.quiet_for(now) > ANSWER_HOLDS
            && state.deaf_until.is_none_or(|until| until < now);
        let refused = state.is_refused(now);
        if quiet || (self.phase() == Phase::Connecting && (refused || self.is_hopeless(&state, now))) {
            // Who waits in `connect` is told by its error.
            let told =
                !self.development && state.waiting.iter().any(|(deadline, _)| refused || *deadline <= now);
            self.down(&mut state, now, !told);
        }
        if refused {
            // Sends have nothing to wait for either.
            state.patience = Some(state.patience.map_or(now, |patience| patience.min(now)));
        }
        if state.waiting.is_empty() {
            return;
        }
        let known = refused || (self.development && self.phase() == Phase::Down);
        let waiting = std::mem::take(&mut state.waiting);
        let (over, waiting): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|(deadline, _)| known || *deadline <= now);
        state.waiting = waiting;
        for (_, waiter) in over {
            let outcome = if self.development { Ok(()) } else { Err(self.unreachable(&state)) };
            // Whoever no longer waits needs no answer.
            foreign("a waker", || drop(waiter.send(outcome)));
        }
    }

    /// What a send of the application may do now.
    pub(crate) fn admission(&self, now: Instant) -> Admission {
        if self.phase() == Phase::Up {
            return Admission::Now;
        }
        let mut state = self.lock();
        let patience = *state.patience.get_or_insert(now + self.timeout);
        if now < patience { Admission::Until(patience) } else { Admission::Refused }
    }

    /// Resolves when a broker answers or the time-out is over; in development also when it is known that none
    /// does.
    pub(crate) fn wait(&self) -> oneshot::Receiver<Result<()>> {
        let (sender, receiver) = oneshot::channel();
        let now = self.clock.now();
        let mut state = self.lock();
        if state.ended {
            // Nobody answers any more, and nobody looks at the time: the channel ends here.
            drop(sender);
        } else if self.is_connected() || (self.development && self.phase() == Phase::Down) {
            let _ = sender.send(Ok(()));
        } else {
            state.waiting.push((now + self.timeout, sender));
        }
        receiver
    }

    /// There is no client any more: who waits learns that by the end of the channel.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        self.phase.store(Phase::Down as u8, Ordering::Release);
        state.ended = true;
        state.waiting.drain(..).for_each(|waiter| foreign("a waker", || drop(waiter)));
    }

    /// Why no broker answers, as far as it is known.
    pub(crate) fn cause(&self) -> Option<Cause> {
        self.lock().recent_cause(self.clock.now()).cloned()
    }

    /// Whether a broker is there.
    fn up(&self, asked: Instant, now: Instant) -> bool {
        let mut state = self.lock();
        // Another answer was first, or the client's last ones come after its end.
        if self.phase() == Phase::Up || state.ended {
            return !state.ended;
        }
        if self.phase() == Phase::Down && asked < state.since {
            return false;
        }
        // Before the phase, so that no look at the time in between sees an old answer.
        self.answered.store(now.duration_since(self.origin).as_millis() as u64, Ordering::Relaxed);
        self.phase.store(Phase::Up as u8, Ordering::Release);
        let seconds = now.saturating_duration_since(state.since).as_secs_f64();
        if std::mem::take(&mut state.said) {
            tracing::info!(target: "narad", brokers = %self.brokers, "connected again after {seconds:.1} s");
        } else {
            tracing::debug!(target: "narad", brokers = %self.brokers, "connected after {seconds:.3} s");
        }
        (state.since, state.first_fault, state.cause, state.patience, state.all_down) =
            (now, None, None, None, false);
        state.said_of.clear();
        for (_, waiter) in state.waiting.drain(..) {
            foreign("a waker", || drop(waiter.send(Ok(()))));
        }
        true
    }

    fn down(&self, state: &mut State, now: Instant, say: bool) {
        let cause = state.recent_cause(now).cloned().unwrap_or(Cause::Silent);
        self.phase.store(Phase::Down as u8, Ordering::Release);
        // Sends that began to wait while nothing was known wait on within the same outage.
        (state.since, state.said) = (now, true);
        if !say {
            return;
        }
        let what = match cause {
            Cause::Advertised(..) => format!("brokers answer at {}, but {cause}", self.brokers),
            cause => format!("no broker answers at {}: {cause}", self.brokers),
        };
        if self.development {
            tracing::warn!(target: "narad", "{what}. Development mode goes on without one and connects by \
             itself once one is there");
        } else {
            tracing::warn!(target: "narad", "{what}. Narad connects again by itself");
        }
    }

    /// Others answer, this one cannot be reached. One that was learnt from another broker has the address
    /// that it advertises.
    fn say_of(&self, broker: &Broker, cause: &Cause) {
        if self.is_given(broker) {
            tracing::warn!(target: "narad", %broker, "one of the brokers cannot be reached: {cause}");
        } else {
            let cause = Cause::Advertised(broker.clone(), Box::new(cause.clone()));
            tracing::warn!(target: "narad", %broker, "brokers answer at {}, but {cause}", self.brokers);
        }
    }

    /// Whether the address stands in `KAFKA_BROKERS`.
    pub(crate) fn is_given(&self, broker: &Broker) -> bool {
        self.brokers.split(", ").any(|given| Broker::of(given) == *broker)
    }

    fn is_hopeless(&self, state: &State, now: Instant) -> bool {
        let waited = now.saturating_duration_since(state.since);
        if !self.development {
            return waited >= self.timeout;
        }
        waited >= DEVELOPMENT_SILENCE.min(self.timeout)
            || state
                .first_fault
                .is_some_and(|fault| now.saturating_duration_since(fault) >= DEVELOPMENT_PATIENCE)
    }

    fn unreachable(&self, state: &State) -> Error {
        if let Some(cause) = state.recent_cause(self.clock.now()).filter(|cause| cause.is_refusal()) {
            return Error::Start(format!("the brokers at {} refuse this client: {cause}", self.brokers));
        }
        let cause = state.recent_cause(self.clock.now()).cloned().unwrap_or(Cause::Silent);
        if matches!(cause, Cause::Advertised(..)) {
            return Error::Start(format!("brokers answer at {}, but {cause}", self.brokers));
        }
        Error::Start(format!(
            "no broker answered within {} ms at {}: {cause}",
            self.timeout.as_millis(),
            self.brokers
        ))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
