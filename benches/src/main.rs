//! Narad measured side by side with loops written by hand, on a real broker. `docs/performance.md` says how
//! to read it.

mod baseline;
mod chart;
mod cluster;
mod compare;
mod compile;
mod data;
mod figures;
mod growth;
mod instructions;
mod process;
mod results;
mod rounds;
mod side;
mod topics;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cluster::Cluster;
use compare::Options;

/// Narad and loops written by hand, side by side on the broker of KAFKA_BROKERS (or NARAD_TEST_BROKERS).
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Typed handlers over a backlog
    Consume(Options),
    /// Handlers that wait
    Io(Options),
    /// Sending, many at once and one after the other
    Produce(Options),
    /// From sending to the handler
    Latency(Options),
    /// From the start of the process to the first record
    Startup(Options),
    /// What each guarantee and each parameter costs
    Costs(Options),
    /// Partitions, handlers and keys: whether the cost grows with them
    Scaling(Options),
    /// All of the above
    All(Options),
    /// Instructions of each record, counted by valgrind, also while partitions, handlers and keys grow
    Instructions(Options),
    /// Instructions of a record that nobody takes, beside one that is handled
    Skipped(Options),
    /// Instructions of each record beside those of the commit in benches/baseline; fails where they grew by
    /// more than 3 %
    Baseline(Options),
    /// The rate of nine topics beside a tenth that cannot be sent to; needs no broker
    Topics(Options),
    /// Compile time of 200 events and handlers
    Compile(Options),
    /// Draw docs/performance.svg from the ratios that were saved
    Chart,
    /// One side of a comparison, in this process
    #[command(hide = true)]
    Side { name: String },
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), String> {
    type Compare = fn(&Cluster, Options) -> Result<(), String>;
    let on_broker = |options: Options, comparisons: &[Compare]| {
        let cluster = Cluster::of_env()?;
        if cfg!(debug_assertions) {
            eprintln!("a debug build: the figures say nothing; use --release");
        }
        comparisons.iter().try_for_each(|compare| compare(&cluster, options))
    };
    match command {
        Command::Consume(options) => on_broker(options, &[compare::consume]),
        Command::Io(options) => on_broker(options, &[compare::io]),
        Command::Produce(options) => on_broker(options, &[compare::produce]),
        Command::Latency(options) => on_broker(options, &[compare::latency]),
        Command::Startup(options) => on_broker(options, &[compare::startup]),
        Command::Costs(options) => on_broker(options, &[compare::costs]),
        Command::Scaling(options) => on_broker(options, &[compare::scaling]),
        Command::All(options) => on_broker(
            options,
            &[
                compare::consume,
                compare::io,
                compare::produce,
                compare::latency,
                compare::startup,
                compare::costs,
                compare::scaling,
            ],
        ),
        Command::Instructions(options) => on_broker(options, &[instructions::instructions]),
        Command::Skipped(options) => on_broker(options, &[instructions::skipped]),
        Command::Baseline(options) => on_broker(options, &[baseline::baseline]),
        Command::Topics(options) => topics::topics(options),
        Command::Compile(options) => compile::compile(options),
        Command::Chart => chart::chart(),
        Command::Side { name } => side::run(&name),
    }
}
