//! The lifecycle of the one run that an application has.

use tokio::sync::watch;

/// Where the run of an application is.
///
/// ```text
/// Built ──begins──► Starting ──started──► Running ──stops──► Draining ──ends──► Ended
///   │                   │                                       ▲
///   │                   └────────────────stops──────────────────┘
///   └──stops──► Ended
///
/// Starting, Running ──ends──► Ended
/// ```
/// A start that fails and a run whose future is dropped end without a drain. What is not in the picture
/// changes nothing: an application runs once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunState {
    /// Publishes; nothing of it runs.
    Built,
    /// Connects, looks at its topics, starts its groups.
    Starting,
    /// Handles.
    Running,
    /// Asked to end: finishes what is in flight, and takes nothing more.
    Draining,
    /// Nothing of the run is left, and no other one begins.
    Ended,
}

/// What happens to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunEvent {
    Begins,
    Started,
    Stops,
    Ends,
}

impl RunState {
    fn after(self, step: RunEvent) -> Self {
        match (self, step) {
            (Self::Built, RunEvent::Begins) => Self::Starting,
            (Self::Starting, RunEvent::Started) => Self::Running,
            (Self::Starting | Self::Running, RunEvent::Stops) => Self::Draining,
            (Self::Built, RunEvent::Stops) => Self::Ended,
            (Self::Starting | Self::Running | Self::Draining, RunEvent::Ends) => Self::Ended,
            (life, _) => life,
        }
    }
}

/// The life of a run, and those who wait for it to go on.
#[derive(Debug)]
pub(crate) struct RunLifecycle(watch::Sender<RunState>);

impl Default for RunLifecycle {
    fn default() -> Self {
        Self(watch::Sender::new(RunState::Built))
    }
}

impl RunLifecycle {
    pub(crate) fn now(&self) -> RunState {
        *self.0.borrow()
    }

    /// Goes a step; `false` where that changes nothing.
    pub(crate) fn goes(&self, step: RunEvent) -> bool {
        self.0.send_if_modified(|life| {
            let after = life.after(step);
            std::mem::replace(life, after) != after
        })
    }

    /// Waits until the run is asked to end, or has ended.
    pub(crate) fn stops(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut life = self.0.subscribe();
        async move {
            // An error means that the application is gone.
            let _ = life.wait_for(|life| matches!(life, RunState::Draining | RunState::Ended)).await;
        }
    }

    /// Waits until no run is left.
    pub(crate) async fn ended(&self) {
        // The sender lives in `self`.
        let _ = self.0.subscribe().wait_for(|life| *life == RunState::Ended).await;
    }
}

#[cfg(test)]
mod tests {
    use super::RunState::{Built, Draining, Ended, Running, Starting};
    use super::*;

    #[test]
    fn every_state_of_a_run_knows_every_step() {
        let steps = [RunEvent::Begins, RunEvent::Started, RunEvent::Stops, RunEvent::Ends];
        let table = [
            (Built, [Starting, Built, Ended, Built]),
            (Starting, [Starting, Running, Draining, Ended]),
            (Running, [Running, Running, Draining, Ended]),
            (Draining, [Draining, Draining, Draining, Ended]),
            (Ended, [Ended, Ended, Ended, Ended]),
        ];
        for (life, afterwards) in table {
            for (step, expected) in steps.into_iter().zip(afterwards) {
                assert_eq!(life.after(step), expected, "{life:?} {step:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_run_that_is_asked_to_end_while_it_starts_is_not_running_afterwards() {
        let life = RunLifecycle::default();
        assert!(life.goes(RunEvent::Begins) && !life.goes(RunEvent::Begins), "a second run does not begin");
        assert!(life.goes(RunEvent::Stops));
        life.stops().await;
        assert!(!life.goes(RunEvent::Started));
        assert_eq!(life.now(), Draining);
        assert!(life.goes(RunEvent::Ends));
        life.ended().await;
    }
}
