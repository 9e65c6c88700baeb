//! Where a producer stands, from before its first use to its end.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use tokio::sync::watch;

/// Where a producer stands.
///
/// ```text
/// Unused ─► Running ─► Closing ─► Ending ─► Ended     begins · closes · settles · is gone
///    └─► Ended                                        closed before it was used: there is nothing to wait for
/// Unused, Running, Closing, Ending ─► Broken          a thread panicked, or there can be no client
/// Broken ─► Ended                                  closed
/// ```
/// Nothing leads out of `Ended`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum ProducerState {
    /// Nobody has used it: there is no client.
    Unused,
    /// There is a client, or another one will come.
    Running,
    /// It takes nothing more, and waits until all that was taken has its outcome.
    Closing,
    /// All has its outcome; its client is let go.
    Ending,
    /// Its client is gone.
    Ended,
    /// It takes nothing any more, and says why.
    Broken,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProducerEvent {
    /// It is used for the first time.
    Begins,
    /// The application closes it.
    Closes,
    /// All that was taken has its outcome.
    Settles,
    /// Its client is gone.
    IsGone,
    Breaks,
}

impl ProducerState {
    const ALL: [Self; 6] =
        [Self::Unused, Self::Running, Self::Closing, Self::Ending, Self::Ended, Self::Broken];

    pub(super) fn after(self, what: ProducerEvent) -> Self {
        match (self, what) {
            // Nothing is sent any more, and the application wants no more: it need not know why.
            (Self::Broken, ProducerEvent::Closes) => Self::Ended,
            (Self::Ended | Self::Broken, _) => self,
            (_, ProducerEvent::Breaks) => Self::Broken,
            (Self::Unused, ProducerEvent::Begins) => Self::Running,
            (Self::Unused, ProducerEvent::Closes) => Self::Ended,
            (Self::Running, ProducerEvent::Closes) => Self::Closing,
            (Self::Closing, ProducerEvent::Settles) => Self::Ending,
            (Self::Ending, ProducerEvent::IsGone) => Self::Ended,
            _ => self,
        }
    }

    /// The application wants no more of it.
    pub(super) fn is_closing(self) -> bool {
        matches!(self, Self::Closing | Self::Ending | Self::Ended)
    }
}

/// The state, and what goes with it.
pub(super) struct Lifecycle {
    state: AtomicU8,
    /// When what is still on its way at the end is given up.
    deadline: OnceLock<Instant>,
    /// Why it broke.
    cause: OnceLock<String>,
    over: watch::Sender<bool>,
}

impl Lifecycle {
    pub(super) fn new() -> Self {
        Self {
            state: AtomicU8::new(ProducerState::Unused as u8),
            deadline: OnceLock::new(),
            cause: OnceLock::new(),
            over: watch::Sender::new(false),
        }
    }

    pub(super) fn state(&self) -> ProducerState {
        ProducerState::ALL[usize::from(self.state.load(Ordering::Acquire))]
    }

    /// Whether something changed, and to what.
    pub(super) fn happens(&self, what: ProducerEvent) -> Option<ProducerState> {
        let after = |state: u8| {
            let state = ProducerState::ALL[usize::from(state)];
            let after = state.after(what);
            (after != state).then_some(after as u8)
        };
        let before = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, after).ok()?;
        Some(ProducerState::ALL[usize::from(before)].after(what))
    }

    /// It breaks for this reason, which is the first one.
    pub(super) fn breaks(&self, cause: &str) {
        let _ = self.cause.set(cause.to_owned());
        self.happens(ProducerEvent::Breaks);
    }

    /// Why it broke.
    pub(super) fn cause(&self) -> Option<&String> {
        self.cause.get()
    }

    pub(super) fn give_up_at(&self, deadline: Instant) {
        // The first deadline counts.
        let _ = self.deadline.set(deadline);
    }

    /// Whether what is still on its way is given up now.
    pub(super) fn gives_up(&self, now: Instant) -> bool {
        self.deadline.get().is_some_and(|deadline| *deadline <= now)
    }

    /// Wakes who waits until it is over.
    pub(super) fn say_over(&self) {
        self.over.send_replace(true);
    }

    pub(super) async fn over(&self) {
        // The sender lives in `self`.
        let _ = self.over.subscribe().wait_for(|over| *over).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_goes_on_as_its_table_says() {
        use ProducerEvent::*;
        use ProducerState::*;
        let table = [
            (Unused, [Running, Ended, Unused, Unused, Broken]),
            (Running, [Running, Closing, Running, Running, Broken]),
            (Closing, [Closing, Closing, Ending, Closing, Broken]),
            (Ending, [Ending, Ending, Ending, Ended, Broken]),
            (Ended, [Ended; 5]),
            (Broken, [Broken, Ended, Broken, Broken, Broken]),
        ];
        assert_eq!(table.map(|(state, _)| state), ProducerState::ALL, "each is there");
        for (state, after) in table {
            assert_eq!(
                [Begins, Closes, Settles, IsGone, Breaks].map(|what| state.after(what)),
                after,
                "{state:?}"
            );
        }
    }

    #[test]
    fn a_life_says_what_changed_and_keeps_the_first_cause_and_deadline() {
        let life = Lifecycle::new();
        assert_eq!(life.happens(ProducerEvent::Begins), Some(ProducerState::Running));
        assert_eq!(life.happens(ProducerEvent::Begins), None);
        let now = Instant::now();
        life.give_up_at(now);
        life.give_up_at(now + std::time::Duration::from_secs(60));
        assert!(life.gives_up(now));
        life.breaks("one");
        life.breaks("two");
        assert_eq!((life.state(), life.cause().map(String::as_str)), (ProducerState::Broken, Some("one")));
    }
}
