//! The time, as the application's threads have it: what time it is, and waits that a time ends.
//!
//! There is one clock for each application. It is made where the application is, and given down; who
//! consumes or sends asks nobody else. Logins and the watch of topics still ask the system. What waits inside
//! of futures waits on tokio's clock, which a runtime may pause.

use std::time::{Duration, Instant, SystemTime};

/// Work that goes on in steps: each is told what time it is, does what there is to do, and waits for nothing.
/// A thread runs it, or a test step by step.
pub(crate) trait Steps {
    /// What it comes to in the end.
    type Done;

    fn step(&mut self, now: Instant) -> Step<Self::Done>;

    /// Waits for what may make the next step come sooner, but no longer than this.
    fn wait(&mut self, at_most: Duration) {
        pass(at_most);
    }
}

/// The wait of a step for nothing but the time.
pub(crate) fn pass(time: Duration) {
    std::thread::sleep(time);
}

/// What follows a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step<T> {
    /// There is none.
    Done(T),
    /// Another one, at this time at the latest.
    By(Instant),
}

/// The clock of an application. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    /// What [`elapsed`](Self::elapsed) counts from.
    origin: Instant,
    #[cfg(test)]
    by_hand: Option<std::sync::Arc<by_hand::Hand>>,
}

impl Clock {
    /// The system's.
    pub(crate) fn real() -> Self {
        Self {
            origin: Instant::now(),
            #[cfg(test)]
            by_hand: None,
        }
    }

    /// The time that only goes forward.
    pub(crate) fn now(&self) -> Instant {
        #[cfg(test)]
        if let Some(hand) = &self.by_hand {
            return self.origin + hand.elapsed();
        }
        Instant::now()
    }

    /// The time for people.
    pub(crate) fn wall(&self) -> SystemTime {
        #[cfg(test)]
        if let Some(hand) = &self.by_hand {
            return hand.wall();
        }
        SystemTime::now()
    }

    /// How long there is this clock.
    pub(crate) fn elapsed(&self) -> Duration {
        self.now().duration_since(self.origin)
    }

    /// Does the steps of a piece of work, one after the other.
    pub(crate) fn run<S: Steps>(&self, work: &mut S) -> S::Done {
        loop {
            match work.step(self.now()) {
                Step::Done(done) => return done,
                Step::By(time) => {
                    self.wait(time.saturating_duration_since(self.now()), |at_most| work.wait(at_most));
                }
            }
        }
    }

    /// Waits for so long.
    pub(crate) fn sleep(&self, time: Duration) {
        self.wait(time, pass);
    }

    /// Waits for at most so long, on something that may end the wait sooner. Called with nothing locked that
    /// others need to go on: a clock that is moved by hand has them do so in here.
    pub(crate) fn wait(&self, at_most: Duration, on: impl FnOnce(Duration)) {
        #[cfg(test)]
        if let Some(hand) = &self.by_hand {
            return hand.wait(at_most);
        }
        on(at_most);
    }
}

/// A clock that goes on only where a test moves it.
#[cfg(test)]
pub(crate) mod by_hand {
    use std::fmt;
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::{Duration, Instant, SystemTime};

    use super::Clock;

    /// What the rest of the world does while somebody waits.
    type Meanwhile = Arc<dyn Fn(Duration) + Send + Sync>;

    #[derive(Default)]
    pub(crate) struct Hand {
        elapsed: Mutex<Duration>,
        meanwhile: Mutex<Option<Meanwhile>>,
    }

    impl fmt::Debug for Hand {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("by hand")
        }
    }

    impl Hand {
        pub(super) fn elapsed(&self) -> Duration {
            *self.elapsed.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub(super) fn wall(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + self.elapsed()
        }

        fn moves(&self, time: Duration) {
            *self.elapsed.lock().unwrap_or_else(PoisonError::into_inner) += time;
        }

        pub(super) fn wait(&self, time: Duration) {
            self.moves(time);
            let meanwhile = self.meanwhile.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(meanwhile) = meanwhile {
                meanwhile(time);
            }
        }
    }

    impl Clock {
        /// One that stands still.
        pub(crate) fn by_hand() -> Self {
            Self { origin: Instant::now(), by_hand: Some(Arc::default()) }
        }

        fn hand(&self) -> &Hand {
            self.by_hand.as_ref().expect("it is moved by hand")
        }

        /// Moves it on.
        pub(crate) fn moves(&self, time: Duration) {
            self.hand().moves(time);
        }

        /// What goes on while somebody waits on this very thread, who is told how long that is. The clock has
        /// moved by then.
        pub(crate) fn meanwhile(&self, others: impl Fn(Duration) + Send + Sync + 'static) {
            *self.hand().meanwhile.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(others));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_by_hand_goes_on_by_what_is_waited_and_others_go_on_meanwhile() {
        let clock = Clock::by_hand();
        let (began, wall) = (clock.now(), clock.wall());
        assert_eq!(clock.now(), began, "it stands still");
        let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let others = seen.clone();
        clock.meanwhile(move |time| others.lock().unwrap().push(time));
        clock.sleep(Duration::from_secs(3_600));
        clock.wait(Duration::from_secs(1), |_| panic!("nobody waits in earnest"));
        assert_eq!(*seen.lock().unwrap(), [3_600, 1].map(Duration::from_secs));
        assert_eq!(clock.now() - began, Duration::from_secs(3_601));
        assert_eq!(clock.wall().duration_since(wall).unwrap(), clock.elapsed());
    }
}
