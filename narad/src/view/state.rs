//! The lifecycle of a group.

use std::fmt;

use serde::Serialize;

/// Where a group stands: with its coordinator, and from its beginning to its end.
///
/// ```text
/// Joining ──joined──► Stable ──revoked──► Rebalancing ──joined──► Stable
///                       │ ▲
///                 stalls│ │flows
///                       ▼ │
///                    Stalled ──revoked──► Rebalancing
///
/// Joining, Stable, Rebalancing, Stalled ──refused─► Refused ──joined──► Stable
/// Stable, Rebalancing, Stalled ──lost──► Joining
/// all of these                 ──stops─► Draining ──ends──► Ended
/// all of these                 ──ends──► Ended
/// ```
/// What is not in the picture changes nothing: whatever happens to a group that drains, it drains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum GroupState {
    /// The process is no member: it has just begun, or was thrown out, and asks to be let in.
    Joining,
    /// It is a member. It may have no partition, where there are more members than partitions.
    Stable,
    /// Partitions were taken from it, and the group is being shared out anew.
    Rebalancing,
    /// The coordinator refuses it; the cause says why. It asks again until it is let in.
    Refused,
    /// It is a member and makes no progress: a partition cannot be read, or nothing can be committed; the
    /// cause says which.
    Stalled,
    /// It is to end: what is in flight is finished and committed, and nothing more is taken.
    Draining,
    /// Nothing of it runs here any more.
    Ended,
}

/// What happens to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupEvent {
    Joined,
    Revoked,
    Lost,
    Refused,
    Stalls,
    Flows,
    Stops,
    Ends,
}

impl GroupState {
    /// All of them, in the order of a group's life.
    #[cfg(feature = "http")]
    pub(crate) const ALL: [Self; 7] = [
        Self::Joining,
        Self::Stable,
        Self::Rebalancing,
        Self::Refused,
        Self::Stalled,
        Self::Draining,
        Self::Ended,
    ];

    /// Its name in JSON, logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Stable => "stable",
            Self::Rebalancing => "rebalancing",
            Self::Refused => "refused",
            Self::Stalled => "stalled",
            Self::Draining => "draining",
            Self::Ended => "ended",
        }
    }

    /// Where the group stands afterwards.
    pub(crate) fn after(self, happens: GroupEvent) -> Self {
        match (self, happens) {
            (Self::Joining | Self::Rebalancing | Self::Refused, GroupEvent::Joined) => Self::Stable,
            (Self::Stable | Self::Stalled, GroupEvent::Revoked) => Self::Rebalancing,
            (Self::Stable | Self::Rebalancing | Self::Stalled, GroupEvent::Lost) => Self::Joining,
            (_, GroupEvent::Ends) => Self::Ended,
            (Self::Draining | Self::Ended, _) => self,
            (_, GroupEvent::Stops) => Self::Draining,
            (_, GroupEvent::Refused) => Self::Refused,
            (Self::Stable, GroupEvent::Stalls) => Self::Stalled,
            (Self::Stalled, GroupEvent::Flows) => Self::Stable,
            (state, _) => state,
        }
    }
}

impl fmt::Display for GroupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::GroupState::{Draining, Ended, Joining, Rebalancing, Refused, Stable, Stalled};
    use super::*;

    #[test]
    fn every_state_knows_every_move() {
        let moves = [
            GroupEvent::Joined,
            GroupEvent::Revoked,
            GroupEvent::Lost,
            GroupEvent::Refused,
            GroupEvent::Stalls,
            GroupEvent::Flows,
            GroupEvent::Stops,
            GroupEvent::Ends,
        ];
        let table = [
            (Joining, [Stable, Joining, Joining, Refused, Joining, Joining, Draining, Ended]),
            (Stable, [Stable, Rebalancing, Joining, Refused, Stalled, Stable, Draining, Ended]),
            (Rebalancing, [Stable, Rebalancing, Joining, Refused, Rebalancing, Rebalancing, Draining, Ended]),
            (Refused, [Stable, Refused, Refused, Refused, Refused, Refused, Draining, Ended]),
            // A partition that stands still does so in the next generation, too, until it is seen to flow.
            (Stalled, [Stalled, Rebalancing, Joining, Refused, Stalled, Stable, Draining, Ended]),
            (Draining, [Draining, Draining, Draining, Draining, Draining, Draining, Draining, Ended]),
            (Ended, [Ended, Ended, Ended, Ended, Ended, Ended, Ended, Ended]),
        ];
        for (state, afterwards) in table {
            for (happens, expected) in moves.into_iter().zip(afterwards) {
                assert_eq!(state.after(happens), expected, "{state} and {happens:?}");
            }
        }
    }
}
