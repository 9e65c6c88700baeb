//! Append-only ledgers: what the handlers of all processes did, in one file, in the order in which it
//! happened.
//!
//! A line is one `write(2)` with `O_APPEND`, so that lines of several processes do not mix, and what was
//! written before a `kill -9` stays: the page cache outlives the process.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::str::FromStr;

/// Nanoseconds of the monotonic clock that all processes of this machine share.
pub fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// A step of one attempt at a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The handler was called.
    Start,
    /// It is about to return success.
    Ok,
    /// It is about to return an error.
    Err,
    /// It was dropped or panicked before it returned.
    Dropped,
}

/// One line of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, by [`now`].
    pub at: u64,
    /// The process.
    pub pid: u32,
    /// The record's topic.
    pub topic: String,
    /// The record's partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
    /// The record's key, without white space.
    pub key: String,
    /// The record's number among those of its key.
    pub seq: u64,
    /// The attempt, as the framework counts it.
    pub attempt: u32,
    /// The generation of the group in which the partition was assigned: the fencing token.
    pub generation: i32,
    /// Whether the process believed that it owned the partition.
    pub owned: bool,
    /// What happened.
    pub step: Step,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, pid, topic, partition, offset, key, seq, attempt, generation, owned, step } = self;
        let step = match step {
            Step::Start => "START",
            Step::Ok => "OK",
            Step::Err => "ERR",
            Step::Dropped => "DROPPED",
        };
        let owned = if *owned { "owned" } else { "gone" };
        write!(f, "{at} {pid} {topic} {partition} {offset} {key} {seq} {attempt} {generation} {owned} {step}")
    }
}

impl FromStr for Entry {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        fn field<T: FromStr>(fields: &[&str], index: usize) -> Result<T, String> {
            fields[index].parse().map_err(|_| format!("field {index} is `{}`", fields[index]))
        }
        let fields: Vec<_> = line.split(' ').collect();
        if fields.len() != 11 {
            return Err(format!("{} fields instead of 11", fields.len()));
        }
        let owned = match fields[9] {
            "owned" => true,
            "gone" => false,
            other => return Err(format!("neither owned nor gone: `{other}`")),
        };
        let step = match fields[10] {
            "START" => Step::Start,
            "OK" => Step::Ok,
            "ERR" => Step::Err,
            "DROPPED" => Step::Dropped,
            other => return Err(format!("no step `{other}`")),
        };
        Ok(Self {
            at: field(&fields, 0)?,
            pid: field(&fields, 1)?,
            topic: field(&fields, 2)?,
            partition: field(&fields, 3)?,
            offset: field(&fields, 4)?,
            key: field(&fields, 5)?,
            seq: field(&fields, 6)?,
            attempt: field(&fields, 7)?,
            generation: field(&fields, 8)?,
            owned,
            step,
        })
    }
}

/// The writing end.
#[derive(Debug)]
pub struct Ledger(File);

impl Ledger {
    /// Opens a ledger for appending, and makes it where there is none.
    ///
    /// # Panics
    /// When the file cannot be opened: there is nothing to test without it.
    pub fn open(path: &Path) -> Self {
        Self(
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display())),
        )
    }

    /// Appends one line.
    ///
    /// # Panics
    /// When the line is not written as a whole.
    pub fn append(&self, line: &dyn fmt::Display) {
        let line = format!("{line}\n");
        let written = (&self.0).write(line.as_bytes()).expect("the ledger takes a line");
        assert_eq!(written, line.len(), "a ledger's line is one write");
    }
}

/// Reads a ledger; one that nobody has opened yet is empty.
///
/// # Panics
/// On a line that is no entry.
pub fn read(path: &Path) -> Vec<Entry> {
    lines(path)
        .iter()
        .map(|line| line.parse().unwrap_or_else(|error| panic!("{error} in ledger line `{line}`")))
        .collect()
}

/// The complete lines of a file that others append to; none where it does not exist yet.
pub fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let complete = text.rfind('\n').map_or(0, |end| end + 1);
    text[..complete].lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_back_as_it_was_written() {
        let entry = Entry {
            at: 5,
            pid: 7,
            topic: "t".into(),
            partition: 1,
            offset: 9,
            key: "user-1".into(),
            seq: 3,
            attempt: 2,
            generation: 4,
            owned: false,
            step: Step::Dropped,
        };
        assert_eq!(entry.to_string().parse(), Ok(entry));
    }

    #[test]
    fn a_line_without_its_end_is_not_read_yet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        assert!(lines(&path).is_empty());
        std::fs::write(&path, "one\ntw").unwrap();
        assert_eq!(lines(&path), ["one"]);
    }
}
