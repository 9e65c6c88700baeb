//! Instructions of the whole process for each record: two runs under valgrind, one over twice the records of the other, so that starting and
//! stopping fall out of the difference. Not the time, but the same from one machine and one hour to the next.

use std::path::Path;

use crate::cluster::Cluster;
use crate::compare::Options;
use crate::data::Data;
use crate::figures::median;
use crate::process::{Task, command, run};
use crate::results::{self, Ratio};

const SIDES: [(&str, &str); 4] = [
    ("by hand", "consume-by-hand"),
    ("Narad", "consume-narad"),
    ("Narad, borrowed", "consume-narad-borrowed"),
    ("ceiling", "consume-ceiling-owned"),
];

pub(crate) fn instructions(cluster: &Cluster, options: Options) -> Result<(), String> {
    let amount = options.amount(50_000, 3);
    let written = cluster.write("instructions", &Data { records: 2 * amount.records, ..Data::default() })?;
    let profile = std::env::temp_dir().join(format!("{}.callgrind", cluster.name("profile")));
    let mut counted: Vec<Vec<f64>> = SIDES.iter().map(|_| Vec::new()).collect();
    for round in 1..=amount.rounds {
        for ((label, side), counted) in SIDES.iter().zip(&mut counted) {
            let of = |records| count(cluster, &Task { side, topic: &written.topic, records, environment: &[] }, &profile);
            let each = (of(2 * amount.records)? - of(amount.records)?) / amount.records as f64;
            eprintln!("round {round}: {label}: {each:.0} instructions a record");
            counted.push(each);
        }
    }
    println!("\ninstructions: of the whole process, a record ({} records, {} rounds)\n", amount.records, amount.rounds);
    println!("| | instructions | lowest-highest | ratio |\n|---|---|---|---|");
    let base = median(counted[0].iter().copied());
    let mut ratios = Vec::new();
    for ((label, _), counted) in SIDES.iter().zip(&counted) {
        let middle = median(counted.iter().copied());
        let low = counted.iter().copied().fold(f64::INFINITY, f64::min);
        let high = counted.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        println!("| {label} | {middle:.0} | {low:.0}-{high:.0} | {:.3} |", middle / base);
        ratios.push(Ratio {
            bench: "instructions".to_owned(),
            of: (*label).to_owned(),
            to: SIDES[0].0.to_owned(),
            figure: "instructions".to_owned(),
            ratio: middle / base,
            low: low / base,
            high: high / base,
            rounds: amount.rounds,
            records: amount.records,
        });
    }
    if options.saves() { results::save(ratios.split_off(1)) } else { Ok(()) }
}

/// The instructions of a run, by the line of totals in callgrind's profile.
fn count(cluster: &Cluster, task: &Task<'_>, profile: &Path) -> Result<f64, String> {
    cluster.forget_groups()?;
    let file = format!("--callgrind-out-file={}", profile.display());
    run(command(cluster, task, &["valgrind", "--quiet", "--tool=callgrind", &file])?, task.side)?;
    let text = std::fs::read_to_string(profile).map_err(|error| format!("no profile of {}: {error}", task.side))?;
    let _ = std::fs::remove_file(profile);
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
    total.ok_or_else(|| "callgrind's profile has no totals".to_owned())
}
