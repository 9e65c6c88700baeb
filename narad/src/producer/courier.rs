//! The courier: a thread that asks for signs of life where nothing else is one. It looks at the certificates
//! on disk, too.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::core::{Client, Core};
use super::second::SecondOpinion;
use super::{advertised, certificates};
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

impl Core {
    pub(super) fn ask_for_life(&self, client: &Client, gone: &AtomicBool) {
        let mut certificate_examined = false;
        let mut second = SecondOpinion::default();
        let brokers = self.settings.brokers.join(", ");
        // Where the client's thread broke, nobody says that it is gone.
        while !gone.load(Ordering::Acquire) && self.broken().is_none() {
            self.look_at_certificates();
            let up = self.connection.phase() == Phase::Up;
            if !up || self.connection.quiet_for(self.clock().now()) >= ASK_AFTER {
                self.ask(client, &mut second, &brokers);
            }
            certificate_examined &= !up;
            if !up
                && !certificate_examined
                && let Some(cause) = self.connection.cause()
            {
                certificate_examined = self.examine_certificates(&cause);
            }
            let pause = match self.connection.phase() {
                Phase::Up => {
                    if !up {
                        // What waits may go.
                        self.lines.bell.ring();
                    }
                    ASK_AFTER.saturating_sub(self.connection.quiet_for(self.clock().now())).max(UNANSWERED)
                }
                Phase::Connecting | Phase::Down => UNANSWERED,
            };
            self.bell.listen(pause);
        }
    }

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
