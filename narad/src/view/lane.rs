//! An assigned partition: its lane.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::time;

/// A partition that is assigned to this process, as [`Narad::partitions`](crate::Narad::partitions) shows it.
/// It says why an offset is not committed: which record is the oldest that is not finished, which handler has
/// it, and since when. Its `Display` is for a terminal:
///
/// ```text
/// orders/3 of billing: running; next to read 120, next to commit 100, committed 100 at 2026-11-23T10:00:00.123Z
///   30 behind the end at 130, for 12.5 s
///   oldest unfinished: 100, with charge, backoff after attempt 3, since 2026-11-23T10:00:02.001Z
///   2 in flight, 3 keys with 8 records that wait, 9 read and not looked at, 40960 bytes
///   not committed: the record at 100 is not finished
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LaneView {
    /// The group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Whether it is handled, or on its way to another process.
    pub phase: LanePhase,
    /// The offset that is read next. `None` before the first read, where the group had committed nothing.
    pub next_read: Option<i64>,
    /// The offset that may be committed: all records below it are finished. `None` as above.
    pub next_commit: Option<i64>,
    /// The offset that is committed; `None` where none is.
    pub committed: Option<i64>,
    /// When this process committed it; `None` where an earlier owner did.
    #[serde(serialize_with = "time::option::serialize")]
    pub committed_at: Option<SystemTime>,
    /// Where the partition ends: the next offset that a committed record will have. The leaders are asked
    /// about every 10 s while somebody looks at partitions; `None` before the first answer, and where none
    /// has come for 30 s.
    pub end: Option<i64>,
    /// How many offsets the group is behind: from what is committed to the end. Offsets without a record, as
    /// compaction and transactions leave them, count. `None` where the end is not known.
    pub lag: Option<u64>,
    /// How long the group is behind: the age of the oldest unfinished record that was read, by its timestamp;
    /// where there is none, how long ago the end was first seen beyond what is finished. In the JSON in
    /// seconds. `None` where the end is not known.
    #[serde(rename = "lagSeconds", serialize_with = "time::seconds")]
    pub lag_time: Option<Duration>,
    /// Why not all that was read is committed; `None` where it is.
    pub uncommitted: Option<String>,
    /// The record with the lowest offset that is not finished.
    pub oldest: Option<OldestRecord>,
    /// The call of a handler that a worker is running now. A call that lasts occupies the worker's thread:
    /// the handler blocks.
    pub call: Option<CallView>,
    /// Records that their handlers have not finished: they are in an attempt, or in what follows it.
    pub in_flight: usize,
    /// Keys of which one record is in flight and later ones wait.
    pub parked_keys: usize,
    /// Records that wait, by what they wait for.
    pub waiting: WaitingRecords,
    /// Records that were read, and that no handler was chosen for yet.
    pub backlog: usize,
    /// The bytes of all these records, and of returned events that are not acknowledged.
    pub held_bytes: usize,
    /// The time that this view describes: a moment ago, as a rule. While a worker is inside of a handler, it
    /// is the end of the worker's last turn; `call`, the phase and what is committed are always current.
    #[serde(serialize_with = "time::serialize")]
    pub as_of: SystemTime,
}

/// How far a partition is on its way from this process to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LanePhase {
    /// It is read, and its records are handled.
    Running,
    /// What is in flight is finished, and nothing more is taken.
    Draining,
    /// It is not this process's any more.
    Closed,
    /// Handling it broke off with a panic; it is being read again.
    Broken,
}

/// Records of a partition that wait, by what they wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WaitingRecords {
    /// For an earlier record of their key.
    pub key: usize,
    /// For their next attempt, or for something that is needed to read them, as a schema.
    pub retry: usize,
    /// Until their dead letter is acknowledged. With `dead_letter = off`, until somebody removes the cause.
    pub dead_letter: usize,
    /// Until the events that their handler returned are acknowledged.
    pub publish: usize,
}

/// The record of a partition with the lowest offset that is not finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct OldestRecord {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, as the producer or the broker set it.
    #[serde(serialize_with = "time::option::serialize")]
    pub timestamp: Option<SystemTime>,
    /// The handler that has it. `None` where no handler does: the record waits, or is on its way to the
    /// group's dead letter.
    pub handler: Option<String>,
    /// Its stage.
    pub stage: RecordStage,
    /// The number of the attempt that runs, or ran last, the first being 1; 0 where there was none.
    pub attempt: u32,
    /// Since when it is at that stage; `None` for a record that waits, of which the time is not noted.
    #[serde(serialize_with = "time::option::serialize")]
    pub since: Option<SystemTime>,
}

/// Where a record is on its way from the log to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RecordStage {
    /// Read, and no handler was chosen for it yet.
    Backlog,
    /// In a batch that is not full yet.
    Gathered,
    /// Behind an earlier record of its key.
    Key,
    /// Its batch has failed, and the records of the batch are handed over one by one: it waits for its turn.
    Isolated,
    /// An attempt of a handler runs.
    Attempt,
    /// Between two attempts.
    Backoff,
    /// What the handler returned is being published.
    Publish,
    /// Its dead letter is being written.
    DeadLetter,
    /// No attempt is left and it has no dead letter: it stays until its partition goes to another process.
    Blocked,
    /// Something that is needed to read it, or to write the events that it led to, is not there yet: a
    /// schema.
    NotYet,
    /// Let go unfinished: the next owner of the partition has it again.
    Abandoned,
}

/// A call into a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CallView {
    /// The offset of its record.
    pub offset: i64,
    /// Since when it is known to run. Calls are looked for about once a second, and by each view.
    #[serde(serialize_with = "time::serialize")]
    pub since: SystemTime,
}

impl fmt::Display for LanePhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Closed => "closed",
            Self::Broken => "broken",
        })
    }
}

impl fmt::Display for OldestRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, ", self.offset)?;
        if let Some(handler) = &self.handler {
            write!(f, "with {handler}, ")?;
        }
        let attempt = self.attempt;
        match self.stage {
            RecordStage::Backlog => f.write_str("not looked at yet"),
            RecordStage::Gathered => f.write_str("in a batch that is not full yet"),
            RecordStage::Key => f.write_str("behind an earlier record of its key"),
            RecordStage::Isolated => f.write_str("its batch failed; it waits to be tried alone"),
            RecordStage::Attempt => write!(f, "attempt {attempt}"),
            RecordStage::Backoff => write!(f, "backoff after attempt {attempt}"),
            RecordStage::Publish => f.write_str("what it returned is not acknowledged"),
            RecordStage::DeadLetter => f.write_str("its dead letter is not acknowledged"),
            RecordStage::Blocked => f.write_str("no retry can help, and it has no dead letter"),
            RecordStage::NotYet => f.write_str("what it takes to read or write it is not there yet"),
            RecordStage::Abandoned => f.write_str("let go unfinished"),
        }?;
        match self.since {
            Some(since) => write!(f, ", since {}", time::stamp(since).as_str()),
            None => Ok(()),
        }
    }
}

impl fmt::Display for LaneView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = |offset: Option<i64>| offset.map_or_else(|| "not known".to_owned(), |at| at.to_string());
        let Self { group, topic, partition, phase, in_flight, parked_keys, backlog, held_bytes, .. } = self;
        write!(f, "{topic}/{partition} of {group}: {phase}; next to read {}, ", offset(self.next_read))?;
        write!(f, "next to commit {}, ", offset(self.next_commit))?;
        match self.committed {
            Some(committed) => write!(f, "committed {committed}")?,
            None => f.write_str("nothing committed")?,
        }
        if let Some(at) = self.committed_at {
            write!(f, " at {}", time::stamp(at).as_str())?;
        }
        if let (Some(end), Some(lag), Some(time)) = (self.end, self.lag, self.lag_time) {
            write!(f, "\n  {lag} behind the end at {end}, for {:.1} s", time.as_secs_f64())?;
        }
        if let Some(oldest) = &self.oldest {
            write!(f, "\n  oldest unfinished: {oldest}")?;
        }
        if let Some(call) = &self.call {
            write!(f, "\n  a worker is inside of a handler, with the record at {}, ", call.offset)?;
            write!(f, "since {}", time::stamp(call.since).as_str())?;
        }
        if in_flight + self.waiting.key + backlog > 0 {
            write!(
                f,
                "\n  {in_flight} in flight, {parked_keys} keys with {} records that ",
                self.waiting.key
            )?;
            write!(f, "wait, {backlog} read and not looked at, {held_bytes} bytes")?;
        }
        match &self.uncommitted {
            Some(why) => write!(f, "\n  not committed: {why}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
impl LaneView {
    /// One that stands before a record which is tried again.
    pub(crate) fn example() -> Self {
        Self {
            group: "billing".to_owned(),
            topic: "orders".to_owned(),
            partition: 3,
            phase: LanePhase::Running,
            next_read: Some(120),
            next_commit: Some(100),
            committed: Some(100),
            committed_at: Some(SystemTime::UNIX_EPOCH),
            end: Some(130),
            lag: Some(30),
            lag_time: Some(Duration::from_millis(12_500)),
            uncommitted: Some("the record at 100 is not finished".to_owned()),
            oldest: Some(OldestRecord {
                offset: 100,
                timestamp: None,
                handler: Some("charge".to_owned()),
                stage: RecordStage::Backoff,
                attempt: 3,
                since: Some(SystemTime::UNIX_EPOCH),
            }),
            call: None,
            in_flight: 2,
            parked_keys: 3,
            waiting: WaitingRecords { key: 8, retry: 1, ..WaitingRecords::default() },
            backlog: 9,
            held_bytes: 40_960,
            as_of: SystemTime::UNIX_EPOCH,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_says_what_its_offset_waits_for() {
        assert_eq!(
            LaneView::example().to_string(),
            "orders/3 of billing: running; next to read 120, next to commit 100, committed 100 at \
             1970-01-01T00:00:00.000Z\n  \
             30 behind the end at 130, for 12.5 s\n  \
             oldest unfinished: 100, with charge, backoff after attempt 3, since 1970-01-01T00:00:00.000Z\n  \
             2 in flight, 3 keys with 8 records that wait, 9 read and not looked at, 40960 bytes\n  \
             not committed: the record at 100 is not finished"
        );
        let idle = LaneView {
            next_commit: Some(120),
            committed: None,
            committed_at: None,
            end: None,
            lag: None,
            lag_time: None,
            uncommitted: None,
            oldest: None,
            in_flight: 0,
            parked_keys: 0,
            waiting: WaitingRecords::default(),
            backlog: 0,
            held_bytes: 0,
            ..LaneView::example()
        };
        assert_eq!(
            idle.to_string(),
            "orders/3 of billing: running; next to read 120, next to commit 120, nothing committed"
        );
    }

    #[test]
    fn the_json_of_a_partition_says_the_same() {
        assert_eq!(
            serde_json::to_string(&LaneView::example()).unwrap(),
            r#"{"group":"billing","topic":"orders","partition":3,"phase":"running","nextRead":120,"nextCommit":100,"committed":100,"committedAt":"1970-01-01T00:00:00.000Z","end":130,"lag":30,"lagSeconds":12.5,"uncommitted":"the record at 100 is not finished","oldest":{"offset":100,"timestamp":null,"handler":"charge","stage":"backoff","attempt":3,"since":"1970-01-01T00:00:00.000Z"},"call":null,"inFlight":2,"parkedKeys":3,"waiting":{"key":8,"retry":1,"deadLetter":0,"publish":0},"backlog":9,"heldBytes":40960,"asOf":"1970-01-01T00:00:00.000Z"}"#
        );
    }
}
