//! What follows an attempt, and how batches are gathered: as the options of a handler say.

use std::time::Duration;

use crate::codec::Wait;
use crate::handler::{Encoded, Rejection, Reply};
use crate::outcome::{Outcome, OutcomeKind};

/// How often a handler tries, and how long apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) attempts: u32,
    pub(crate) backoff: Backoff,
    /// There is no dead letter: it is tried for ever.
    pub(crate) is_endless: bool,
    /// After so many attempts the records of a batch that fails as a whole are tried one by one.
    pub(crate) isolate: Option<u32>,
}

/// What follows an attempt.
#[derive(Debug)]
pub(crate) enum After {
    /// The handler is through with its records: these events are published first, if there are any.
    Publish(Vec<Encoded>),
    /// The handler said what becomes of each record of a batch: these events are published first, then this
    /// follows.
    PublishFirst(Vec<Encoded>, Reply),
    /// The handler has not run, as what it takes cannot be read yet: the same attempt, once this is over.
    Wait(Wait),
    /// They are dropped, as the handler says.
    Skip(Outcome),
    /// One more attempt, after this time; with its attempts used up, the record blocks its key.
    TryAgain { wait: Duration, is_blocked: bool, outcome: Outcome },
    /// The records of a batch go on one by one, after this time.
    Isolate { wait: Duration, outcome: Outcome },
    /// No attempt is left, or the handler wants none.
    GiveUp(Outcome),
    /// The record does not fit the handler's parameters: no attempt mends that.
    Unfit(Rejection),
    /// The application stops; they stay unfinished.
    Halt(Outcome),
    /// The records of a batch have different fates: they go on apart.
    Apart(Reply),
}

impl Policy {
    /// What follows this attempt at so many records. `chance` is drawn from 0 to 1.
    pub(crate) fn after(&self, attempt: u32, records: usize, mut reply: Reply, chance: f64) -> After {
        if let Some(wait) = reply.take_wait() {
            return After::Wait(wait);
        }
        if let Some(mut each) = reply.each.take() {
            if let Some(misfit) = each.misfit(records) {
                reply.outcome = Outcome::retry(misfit);
            } else if !reply.events.is_empty() {
                let events = std::mem::take(&mut reply.events);
                reply.each = Some(each);
                return After::PublishFirst(events, reply);
            } else if records > 1 {
                reply.each = Some(each);
                return After::Apart(reply);
            } else {
                reply.outcome = each.take(0).unwrap_or_else(Outcome::done);
            }
        }
        if !reply.unfit.is_empty() && records > 1 {
            return After::Apart(reply);
        }
        if let Some((_, rejection)) = reply.unfit.pop() {
            return After::Unfit(rejection);
        }
        let Reply { outcome, events, .. } = reply;
        let over = self.over(&outcome);
        let is_blocked = attempt >= over.attempts;
        // Where an error wants fewer attempts than these, it is not to cost all the others of its batch.
        let isolates = records > 1 && self.isolate.is_some_and(|failures| attempt >= failures || is_blocked);
        let wait = match outcome.kind() {
            OutcomeKind::Done => return After::Publish(events),
            OutcomeKind::Skip => return After::Skip(outcome),
            OutcomeKind::Halt => return After::Halt(outcome),
            OutcomeKind::DeadLetter => return After::GiveUp(outcome),
            _ if is_blocked && !self.is_endless && !isolates => return After::GiveUp(outcome),
            OutcomeKind::RetryAfter(wait) => wait,
            OutcomeKind::Retry if is_blocked && !isolates => over.backoff.longest,
            OutcomeKind::Retry => over.backoff.jittered(attempt, chance),
        };
        if isolates {
            After::Isolate { wait, outcome }
        } else {
            After::TryAgain { wait, is_blocked, outcome }
        }
    }

    /// Whether a further attempt follows an outcome: there is one left, or nowhere else to go.
    pub(crate) fn tries_again(&self, outcome: &Outcome, attempt: u32) -> bool {
        let is_retry = matches!(outcome.kind(), OutcomeKind::Retry | OutcomeKind::RetryAfter(_));
        is_retry && (self.is_endless || attempt < self.over(outcome).attempts)
    }

    /// As the handler's options say, and over them an error's own `#[retry(…)]`. Where a record is tried for
    /// ever it is not tried without a pause: the start refuses errors of that kind, but does not see them
    /// behind an `Outcome`.
    fn over(&self, outcome: &Outcome) -> Self {
        let over = outcome.policy;
        let backoff = over.and_then(|over| over.backoff_ms).map_or(self.backoff, Backoff::of_milliseconds);
        Self {
            attempts: over.and_then(|over| over.attempts).unwrap_or(self.attempts),
            backoff: if self.is_endless && backoff.first.is_zero() { self.backoff } else { backoff },
            ..*self
        }
    }
}

/// How records are gathered for a batch handler.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchPolicy {
    pub(crate) max: usize,
    pub(crate) wait: Duration,
}

/// How long an attempt's failure is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Backoff {
    pub(crate) fn of_milliseconds((first, longest): (u64, u64)) -> Self {
        Self { first: Duration::from_millis(first), longest: Duration::from_millis(longest) }
    }

    /// The most that is waited after this many failed attempts: doubled each time, up to the longest.
    pub(crate) fn ceiling(&self, failed: u32) -> Duration {
        let factor = 1u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.checked_mul(factor).unwrap_or(self.longest).min(self.longest)
    }

    /// Full jitter: anything up to the ceiling, so that records that failed together do not come back
    /// together; `chance` is drawn from 0 to 1.
    /// (aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter)
    pub(crate) fn jittered(&self, failed: u32, chance: f64) -> Duration {
        self.ceiling(failed).mul_f64(chance)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::batch::BatchOutcome;
    use crate::codec::DecodeFault;
    use crate::outcome::RetryOverride;
    use crate::transport::Outgoing;

    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_secs(60);

    fn policy(is_endless: bool) -> Policy {
        Policy { attempts: 3, backoff: Backoff { first: SECOND, longest: MINUTE }, is_endless, isolate: None }
    }

    /// What follows an attempt at one record, in words.
    fn after(is_endless: bool, attempt: u32, reply: Reply) -> String {
        said(policy(is_endless).after(attempt, 1, reply, 0.5))
    }

    fn said(after: After) -> String {
        match after {
            After::Publish(events) => format!("publish {}", events.len()),
            After::PublishFirst(events, _) => format!("publish {} first", events.len()),
            After::Wait(wait) => format!("wait for {}", wait.what()),
            After::Skip(_) => "skip".to_owned(),
            After::TryAgain { wait, is_blocked, .. } => format!("again in {wait:?}, blocked: {is_blocked}"),
            After::Isolate { wait, .. } => format!("one by one in {wait:?}"),
            After::GiveUp(_) => "give up".to_owned(),
            After::Unfit(_) => "unfit".to_owned(),
            After::Halt(_) => "halt".to_owned(),
            After::Apart(_) => "apart".to_owned(),
        }
    }

    #[test]
    fn what_follows_each_outcome_while_attempts_are_left_after_the_last_one_and_without_a_dead_letter() {
        let table = [
            (Outcome::done as fn() -> Outcome, ["publish 0"; 3]),
            (|| Outcome::skip(""), ["skip"; 3]),
            (|| Outcome::halt(""), ["halt"; 3]),
            (|| Outcome::dead_letter(""), ["give up"; 3]),
            (
                || Outcome::retry(""),
                ["again in 500ms, blocked: false", "give up", "again in 60s, blocked: true"],
            ),
            (
                || Outcome::retry_after("", Duration::from_secs(7)),
                ["again in 7s, blocked: false", "give up", "again in 7s, blocked: true"],
            ),
        ];
        for (outcome, [early, last, endless]) in table {
            assert_eq!(after(false, 1, Reply::new(outcome())), early);
            assert_eq!(after(true, 1, Reply::new(outcome())), early);
            assert_eq!(after(false, 3, Reply::new(outcome())), last);
            assert_eq!(after(true, 3, Reply::new(outcome())), endless);
            for attempt in 1..5 {
                for is_endless in [false, true] {
                    let again = policy(is_endless).tries_again(&outcome(), attempt);
                    let said = after(is_endless, attempt, Reply::new(outcome()));
                    assert_eq!(again, said.starts_with("again"), "{said}");
                }
            }
        }
    }

    #[test]
    fn a_batch_that_has_failed_as_a_whole_often_enough_goes_on_one_by_one_and_a_single_record_does_not() {
        let of = |isolate, is_endless, attempt, records, outcome| {
            let policy = Policy { isolate, ..policy(is_endless) };
            said(policy.after(attempt, records, Reply::new(outcome), 0.5))
        };
        let failed = || Outcome::retry("");
        for is_endless in [false, true] {
            assert_eq!(of(Some(2), is_endless, 1, 9, failed()), "again in 500ms, blocked: false");
            assert_eq!(of(Some(2), is_endless, 2, 9, failed()), "one by one in 1s");
            assert_eq!(of(Some(2), is_endless, 2, 1, failed()), "again in 1s, blocked: false");
            assert_eq!(of(None, is_endless, 2, 9, failed()), "again in 1s, blocked: false");
        }
        let after = Outcome::retry_after("", Duration::from_secs(7));
        assert_eq!(of(Some(1), false, 1, 9, after), "one by one in 7s");
        assert_eq!(of(Some(1), false, 1, 9, Outcome::timed_out(SECOND)), "one by one in 500ms");
        assert_eq!(of(Some(1), false, 1, 9, Outcome::panicked(Box::new("it"))), "one by one in 500ms");
        assert_eq!(of(Some(2), false, 3, 1, failed()), "give up");
        // What the handler says of the whole is done.
        assert_eq!(of(Some(1), false, 1, 9, Outcome::dead_letter("")), "give up");
        assert_eq!(of(Some(1), false, 1, 9, Outcome::skip("")), "skip");
        assert_eq!(of(Some(1), false, 1, 9, Outcome::halt("")), "halt");
        assert_eq!(of(Some(1), false, 1, 9, Outcome::done()), "publish 0");
        // An error that wants a single attempt does not give up the whole.
        static ONCE: RetryOverride = RetryOverride { attempts: Some(1), backoff_ms: None };
        let once = || {
            let mut outcome = failed();
            outcome.policy = Some(&ONCE);
            outcome
        };
        assert_eq!(of(Some(2), false, 1, 9, once()), "one by one in 500ms");
        assert_eq!(of(Some(2), false, 2, 1, once()), "give up");
        assert_eq!(of(None, false, 1, 9, once()), "give up");
    }

    #[test]
    fn an_error_of_its_own_policy_is_tried_by_that_but_never_for_ever_without_a_pause() {
        static OVER: RetryOverride = RetryOverride { attempts: Some(5), backoff_ms: Some((0, 0)) };
        let reply = || {
            let mut outcome = Outcome::retry("");
            outcome.policy = Some(&OVER);
            Reply::new(outcome)
        };
        assert_eq!(after(false, 4, reply()), "again in 0ns, blocked: false");
        assert_eq!(after(false, 5, reply()), "give up");
        assert_eq!(after(true, 2, reply()), "again in 1s, blocked: false");
        assert_eq!(after(true, 5, reply()), "again in 60s, blocked: true");
    }

    #[test]
    fn a_batch_comes_apart_where_its_records_differ_and_a_single_record_does_not() {
        let each = |outcomes: Vec<Outcome>| Reply {
            each: Some(Box::new(outcomes.into_iter().collect::<BatchOutcome>())),
            ..Reply::new(Outcome::done())
        };
        let of = |records, reply| said(policy(false).after(1, records, reply, 0.5));
        assert_eq!(of(2, each(vec![Outcome::done(), Outcome::skip("")])), "apart");
        assert_eq!(of(1, each(vec![Outcome::skip("")])), "skip");
        assert_eq!(of(2, each(vec![Outcome::done()])), "again in 500ms, blocked: false", "it fits no batch");
        // With events to publish these come first, also where no record is done, but not where nobody knows
        // what is meant.
        let with_events = |outcomes| Reply { events: vec![(Outgoing::default(), None)], ..each(outcomes) };
        for outcomes in
            [|| vec![Outcome::done(), Outcome::skip("")], || vec![Outcome::retry(""), Outcome::halt("")]]
        {
            assert_eq!(of(2, with_events(outcomes())), "publish 1 first");
        }
        assert_eq!(of(1, with_events(vec![Outcome::skip("")])), "publish 1 first");
        assert_eq!(of(2, with_events(vec![Outcome::done()])), "again in 500ms, blocked: false");
        let After::PublishFirst(_, rest) =
            policy(false).after(1, 2, with_events(vec![Outcome::done(), Outcome::skip("")]), 0.5)
        else {
            panic!("events come first");
        };
        let mut each = rest.without_events(Outcome::dead_letter("")).each.expect("a batch's");
        let kinds = [0, 1].map(|place| each.take(place).map(|outcome| outcome.kind()));
        assert_eq!(kinds, [Some(OutcomeKind::DeadLetter), Some(OutcomeKind::Skip)], "it costs what was done");
        let rejection = || Rejection { text: String::new(), class: "", fault: DecodeFault::Unfit };
        let unfit = || Reply::unfit(rejection());
        assert_eq!(of(2, unfit()), "apart");
        assert_eq!(of(1, unfit()), "unfit");
    }

    #[test]
    fn what_cannot_be_read_yet_waits_whatever_else_does_not_fit_and_however_late_the_attempt_is() {
        let rejection = |fault| Rejection { text: String::new(), class: "", fault };
        let unread = |what: &str| rejection(DecodeFault::NotYet(Wait::new(what.to_owned(), async {})));
        for attempt in [1, 3, 9] {
            let reply =
                || Reply::unfit_each(vec![(0, rejection(DecodeFault::Unfit)), (1, unread("a schema"))]);
            for is_endless in [false, true] {
                let after = policy(is_endless).after(attempt, 2, reply(), 0.5);
                assert_eq!(said(after), "wait for a schema");
            }
        }
    }

    proptest! {
        #[test]
        fn backoff_doubles_up_to_the_longest(first in 1u64..10_000, longest in 1u64..100_000, failed in 1u32..100, chance in 0.0..1.0) {
            let backoff = Backoff { first: Duration::from_millis(first), longest: Duration::from_millis(longest) };
            let naive = (0..failed - 1).fold(u128::from(first), |wait, _| (wait * 2).min(1 << 100)).min(u128::from(longest));
            prop_assert_eq!(backoff.ceiling(failed).as_millis(), naive);
            prop_assert!(backoff.jittered(failed, chance) <= backoff.ceiling(failed));
        }
    }
}
