//! A group as health tells of it.

use std::time::SystemTime;

use serde::Serialize;

use crate::view::{GroupState, GroupView, Stood, time};

/// A group of the application: its state, since when, and the cause if something is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupHealth {
    pub(crate) group: String,
    pub(crate) state: GroupState,
    #[serde(serialize_with = "time::serialize")]
    pub(crate) since: SystemTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<String>,
    pub(crate) assigned: usize,
    #[serde(skip_serializing_if = "is_none")]
    pub(crate) left_out: usize,
    #[serde(skip)]
    pub(crate) ready: bool,
}

/// What of a group health tells. Of one that ends it says as what it stood when its end began: that the
/// application drains is said once for all of it.
impl From<GroupView> for GroupHealth {
    fn from(view: GroupView) -> Self {
        let assigned = view.partitions();
        let GroupView { group, state, since, cause, ready, left_out, stood, .. } = view;
        let Stood { state, since, cause } = stood.unwrap_or(Stood { state, since, cause });
        Self { group, state, since, cause, assigned, left_out, ready }
    }
}

impl GroupHealth {
    /// The group's name.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Its state.
    pub fn state(&self) -> GroupState {
        self.state
    }

    /// Since when it has this state. In the JSON in UTC, as `2026-11-23T10:00:00.123Z`.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// Why it makes no progress, and what to look at. `None` if it does.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// How many of its partitions are assigned to this process.
    pub fn assigned(&self) -> usize {
        self.assigned
    }

    /// How many topics match a pattern of the group but cannot be handled, for example because the name of
    /// their dead-letter topic would be too long. They are not read; the log names each. In the JSON it is
    /// `leftOut`, if it is not 0. The group is ready nevertheless.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Whether the group does its work here: it has joined once, is not out of the group for longer than its
    /// session (`session.timeout.ms`, 45 s unless set), and none of its partitions is stuck. A group without
    /// partitions is ready.
    pub fn is_ready(&self) -> bool {
        self.ready
    }
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::GroupState::{Refused, Stable};
    use super::*;

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
