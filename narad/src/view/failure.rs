//! A failure.

use std::time::SystemTime;

use serde::Serialize;

use super::time;

/// An attempt that failed, or a record that no attempt was made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FailureView {
    /// When.
    #[serde(serialize_with = "time::serialize")]
    pub(crate) at: SystemTime,
    /// The group.
    pub(crate) group: String,
    /// The handler; `None` if no handler takes the record.
    pub(crate) handler: Option<String>,
    /// Where the record is; of a batch, the first one.
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// How many records the attempt was for.
    pub(crate) records: usize,
    /// The number of the attempt, the first being 1.
    pub(crate) attempt: u32,
    /// The type of the error, without its path.
    pub(crate) class: String,
    /// What happens next, as in the log.
    pub(crate) then: String,
    /// What only those see who are trusted: it is of the record, or may be.
    #[serde(flatten)]
    pub(crate) inside: Option<Inside>,
}

/// What of a failure may show something of the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Inside {
    /// The record's key as text, with its control characters escaped, cut at about 1 KiB.
    pub(crate) key: Option<String>,
    /// The text of the error, likewise.
    pub(crate) error: String,
}
