//! The verdict over one run: pure, offline, from what was written, what the handlers did, and what was
//! committed.
//!
//! | | |
//! |---|---|
//! | I1 | every acknowledged record was handled, or is in the dead letter |
//! | I2 | at every sample, everything below the committed offset had been handled or dead-lettered before; commits do not go back |
//! | I3 | per key: no two attempts overlap, and a record starts only when the one before it has its first success or its last failure |
//! | I4 | how many records were handled more than once, and how many of them no crash excuses |
//! | I5 | the fencing token: a generation of a partition belongs to one process, and who owns the partition later has a higher one |

use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::ledger::{Entry, Step};

/// One acknowledged record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its key.
    pub key: String,
    /// Its number among those of its key, from 0 without gaps.
    pub seq: u64,
}

/// What a group had committed for a partition at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When the answer was there, by [`crate::ledger::now`].
    pub at: u64,
    /// The partition.
    pub partition: i32,
    /// The next offset.
    pub committed: i64,
}

/// All that is known of a run over one topic.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The acknowledged records.
    pub written: Vec<Written>,
    /// The ledger of all processes.
    pub ledger: Vec<Entry>,
    /// Partition and offset of each record found in the dead letter, as often as it is there.
    pub dead_letters: Vec<(i32, i64)>,
    /// Committed offsets, in the order in which they were asked for.
    pub samples: Vec<Sample>,
    /// A process was frozen or cut off for longer than its session: it may overlap with its successor until
    /// it notices.
    pub zombies: bool,
    /// Processes have names in their group: one that takes another's name takes its generation too.
    pub named: bool,
    /// When processes could not commit what they did.
    pub crashes: Vec<Crash>,
}

/// A time in which a process could not commit: before it was killed, while it was frozen, while the broker
/// was away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// The process.
    pub pid: u32,
    /// The earliest success that may not be committed, by [`crate::ledger::now`].
    pub from: u64,
    /// The latest one.
    pub until: u64,
}

impl Crash {
    /// Whether this success may have been uncommitted when its process lost its partitions, and so be
    /// repeated.
    fn excuses(&self, success: &Entry) -> bool {
        success.pid == self.pid && (self.from..=self.until).contains(&success.at)
    }
}

impl Run {
    /// Whether the record was committed already when this attempt at it ended.
    fn had_committed(&self, entry: &Entry) -> bool {
        let mut samples =
            self.samples.iter().filter(|sample| sample.partition == entry.partition && sample.at < entry.at);
        samples.next_back().is_some_and(|sample| sample.committed > entry.offset)
    }
}

/// What the verifier found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// I1.
    pub lost: Vec<String>,
    /// I2.
    pub ahead: Vec<String>,
    /// I3.
    pub order: Vec<String>,
    /// I4: successes beyond the first of each record.
    pub repeated: usize,
    /// Those of them whose first success was committed, or had the time to be; and dead letters that were
    /// written again in that way.
    pub unexcused: Vec<String>,
    /// Dead letters beyond the first of each record.
    pub repeated_dead_letters: usize,
    /// Records with more dead letters than rounds of attempts at them: what was handled twice may be there
    /// twice, this was written twice.
    pub written_twice: Vec<String>,
    /// I5.
    pub fences: Vec<String>,
}

impl Verdict {
    /// Fails the test unless I1, I2, I3 and I5 hold.
    ///
    /// # Panics
    /// When they do not; names the first violations of each.
    pub fn assert_sound(&self) {
        let mut broken = String::new();
        for (name, found) in [
            ("I1, lost", &self.lost),
            ("I2, committed before it was handled", &self.ahead),
            ("I3, order of a key", &self.order),
            ("I5, fencing tokens", &self.fences),
        ] {
            if !found.is_empty() {
                broken += &format!("{name}: {} in all\n", found.len());
                found.iter().take(10).for_each(|violation| broken += &format!("  {violation}\n"));
            }
        }
        assert!(broken.is_empty(), "{broken}");
    }
}

/// Judges a run.
pub fn verify(run: &Run) -> Verdict {
    let completions = Completions::of(run);
    Verdict {
        lost: lost(run, &completions),
        ahead: ahead(run, &completions),
        order: order(run, &completions),
        repeated: completions.repeated,
        unexcused: completions.unexcused.into_iter().chain(unexcused_dead_letters(run)).collect(),
        repeated_dead_letters: run.dead_letters.len() - run.dead_letters.iter().collect::<HashSet<_>>().len(),
        written_twice: written_twice(run),
        fences: fences(run),
    }
}

/// When each record was through: its first success, or the first last attempt of one that is in the dead
/// letter.
struct Completions {
    at: HashMap<(i32, i64), u64>,
    repeated: usize,
    unexcused: Vec<String>,
}

impl Completions {
    fn of(run: &Run) -> Self {
        let (mut at, mut repeated, mut unexcused) = (HashMap::new(), 0, Vec::new());
        // The success that a repetition repeats is the one before it: a record may be hit by more than one
        // crash.
        let mut latest: HashMap<(i32, i64), &Entry> = HashMap::new();
        for entry in sorted(&run.ledger).into_iter().filter(|entry| entry.step == Step::Ok) {
            let place = (entry.partition, entry.offset);
            match latest.entry(place) {
                Occupied(mut before) => {
                    repeated += 1;
                    // A zombie repeats what its successor did, until it notices.
                    let excused = run
                        .crashes
                        .iter()
                        .any(|crash| crash.excuses(before.get()) || (run.zombies && crash.excuses(entry)));
                    if !excused || (!run.zombies && run.had_committed(entry)) {
                        unexcused.push(format!(
                            "{}/{} of process {}, then of {}",
                            place.0,
                            place.1,
                            before.get().pid,
                            entry.pid
                        ));
                    }
                    before.insert(entry);
                }
                Vacant(first) => {
                    at.insert(place, entry.at);
                    first.insert(entry);
                }
            }
        }
        let dead: HashSet<_> =
            run.dead_letters.iter().copied().filter(|place| !at.contains_key(place)).collect();
        // A crash may come between the dead letter and its commit; then all attempts are made again, and the
        // first round is the one that counts.
        let mut attempts: HashMap<(i32, i64), u32> = HashMap::new();
        for entry in sorted(&run.ledger) {
            let place = (entry.partition, entry.offset);
            if matches!(entry.step, Step::Err | Step::Dropped) && dead.contains(&place) {
                let most = attempts.entry(place).or_insert(0);
                if entry.attempt > *most {
                    *most = entry.attempt;
                    at.insert(place, entry.at);
                }
            }
        }
        // What cannot be decoded is dead-lettered without a handler's attempt.
        for place in dead {
            at.entry(place).or_insert(0);
        }
        Self { at, repeated, unexcused }
    }
}

/// Dead letters that are there more than once, without a crash of who wrote them first.
fn unexcused_dead_letters(run: &Run) -> Vec<String> {
    let copies = copies(run);
    let last = last_attempts(run, &copies);
    let excused = |place: &(i32, i64), copies: &usize| {
        let rounds = last.get(place).map_or(&[][..], Vec::as_slice).iter();
        rounds.filter(|entry| run.crashes.iter().any(|crash| crash.excuses(entry))).count() >= copies - 1
    };
    let unexcused = copies.iter().filter(|(place, copies)| !excused(place, copies));
    unexcused
        .map(|((partition, offset), copies)| format!("{copies} dead letters of {partition}/{offset}"))
        .collect()
}

/// A round of attempts ends with one dead letter, whoever makes it, and however often partitions are lost.
/// What cannot be decoded has no attempts.
fn written_twice(run: &Run) -> Vec<String> {
    let copies = copies(run);
    let last = last_attempts(run, &copies);
    let rounds = |place: &(i32, i64)| last.get(place).map(Vec::len);
    let twice = copies.iter().filter_map(|(place, copies)| {
        rounds(place).filter(|rounds| copies > rounds).map(|rounds| (place, copies, rounds))
    });
    twice
        .map(|((partition, offset), copies, rounds)| {
            format!("{copies} dead letters of {partition}/{offset}, after {rounds} rounds")
        })
        .collect()
}

/// How often each record is in the dead letter that is there more than once.
fn copies(run: &Run) -> HashMap<(i32, i64), usize> {
    let mut copies: HashMap<(i32, i64), usize> = HashMap::new();
    run.dead_letters.iter().for_each(|place| *copies.entry(*place).or_default() += 1);
    copies.retain(|_, copies| *copies > 1);
    copies
}

/// The last failures of each round of attempts at these records; each led to a dead letter.
fn last_attempts<'r>(run: &'r Run, of: &HashMap<(i32, i64), usize>) -> HashMap<(i32, i64), Vec<&'r Entry>> {
    let mut failures: HashMap<(i32, i64), Vec<&Entry>> = HashMap::new();
    for entry in run.ledger.iter().filter(|entry| matches!(entry.step, Step::Err | Step::Dropped)) {
        let place = (entry.partition, entry.offset);
        if of.contains_key(&place) {
            failures.entry(place).or_default().push(entry);
        }
    }
    for failures in failures.values_mut() {
        let last = failures.iter().map(|entry| entry.attempt).max();
        failures.retain(|entry| Some(entry.attempt) == last);
    }
    failures
}

fn sorted(ledger: &[Entry]) -> Vec<&Entry> {
    let mut entries: Vec<_> = ledger.iter().collect();
    entries.sort_by_key(|entry| entry.at);
    entries
}

fn lost(run: &Run, completions: &Completions) -> Vec<String> {
    let lost =
        run.written.iter().filter(|record| !completions.at.contains_key(&(record.partition, record.offset)));
    lost.map(|record| {
        format!("{}/{} (key {}, number {})", record.partition, record.offset, record.key, record.seq)
    })
    .collect()
}

fn ahead(run: &Run, completions: &Completions) -> Vec<String> {
    let mut found = Vec::new();
    let mut partitions: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    for record in &run.written {
        partitions.entry(record.partition).or_default().push(record.offset);
    }
    for (partition, mut offsets) in partitions {
        offsets.sort_unstable();
        // By place in `offsets`: when the last of all records up to it was through.
        let mut latest = 0;
        let through: Vec<u64> = offsets
            .iter()
            .map(|offset| {
                latest = latest.max(completions.at.get(&(partition, *offset)).copied().unwrap_or(u64::MAX));
                latest
            })
            .collect();
        let mut before = -1;
        for sample in run.samples.iter().filter(|sample| sample.partition == partition) {
            if sample.committed < before {
                found.push(format!("partition {partition}: committed {} after {before}", sample.committed));
            }
            before = sample.committed;
            let below = offsets.partition_point(|offset| *offset < sample.committed);
            if below > 0 && through[below - 1] > sample.at {
                let culprit = offsets[..below].iter().find(|offset| {
                    completions.at.get(&(partition, **offset)).is_none_or(|at| *at > sample.at)
                });
                found.push(format!(
                    "partition {partition}: {} committed while {culprit:?} was not through",
                    sample.committed
                ));
            }
        }
    }
    found
}

fn order(run: &Run, completions: &Completions) -> Vec<String> {
    let mut found = overlaps(run);
    let mut first_starts: HashMap<(i32, i64), u64> = HashMap::new();
    for entry in run.ledger.iter().filter(|entry| entry.step == Step::Start) {
        let start = first_starts.entry((entry.partition, entry.offset)).or_insert(entry.at);
        *start = entry.at.min(*start);
    }
    let mut keys: HashMap<&str, Vec<&Written>> = HashMap::new();
    for record in &run.written {
        keys.entry(&record.key).or_default().push(record);
    }
    for records in keys.values_mut() {
        records.sort_by_key(|record| record.seq);
        for pair in records.windows(2) {
            let through =
                completions.at.get(&(pair[0].partition, pair[0].offset)).copied().unwrap_or(u64::MAX);
            if first_starts.get(&(pair[1].partition, pair[1].offset)).is_some_and(|start| *start < through) {
                found.push(format!(
                    "key {}: number {} started before {} was through",
                    pair[1].key, pair[1].seq, pair[0].seq
                ));
            }
        }
    }
    found
}

/// Two attempts of one key at once. An attempt without an end ended with its process.
fn overlaps(run: &Run) -> Vec<String> {
    let mut found = Vec::new();
    let mut ends: HashMap<(u32, i32, i64, u32), Vec<u64>> = HashMap::new();
    for entry in sorted(&run.ledger).into_iter().rev().filter(|entry| entry.step != Step::Start) {
        ends.entry((entry.pid, entry.partition, entry.offset, entry.attempt)).or_default().push(entry.at);
    }
    // The attempt of each key that ends last so far.
    let mut running: HashMap<&str, (u64, &Entry)> = HashMap::new();
    for entry in sorted(&run.ledger).into_iter().filter(|entry| entry.step == Step::Start) {
        let end = ends
            .get_mut(&(entry.pid, entry.partition, entry.offset, entry.attempt))
            .and_then(Vec::pop)
            .unwrap_or(entry.at);
        if let Some((until, other)) = running.get(entry.key.as_str())
            && entry.at < *until
            && !(run.zombies && other.pid != entry.pid)
        {
            found.push(format!(
                "key {}: {}/{} of process {} started while {}/{} of process {} ran",
                entry.key, entry.partition, entry.offset, entry.pid, other.partition, other.offset, other.pid
            ));
        }
        let last = running.entry(&entry.key).or_insert((end, entry));
        if end >= last.0 {
            *last = (end, entry);
        }
    }
    found
}

/// A store that takes no generation below the last one of the partition would refuse who is not the owner,
/// and nobody else.
fn fences(run: &Run) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut owners: HashMap<(i32, i32), u32> = HashMap::new();
    let mut latest: HashMap<i32, i32> = HashMap::new();
    for entry in sorted(&run.ledger).into_iter().filter(|entry| entry.step == Step::Start) {
        let Entry { partition, generation, pid, .. } = *entry;
        let owner = *owners.entry((partition, generation)).or_insert(pid);
        if owner != pid && !run.named {
            found.insert(format!(
                "partition {partition}: generation {generation} is of process {owner} and of {pid}"
            ));
        }
        let latest = latest.entry(partition).or_insert(generation);
        if generation < *latest && !run.zombies {
            found.insert(format!(
                "partition {partition}: process {pid} starts in generation {generation} after {latest}"
            ));
        }
        *latest = generation.max(*latest);
        if generation < 0 {
            found.insert(format!("partition {partition}: process {pid} knows no generation"));
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests;
