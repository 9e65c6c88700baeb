//! A group as health tells of it.

use std::fmt;
use std::time::SystemTime;

use serde::{Serialize, Serializer};

use crate::codec::Stamp;

/// Where a group stands with its coordinator.
///
/// ```text
/// Joining ──joined──► Stable ──revoked──► Rebalancing ──joined──► Stable
///    │                  │ ▲                    │
///    │            stalls│ │flows               │
///    │                  ▼ │                    │
///    │               Stalled ──revoked──► Rebalancing
///    │                  │                      │
///    └──────refused─────┴───────refused────────┴──► Refused ──joined──► Stable
///
/// Stable, Rebalancing, Stalled ──lost──► Joining
/// ```
/// What is not in the picture changes nothing.
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
}

/// What happens to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    Joined,
    Revoked,
    Lost,
    Refused,
    Stalls,
    Flows,
}

impl GroupState {
    /// Where the group stands afterwards.
    pub(crate) fn after(self, happens: Move) -> Self {
        match (self, happens) {
            (Self::Joining | Self::Rebalancing | Self::Refused, Move::Joined) => Self::Stable,
            (Self::Stable | Self::Stalled, Move::Revoked) => Self::Rebalancing,
            (Self::Stable | Self::Rebalancing | Self::Stalled, Move::Lost) => Self::Joining,
            (_, Move::Refused) => Self::Refused,
            (Self::Stable, Move::Stalls) => Self::Stalled,
            (Self::Stalled, Move::Flows) => Self::Stable,
            (state, _) => state,
        }
    }
}

impl fmt::Display for GroupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Joining => "joining",
            Self::Stable => "stable",
            Self::Rebalancing => "rebalancing",
            Self::Refused => "refused",
            Self::Stalled => "stalled",
        })
    }
}

/// A group of the application: where it stands, since when, and why, where that is not how it ought to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupHealth {
    pub(crate) group: String,
    pub(crate) state: GroupState,
    #[serde(serialize_with = "stamp")]
    pub(crate) since: SystemTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<String>,
    pub(crate) assigned: usize,
    #[serde(skip_serializing_if = "is_none")]
    pub(crate) left_out: usize,
    #[serde(skip)]
    pub(crate) ready: bool,
}

impl GroupHealth {
    /// The group's name.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Where it stands.
    pub fn state(&self) -> GroupState {
        self.state
    }

    /// Since when it stands there. In the JSON in UTC, as `2026-11-23T10:00:00.123Z`.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// Why it makes no progress, and what to look at. None where it does.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// How many partitions this process has of it.
    pub fn assigned(&self) -> usize {
        self.assigned
    }

    /// How many topics a pattern of the group matches that cannot be handled, such as one with a name that
    /// leaves no room for that of its dead letters. Nothing of them is read; the log names each. In the JSON
    /// as `leftOut`, where there are any. The group is ready all the same.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Whether the group does its work here: it has joined once, is not out of the group for longer than its
    /// session (`session.timeout.ms`, 45 s unless set), and nothing of it stands still. A group without
    /// partitions is ready.
    pub fn is_ready(&self) -> bool {
        self.ready
    }
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

fn stamp<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    serializer.serialize_str(Stamp::of(since_epoch).as_str())
}

#[cfg(test)]
mod tests {
    use super::GroupState::{Joining, Rebalancing, Refused, Stable, Stalled};
    use super::*;

    #[test]
    fn every_state_knows_every_move() {
        let moves = [Move::Joined, Move::Revoked, Move::Lost, Move::Refused, Move::Stalls, Move::Flows];
        let table = [
            (Joining, [Stable, Joining, Joining, Refused, Joining, Joining]),
            (Stable, [Stable, Rebalancing, Joining, Refused, Stalled, Stable]),
            (Rebalancing, [Stable, Rebalancing, Joining, Refused, Rebalancing, Rebalancing]),
            (Refused, [Stable, Refused, Refused, Refused, Refused, Refused]),
            // A partition that stands still does so in the next generation, too, until it is seen to flow.
            (Stalled, [Stalled, Rebalancing, Joining, Refused, Stalled, Stable]),
        ];
        for (state, afterwards) in table {
            for (happens, expected) in moves.into_iter().zip(afterwards) {
                assert_eq!(state.after(happens), expected, "{state} and {happens:?}");
            }
        }
    }

    #[test]
    fn the_json_has_the_keys_of_the_documentation() {
        let group = GroupHealth {
            group: "billing".to_owned(),
            state: Refused,
            since: SystemTime::UNIX_EPOCH,
            cause: Some("not authorized".to_owned()),
            assigned: 0,
            left_out: 0,
            ready: false,
        };
        let json = serde_json::to_string(&group).unwrap();
        assert_eq!(
            json,
            r#"{"group":"billing","state":"refused","since":"1970-01-01T00:00:00.000Z","cause":"not authorized","assigned":0}"#
        );
        let stable = GroupHealth { state: Stable, cause: None, ..group };
        assert!(!serde_json::to_string(&stable).unwrap().contains("cause"));
        assert!(
            serde_json::to_string(&GroupHealth { left_out: 2, ..stable })
                .unwrap()
                .contains(r#","leftOut":2}"#)
        );
    }
}
