//! The courier: a thread that asks for signs of life where nothing else is one. It looks at the certificates
//! on disk, too.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::core::{Client, Core};
use super::second::SecondOpinion;
use super::{advertised, certificates};
use crate::clock::{Step, Steps};
use crate::connection::{Cause, Phase};

/// A broker that said nothing for so long is asked.
const ASK_AFTER: Duration = Duration::from_secs(2);

/// The patience with a broker that answered before, over the producer's connection and then over another one,
/// together less than an answer holds; and with one that did not.
const PATIENCE_UP: Duration = Duration::from_secs(1);
const PATIENCE_ELSEWHERE: Duration = Duration::from_millis(1_700);
const PATIENCE_DOWN: Duration = Duration::from_millis(500);

/// A broker that did not answer is asked again after this.
const UNANSWERED: Duration = Duration::from_millis(50);

/// Asks for signs of life, until the client is gone.
pub(super) struct Asking<'a> {
    core: &'a Core,
    client: &'a Client,
    gone: &'a AtomicBool,
    second: SecondOpinion,
    certificate_examined: bool,
    brokers: String,
}

impl<'a> Asking<'a> {
    pub(super) fn new(core: &'a Core, client: &'a Client, gone: &'a AtomicBool) -> Self {
        let brokers = core.settings.brokers.join(", ");
        Self { core, client, gone, second: SecondOpinion::default(), certificate_examined: false, brokers }
    }
}

impl Steps for Asking<'_> {
    type Done = ();

    /// A question is asked in it: that waits for a broker, inside of the transport.
    fn step(&mut self, now: Instant) -> Step<()> {
        let core = self.core;
        // Where the client's thread broke, nobody says that it is gone.
        if self.gone.load(Ordering::Acquire) || core.broken().is_some() {
            return Step::Done(());
        }
        core.look_at_certificates();
        let up = core.connection.phase() == Phase::Up;
        if !up || core.connection.quiet_for(now) >= ASK_AFTER {
            core.ask(self.client, &mut self.second, &self.brokers);
        }
        self.certificate_examined &= !up;
        if !up
            && !self.certificate_examined
            && let Some(cause) = core.connection.cause()
        {
            self.certificate_examined = core.examine_certificates(&cause);
        }
        // It may be some time later.
        let now = core.clock().now();
        let pause = match core.connection.phase() {
            Phase::Up => {
                if !up {
                    // What waits may go.
                    core.lines.bell.ring();
                }
                ASK_AFTER.saturating_sub(core.connection.quiet_for(now)).max(UNANSWERED)
            }
            Phase::Connecting | Phase::Down => UNANSWERED,
        };
        Step::By(now + pause)
    }

    fn wait(&mut self, at_most: Duration) {
        self.core.bell.listen(at_most);
    }
}

impl Core {
    /// Asks for a sign of life.
    fn ask(&self, client: &Client, second: &mut SecondOpinion, brokers: &str) {
        let was = self.connection.phase();
        // Once the producer's connection is known to wait, the other one answers first: the time is short. An
        // end waits for no other connection.
        let closing = || self.life.state().is_closing();
        let waits = second.is_open() && !closing();
        let elsewhere = waits && self.ask_elsewhere(second);
        let asked = self.clock().now();
        match client.ask(if was == Phase::Up { PATIENCE_UP } else { PATIENCE_DOWN }) {
            Ok(advertised) => {
                second.close(brokers, self.clock().now());
                if was == Phase::Connecting
                    && let Some(cause) = advertised::unreachable(&self.connection, &advertised)
                {
                    self.connection.found(cause);
                } else {
                    self.connection.answered_to(asked);
                }
                return;
            }
            Err(fault) => {
                tracing::trace!(target: "narad", "no broker answered a request for metadata: {fault}")
            }
        }
        // Where no connection is left, the producer's next one is as new as any other.
        if was == Phase::Connecting || self.connection.has_lost_all() || closing() {
            return second.close(brokers, self.clock().now());
        }
        if elsewhere || (!waits && self.ask_elsewhere(second)) {
            second.muted(brokers, self.clock().now());
        }
    }

    fn ask_elsewhere(&self, second: &mut SecondOpinion) -> bool {
        let asked = self.clock().now();
        let answers =
            second.ask(|| self.settings.transport.second(&self.settings.client), PATIENCE_ELSEWHERE);
        if answers {
            self.connection.answered_to(asked);
        }
        answers
    }

    /// Finds out what is wrong with a certificate; false where that has to be tried again.
    fn examine_certificates(&self, cause: &Cause) -> bool {
        if *cause == Cause::Certificate {
            if let Some(found) = certificates::examine(&self.settings) {
                self.connection.found(found);
            }
            return true;
        }
        // A broker that takes no certificate says that in many ways, and TLS 1.3 lets the handshake succeed
        // before.
        if cause.may_be_our_certificate() {
            if let Some(end) = certificates::own_expired(&self.settings) {
                self.connection.found(Cause::OwnExpired(end));
            }
            return true;
        }
        false
    }
}
