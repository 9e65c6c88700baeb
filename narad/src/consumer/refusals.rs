//! What brokers refuse, each said once: librdkafka asks again and again, and has the same answer each time.

use std::time::{Duration, Instant};

/// A refusal that was not heard for so long is a new one.
const HOLDS: Duration = Duration::from_secs(60);

/// Of so many at once it is said; who has more of them knows by then.
const KEPT: usize = 256;

/// What was refused, and when that was last heard.
#[derive(Default)]
pub(super) struct Refusals(Vec<(String, Instant)>);

impl Refusals {
    /// Whether this is to be said.
    pub(super) fn is_news(&mut self, refusal: &str, now: Instant) -> bool {
        self.0.retain(|(_, heard)| now.saturating_duration_since(*heard) < HOLDS);
        if let Some((_, heard)) = self.0.iter_mut().find(|(known, _)| known == refusal) {
            *heard = now;
            return false;
        }
        let has_room = self.0.len() < KEPT;
        if has_room {
            self.0.push((refusal.to_owned(), now));
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_said_once_and_again_after_a_while_in_which_it_was_not_heard() {
        let (mut refusals, begun) = (Refusals::default(), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert!(refusals.is_news("orders: denied", at(0)));
        assert!(refusals.is_news("payments: denied", at(1)), "another topic is another refusal");
        for second in 2..100 {
            assert!(!refusals.is_news("orders: denied", at(second)), "it is heard all the time");
        }
        assert!(
            refusals.is_news("payments: denied", at(100)) && !refusals.is_news("orders: denied", at(158))
        );
        assert!(refusals.is_news("orders: denied", at(218)));
    }

    #[test]
    fn whatever_texts_come_they_fill_no_memory() {
        let (mut refusals, now) = (Refusals::default(), Instant::now());
        assert_eq!(
            (0..10_000).filter(|number| refusals.is_news(&format!("topic-{number}: denied"), now)).count(),
            KEPT
        );
        assert_eq!(refusals.0.len(), KEPT);
        assert!(refusals.is_news("orders: denied", now + HOLDS), "later there is room again");
    }
}
