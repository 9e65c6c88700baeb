//! Times as views tell them: in UTC, as `2026-11-23T10:00:00.123Z`.

use std::time::{Duration, SystemTime};

use serde::Serializer;

use crate::codec::Stamp;

pub(crate) fn stamp(time: SystemTime) -> Stamp {
    Stamp::of(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

pub(crate) fn serialize<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(stamp(*time).as_str())
}

/// How long something lasts, in seconds.
pub(crate) fn seconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.serialize_f64(time.as_secs_f64()),
        None => serializer.serialize_none(),
    }
}

/// The same for one that may not have come yet.
pub(crate) mod option {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        time: &Option<SystemTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => super::serialize(time, serializer),
            None => serializer.serialize_none(),
        }
    }
}
