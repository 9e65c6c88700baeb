//! How far the assignment of a lane is on its way to the end.

use tokio::sync::watch;

use crate::sync::atomic::AtomicU8;
use crate::sync::atomic::Ordering::{AcqRel, Acquire};

/// Only ever forward: a partition that was let go does not come back to this lane.
///
/// ```text
///           to Running  to Draining  to Closed
/// Running   -           Draining     Closed     revoked, or the group stops; lost, or the lane broke off
/// Draining  -           -            Closed     the drain is over, or its time is
/// Closed    -           -            -
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Reads and runs.
    Running,
    /// Finishes what runs; starts nothing but what lies below it.
    Draining,
    /// Let go: whatever is still there is dropped, and nothing more is committed.
    Closed,
}

/// The phase of a lane: looked at with every record, and waited for by what is to end with it.
#[derive(Debug)]
pub(crate) struct Life {
    phase: AtomicU8,
    told: watch::Sender<Phase>,
}

impl Life {
    pub(crate) fn new() -> Self {
        Self { phase: AtomicU8::new(Phase::Running as u8), told: watch::Sender::new(Phase::Running) }
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Acquire) {
            0 => Phase::Running,
            1 => Phase::Draining,
            _ => Phase::Closed,
        }
    }

    /// Enters a phase. One that it is in, or is past, changes nothing and tells nobody.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, AcqRel);
        self.told.send_if_modified(|told| {
            let later = phase > *told;
            *told = (*told).max(phase);
            later
        });
    }

    /// Tells who waits.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Phase> {
        self.told.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_all_pairs_of_phases_a_lane_goes_forward_only_and_tells_of_that_only() {
        const PHASES: [Phase; 3] = [Phase::Running, Phase::Draining, Phase::Closed];
        // As the doc of `Phase` has it: from each phase, where entering each of them leads.
        let after = [
            [Phase::Running, Phase::Draining, Phase::Closed],
            [Phase::Draining, Phase::Draining, Phase::Closed],
            [Phase::Closed, Phase::Closed, Phase::Closed],
        ];
        loom::model(move || {
            for (from, after) in PHASES.into_iter().zip(after) {
                for (to, after) in PHASES.into_iter().zip(after) {
                    let life = Life::new();
                    life.enter(from);
                    let mut told = life.subscribe();
                    told.mark_unchanged();
                    life.enter(to);
                    assert_eq!((life.phase(), *told.borrow()), (after, after), "{from:?} to {to:?}");
                    assert_eq!(told.has_changed().unwrap(), after != from, "{from:?} to {to:?}");
                }
            }
        });
    }
}
