//! Which token is held, and when the next one is asked for. Pure over the time.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::token::Token;

/// After a failure it is asked again after this, doubled at each failure in a row up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The one token of all clients that share a source.
///
/// ```text
/// Nothing ──asked──► Asking ──a token──► Valid ──four fifths of its life are over, asked──► Asking
///                      ├──a flawed token, or a failure──► Failing ──the pause is over, asked──┘
///                      └──(what comes while nobody is asked changes nothing)
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// The source was never asked.
    Nothing,
    /// The source is asked; the token from before, and how it went until now.
    Asking { before: Option<Arc<Token>>, failed: Option<Failed> },
    /// A token, which came then, and is to be asked for anew at `renew`.
    Valid { token: Arc<Token>, since: SystemTime, renew: SystemTime },
    /// The source gave none; the token from before, and when it is asked again.
    Failing { before: Option<Arc<Token>>, failed: Failed, again: SystemTime },
}

/// Failures in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) times: u32,
    pub(super) since: SystemTime,
    pub(super) cause: String,
}

/// What an answer of the source changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nobody was asked.
    Unasked,
    /// There is a new token; failures came before it since then.
    Fresh(Arc<Token>, Option<Failed>),
    /// There is none. `is_new`: the cause is not that of the failure before.
    Failed { is_new: bool },
}

impl Held {
    /// When the source is to be asked; `None` while it is.
    pub(super) fn due(&self, now: SystemTime) -> Option<SystemTime> {
        match self {
            Self::Nothing => Some(now),
            Self::Asking { .. } => None,
            // A clock that was set back tells nothing of how old the token is.
            Self::Valid { since, .. } if now < *since => Some(now),
            Self::Valid { renew, .. } => Some(*renew),
            Self::Failing { again, .. } => Some((*again).min(now + LONGEST_PAUSE)),
        }
    }

    /// The source is asked now, if it is time.
    pub(super) fn ask(&mut self, now: SystemTime) -> bool {
        if self.due(now).is_none_or(|due| due > now) {
            return false;
        }
        let failed = match self {
            Self::Failing { failed, .. } => Some(failed.clone()),
            _ => None,
        };
        *self = Self::Asking { before: self.good(now).cloned(), failed };
        true
    }

    /// What the source gave.
    pub(super) fn answer(&mut self, answer: Result<Token, String>, now: SystemTime) -> Turn {
        let Self::Asking { before, failed } = self else { return Turn::Unasked };
        let answer = answer.and_then(|token| token.flaw(now).map_or(Ok(token), Err));
        match answer {
            Ok(token) => {
                let life = token.expires_at.duration_since(now).unwrap_or_default();
                let (token, failed) = (Arc::new(token), failed.take());
                *self = Self::Valid { token: token.clone(), since: now, renew: now + life / 5 * 4 };
                Turn::Fresh(token, failed)
            }
            Err(cause) => {
                let is_new = failed.as_ref().is_none_or(|failed| failed.cause != cause);
                let (times, since) = failed.as_ref().map_or((0, now), |failed| (failed.times, failed.since));
                let pause = FIRST_PAUSE * 2u32.saturating_pow(times.min(8));
                *self = Self::Failing {
                    before: before.take(),
                    failed: Failed { times: times + 1, since, cause },
                    again: now + pause.min(LONGEST_PAUSE),
                };
                Turn::Failed { is_new }
            }
        }
    }

    /// The token that a client may log in with.
    pub(super) fn good(&self, now: SystemTime) -> Option<&Arc<Token>> {
        let token = match self {
            Self::Nothing => None,
            Self::Asking { before, .. } | Self::Failing { before, .. } => before.as_ref(),
            Self::Valid { token, .. } => Some(token),
        };
        token.filter(|token| token.is_good(now))
    }

    /// Why there is none, where the source said so.
    pub(super) fn cause(&self) -> Option<&str> {
        match self {
            Self::Asking { failed: Some(failed), .. } | Self::Failing { failed, .. } => Some(&failed.cause),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + second)
    }

    fn until(second: u64) -> Token {
        Token::new(format!("token-{second}"), at(second))
    }

    fn no() -> Result<Token, String> {
        Err("no".to_owned())
    }

    fn states() -> [Held; 4] {
        let mut asking = Held::Nothing;
        assert!(asking.ask(at(0)));
        let (mut valid, mut failing) = (asking.clone(), asking.clone());
        assert!(matches!(valid.answer(Ok(until(100)), at(0)), Turn::Fresh(_, None)));
        assert_eq!(failing.answer(no(), at(0)), Turn::Failed { is_new: true });
        [Held::Nothing, asking, valid, failing]
    }

    #[test]
    fn every_state_takes_every_event_as_its_doc_says() {
        for state in states() {
            let (mut early, mut late) = (state.clone(), state.clone());
            let (mut token, mut failure) = (state.clone(), state.clone());
            let early = early.ask(at(0));
            let late = late.ask(at(90));
            let token = token.answer(Ok(until(200)), at(90));
            let failure = failure.answer(no(), at(90));
            match state {
                Held::Nothing => {
                    assert_eq!((early, late, token, failure), (true, true, Turn::Unasked, Turn::Unasked))
                }
                Held::Asking { .. } => {
                    assert!(!early && !late);
                    assert!(matches!(token, Turn::Fresh(..)) && matches!(failure, Turn::Failed { .. }));
                }
                Held::Valid { .. } | Held::Failing { .. } => {
                    assert_eq!((early, late, token, failure), (false, true, Turn::Unasked, Turn::Unasked));
                }
            }
        }
    }

    #[test]
    fn a_token_is_asked_for_anew_when_four_fifths_of_its_life_are_over() {
        let [_, _, mut valid, _] = states();
        assert_eq!(valid.due(at(1)), Some(at(80)));
        assert!(!valid.ask(at(79)) && valid.ask(at(80)));
        assert!(
            valid.good(at(99)).is_some() && valid.good(at(100)).is_none(),
            "the old one while it is good"
        );
        assert!(matches!(valid.answer(Ok(until(200)), at(85)), Turn::Fresh(_, None)));
        assert_eq!(valid.due(at(85)), Some(at(85) + Duration::from_secs(92)));
    }

    #[test]
    fn failures_keep_the_token_from_before_and_are_tried_again_less_and_less_often() {
        let [_, _, mut held, _] = states();
        let (mut now, mut pauses) = (at(80), Vec::new());
        for time in 0..6 {
            assert!(held.ask(now));
            assert_eq!(held.answer(no(), now), Turn::Failed { is_new: time == 0 });
            assert_eq!(held.good(at(99)).is_some(), now < at(100), "the token from before, while it is good");
            let again = held.due(now).expect("a time");
            pauses.push(again.duration_since(now).unwrap().as_secs());
            now = again;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 10, 10]);
        assert_eq!(held.cause(), Some("no"));
        assert!(held.ask(now) && held.cause().is_some(), "also while it is asked again");
        let Turn::Fresh(_, Some(failed)) = held.answer(Ok(until(500)), now) else { panic!("{held:?}") };
        assert_eq!((failed.times, failed.since), (6, at(80)));
        assert_eq!(held.cause(), None);
    }

    #[test]
    fn a_flawed_token_is_a_failure_that_says_why() {
        let [_, mut asking, ..] = states();
        assert_eq!(asking.answer(Ok(until(5)), at(6)), Turn::Failed { is_new: true });
        assert!(asking.cause().is_some_and(|cause| cause.contains("ended 1 s before it came")));
        assert!(asking.good(at(6)).is_none());
        assert!(asking.ask(at(7)));
        assert_eq!(asking.answer(no(), at(7)), Turn::Failed { is_new: true }, "another cause is new");
    }

    #[test]
    fn a_clock_that_was_set_back_has_the_source_asked() {
        let [_, _, mut valid, mut failing] = states();
        let before = at(0) - Duration::from_secs(3_600);
        assert!(valid.ask(before));
        assert_eq!(failing.due(before), Some(before + LONGEST_PAUSE));
        assert!(failing.ask(at(1)));
    }
}
