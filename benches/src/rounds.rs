//! Sides run one after the other, round by round, so that what disturbs the machine for a while disturbs all
//! of them.

use crate::cluster::{Cluster, Written};
use crate::figures::Figure;
use crate::process::{Task, measure};
use crate::side::Measured;

/// One line of a comparison.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) label: String,
    pub(crate) side: &'static str,
    pub(crate) source: Source,
    /// The line that this one is a ratio to; its own index where it is what others are measured against.
    pub(crate) against: usize,
    pub(crate) environment: Vec<(&'static str, &'static str)>,
}

/// Where a side reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The topic of that index, with records.
    Written(usize),
    /// A topic of its own, empty at first.
    Fresh,
}

impl Entry {
    pub(crate) fn new(label: &str, side: &'static str, source: Source, against: usize) -> Self {
        Self { label: label.to_owned(), side, source, against, environment: Vec::new() }
    }

    /// With the profile for throughput instead of the default one.
    pub(crate) fn throughput(mut self) -> Self {
        self.label += ", profile throughput";
        self.environment.push(("NARAD_PROFILE", "throughput"));
        self
    }
}

/// How much is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amount {
    pub(crate) rounds: usize,
    pub(crate) records: usize,
}

/// What each line measured, a value for each round.
pub(crate) fn run(
    cluster: &Cluster,
    entries: &[Entry],
    topics: &[Written],
    amount: Amount,
    figure: Figure,
) -> Result<Vec<Vec<Measured>>, String> {
    let mut measured: Vec<Vec<Measured>> = entries.iter().map(|_| Vec::new()).collect();
    // The first round does not count: programs and topics come into memory, dead letters are made.
    for entry in entries.iter().filter(|entry| entry.source != Source::Fresh) {
        one(cluster, entry, topics, amount.records.min(1_000), false)?;
    }
    for round in 1..=amount.rounds {
        for (entry, measured) in entries.iter().zip(&mut measured) {
            let result = one(cluster, entry, topics, amount.records, true)?;
            eprintln!("round {round}: {}: {}", entry.label, figure.summary(&result));
            measured.push(result);
        }
    }
    Ok(measured)
}

fn one(
    cluster: &Cluster,
    entry: &Entry,
    topics: &[Written],
    records: usize,
    whole: bool,
) -> Result<Measured, String> {
    let task = |topic, records| Task {
        side: entry.side,
        program: None,
        topic,
        records,
        environment: &entry.environment,
    };
    match entry.source {
        Source::Written(index) => {
            let written = &topics[index];
            let records = records.min(written.records);
            let measured = measure(cluster, &task(&written.topic, records))?;
            // All decoded the same, and nothing came twice.
            if whole
                && records == written.records
                && (measured.records, measured.sum) != (records, written.sum)
            {
                return Err(format!(
                    "{}: handled {} of {records} records, or others",
                    entry.label, measured.records
                ));
            }
            if measured.violations > 0 {
                return Err(format!(
                    "{}: {} records out of the order of their keys",
                    entry.label, measured.violations
                ));
            }
            Ok(measured)
        }
        Source::Fresh => {
            let topic = cluster.create(entry.side, 8)?;
            let measured = measure(cluster, &task(&topic, records))?;
            let arrived = cluster.count(&topic)?;
            cluster.remove(&topic)?;
            // `latency` sends one more to see that it reads, and has its first ones for warming up.
            if arrived < measured.records {
                return Err(format!(
                    "{}: {} records acknowledged, {arrived} in the topic",
                    entry.label, measured.records
                ));
            }
            Ok(measured)
        }
    }
}
