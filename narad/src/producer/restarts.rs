//! Clients that give up: when the next one is made, what is said of it, and what sends are told meanwhile.

use std::time::{Duration, Instant};

use crate::error::SendErrorKind;
use crate::transport::{Class, Fault};

/// Before the next client, doubled each time, up to the longest: each one is a new connection, a handshake, a
/// user to be checked.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What goes on is said again after this.
const SAY_AGAIN: Duration = Duration::from_secs(300);

/// A client that lived for so long was able to work.
const WORKED: Duration = Duration::from_secs(60);

/// Why brokers let no idempotent producer begin: constant for one cause, so that all that wait for it wait
/// for the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    pub(super) kind: SendErrorKind,
    pub(super) text: &'static str,
}

pub(super) fn refusal(fault: Fault) -> Option<Refusal> {
    match fault.class {
        Class::ClusterDenied => Some(Refusal {
            kind: SendErrorKind::NotAuthorized,
            text: "the brokers refuse this producer: not authorised: the user of this client needs the \
                   permission to write (operation Write) at least one topic, and on brokers before 2.8 \
                   IdempotentWrite on the cluster: `kafka-acls.sh --add --cluster --operation \
                   IdempotentWrite --allow-principal User:…`",
        }),
        Class::Unsupported => Some(Refusal {
            kind: SendErrorKind::Other,
            text: "the brokers offer no idempotent producers (InitProducerId), which Narad needs: is this \
                   Kafka 0.11 or later, and does a proxy in between pass that request on?",
        }),
        _ => None,
    }
}

/// The clients that gave up one after the other.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    failures: u32,
    said: Option<(Instant, Fault)>,
}

impl Restarts {
    /// One more gave up. `born` is when it was made, and `worked` whether a broker took something of it.
    /// Gives the pause before the next, and whether this has to be said.
    pub(super) fn next(
        &mut self,
        now: Instant,
        born: Instant,
        worked: bool,
        fault: Fault,
    ) -> (Duration, bool) {
        if worked || now.saturating_duration_since(born) >= WORKED {
            *self = Self::default();
        }
        let pause = PAUSE.saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        let say = self
            .said
            .is_none_or(|(at, said)| said != fault || now.saturating_duration_since(at) >= SAY_AGAIN);
        if say {
            self.said = Some((now, fault));
        }
        (pause, say)
    }

    /// It was said that brokers let no producer begin.
    pub(super) fn is_refused(&self) -> bool {
        self.said.is_some_and(|(_, fault)| refusal(fault).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_what_goes_on_is_said_again_after_a_while() {
        let (mut restarts, begin) = (Restarts::default(), Instant::now());
        let mut now = begin;
        let mut said = 0;
        let mut pauses = Vec::new();
        while now - begin < Duration::from_secs(599) {
            let (pause, say) = restarts.next(now, now, false, Fault::of(Class::ClusterDenied));
            said += usize::from(say);
            pauses.push(pause);
            now += pause;
        }
        assert_eq!(said, 2, "in ten minutes");
        assert_eq!(pauses[..4], [100, 200, 400, 800].map(Duration::from_millis));
        assert!(pauses.is_sorted() && pauses.last() == Some(&Duration::from_secs(30)));
    }

    #[test]
    fn another_cause_is_said_and_a_client_that_worked_begins_anew() {
        let (mut restarts, now) = (Restarts::default(), Instant::now());
        assert_eq!(restarts.next(now, now, false, Fault::of(Class::Other)), (PAUSE, true));
        assert_eq!(restarts.next(now, now, false, Fault::of(Class::Other)), (2 * PAUSE, false));
        assert_eq!(restarts.next(now, now, false, Fault::of(Class::InDoubt)), (4 * PAUSE, true));
        assert_eq!(restarts.next(now, now, true, Fault::of(Class::InDoubt)), (PAUSE, true));
        assert_eq!(restarts.next(now + 2 * WORKED, now, false, Fault::of(Class::InDoubt)), (PAUSE, true));
    }

    #[test]
    fn only_what_is_refused_from_birth_is_a_refusal() {
        assert!(
            refusal(Fault::of(Class::ClusterDenied))
                .is_some_and(
                    |refusal| refusal.text.contains("IdempotentWrite") && refusal.text.contains("2.8")
                )
        );
        assert!(refusal(Fault::of(Class::Unsupported)).is_some_and(|refusal| refusal.text.contains("0.11")));
        assert!(refusal(Fault::of(Class::InDoubt)).is_none());
    }
}
