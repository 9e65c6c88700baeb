//! What a process is to its group, and what becomes of its commits.

use std::fmt;

use super::fault::Fault;
use super::position::Position;

/// A client's place in its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    /// The member's name, empty where it is none. With the classic protocol the coordinator gives it, and
    /// another one to a member that was thrown out and comes back; with the new one it stays the same.
    pub(crate) member: String,
    /// Counts the rebalances of the group; with the new protocol the member's epoch. Below zero where it is
    /// not known.
    pub(crate) generation: i32,
}

/// Of a client that is in no group.
impl Default for Membership {
    fn default() -> Self {
        Self { member: String::new(), generation: -1 }
    }
}

/// Why a commit failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitError {
    /// No answer in time.
    TimedOut,
    /// The coordinator's answer.
    Refused(Fault),
    /// The partitions are somebody else's: nothing was sent.
    Lost,
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("the group coordinator did not answer in time"),
            Self::Refused(fault) => write!(f, "{fault}"),
            Self::Lost => f.write_str("the assignment was lost"),
        }
    }
}

/// What became of one partition's commit, and what was to be committed.
pub(crate) type Verdict = ((String, i32), Position, Result<(), Fault>);
