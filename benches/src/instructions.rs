//! Instructions of the whole process for each record: two runs under valgrind, over topics of which one has
//! twice the records of the other, so that starting and stopping fall out of the difference. Not the time,
//! but the same from one machine and one hour to the next.

use std::path::{Path, PathBuf};

use crate::cluster::{Cluster, Written};
use crate::compare::Options;
use crate::data::{Data, Types};
use crate::figures::median;
use crate::growth::Growth;
use crate::process::{Task, command, run};
use crate::results::{self, Ratio};
use crate::rounds::Amount;

const SIDES: [(&str, &str); 4] = [
    ("by hand", "consume-by-hand"),
    ("Narad", "consume-narad"),
    ("Narad, borrowed", "consume-narad-borrowed"),
    ("ceiling", "consume-ceiling-owned"),
];

/// One line: a side, and the pair of topics that it reads.
pub(crate) struct Line<'a> {
    label: String,
    side: &'a str,
    topics: usize,
    /// The program that has the side; none: this one.
    program: Option<PathBuf>,
    /// Of each round, the instructions of a record.
    counted: Vec<f64>,
}

impl<'a> Line<'a> {
    pub(crate) fn new(label: impl Into<String>, side: &'a str, topics: usize) -> Self {
        Self { label: label.into(), side, topics, program: None, counted: Vec::new() }
    }

    pub(crate) fn of(self, program: &Path) -> Self {
        Self { program: Some(program.to_owned()), ..self }
    }
}

pub(crate) fn instructions(cluster: &Cluster, options: Options) -> Result<(), String> {
    let amount = options.amount(50_000, 3);
    let mut lines: Vec<_> = SIDES.iter().map(|(label, side)| Line::new(*label, side, 0)).collect();
    let data = Data { records: amount.records, ..Data::default() };
    rounds(cluster, amount, &mut lines, &[pair(cluster, "instructions", &data)?])?;
    table("two typed handlers", amount, &lines);
    let mut ratios: Vec<_> =
        lines[1..].iter().map(|line| saved("instructions", line, &lines[0], amount)).collect();

    let mut changes = String::new();
    for growth in Growth::all(amount.records) {
        let (mut topics, mut lines) = (Vec::new(), Vec::new());
        for (index, end) in growth.ends.iter().enumerate() {
            topics.push(pair(cluster, &format!("{}-{index}", growth.what), &end.data)?);
            for (who, side) in ["by hand", "Narad"].into_iter().zip(end.sides) {
                lines.push(Line::new(format!("{who}, {}", end.label), side, index));
            }
        }
        rounds(cluster, amount, &mut lines, &topics)?;
        table(&growth.about(), amount, &lines);
        ratios.extend([
            saved("scaling", &lines[1], &lines[0], amount),
            saved("scaling", &lines[3], &lines[2], amount),
        ]);
        changes += &growth.change(ratio(&lines[1], &lines[0]), ratio(&lines[3], &lines[2]));
    }
    println!("{changes}");
    skipped(cluster, options)?;
    if options.saves() { results::save(ratios) } else { Ok(()) }
}

/// What a record costs that nobody takes, beside one that is handled: of twenty types, one has a handler.
pub(crate) fn skipped(cluster: &Cluster, options: Options) -> Result<(), String> {
    const TYPES: usize = 20;
    let amount = options.amount(50_000, 3);
    let of = |types| Data { records: amount.records, types, ..Data::default() };
    let topics = [
        pair(cluster, "handled", &of(Types::Kinds(1)))?,
        pair(cluster, "skipped", &of(Types::OneOf(TYPES)))?,
    ];
    let mut lines =
        [Line::new("all handled", "one-kind-narad", 0), Line::new("one of twenty", "one-kind-narad", 1)];
    rounds(cluster, amount, &mut lines, &topics)?;
    table("types that nobody takes", amount, &lines);
    let handled = 1.0 / TYPES as f64;
    let skipped = (ratio(&lines[1], &lines[0]) - handled) / (1.0 - handled);
    println!("\na skipped record takes {skipped:.2} of the instructions of a handled one");
    Ok(())
}

/// Topics of which the second has twice the records of the first.
pub(crate) fn pair(cluster: &Cluster, what: &str, data: &Data) -> Result<[Written; 2], String> {
    let half = cluster.write(what, data)?;
    Ok([half, cluster.write(&format!("{what}-twice"), &Data { records: 2 * data.records, ..data.clone() })?])
}

pub(crate) fn rounds(
    cluster: &Cluster,
    amount: Amount,
    lines: &mut [Line<'_>],
    topics: &[[Written; 2]],
) -> Result<(), String> {
    let profile = std::env::temp_dir().join(format!("{}.callgrind", cluster.name("profile")));
    for round in 1..=amount.rounds {
        for line in &mut *lines {
            let [once, twice] = &topics[line.topics];
            let each = (count(cluster, line, twice, &profile)? - count(cluster, line, once, &profile)?)
                / amount.records as f64;
            eprintln!("round {round}: {}: {each:.0} instructions a record", line.label);
            line.counted.push(each);
        }
    }
    Ok(())
}

pub(crate) fn ratio(of: &Line<'_>, to: &Line<'_>) -> f64 {
    median(of.counted.iter().copied()) / median(to.counted.iter().copied())
}

pub(crate) fn table(about: &str, amount: Amount, lines: &[Line<'_>]) {
    println!(
        "\ninstructions: {about}; of the whole process, a record ({} records, {} rounds)\n",
        amount.records, amount.rounds
    );
    println!("| | instructions | lowest-highest | ratio |\n|---|---|---|---|");
    for line in lines {
        let (low, high) = span(line);
        println!(
            "| {} | {:.0} | {low:.0}-{high:.0} | {:.3} |",
            line.label,
            median(line.counted.iter().copied()),
            ratio(line, &lines[0])
        );
    }
}

fn span(line: &Line<'_>) -> (f64, f64) {
    line.counted
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)))
}

fn saved(bench: &str, of: &Line<'_>, to: &Line<'_>, amount: Amount) -> Ratio {
    let (base, (low, high)) = (median(to.counted.iter().copied()), span(of));
    Ratio {
        bench: bench.to_owned(),
        of: of.label.clone(),
        to: to.label.clone(),
        figure: "instructions".to_owned(),
        ratio: ratio(of, to),
        low: low / base,
        high: high / base,
        rounds: amount.rounds,
        records: amount.records,
    }
}

/// The instructions of a run over a whole topic, by the line of totals in callgrind's profile.
fn count(cluster: &Cluster, line: &Line<'_>, written: &Written, profile: &Path) -> Result<f64, String> {
    let side = line.side;
    cluster.forget_groups()?;
    let file = format!("--callgrind-out-file={}", profile.display());
    let task = Task {
        side,
        program: line.program.as_deref(),
        topic: &written.topic,
        records: written.records,
        environment: &[],
    };
    let measured = run(command(cluster, &task, &["valgrind", "--quiet", "--tool=callgrind", &file])?, side)?;
    if (measured.records, measured.sum) != (written.records, written.sum) {
        return Err(format!(
            "{side}: handled {} of {} records, or others",
            measured.records, written.records
        ));
    }
    let text = std::fs::read_to_string(profile).map_err(|error| format!("no profile of {side}: {error}"))?;
    let _ = std::fs::remove_file(profile);
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
    total.ok_or_else(|| "callgrind's profile has no totals".to_owned())
}
