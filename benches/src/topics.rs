//! What a topic that cannot be sent to costs the nine beside it.
//!
//! Each line is a process of its own, and all live side by side; they send in short turns, one after the
//! other, so that what disturbs the machine for a while disturbs all of them. The cluster is librdkafka's
//! mock, in this process: it answers with faults on demand.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, DefaultProducerContext, Producer};
use rdkafka::types::RDKafkaRespErr::{
    RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED as DENIED,
    RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART as UNKNOWN,
};

use crate::compare::Options;
use crate::figures::{cpu, median};
use crate::results::{self, Ratio};
use crate::side::Measured;

/// One line: nine topics, and what is sent to a tenth.
struct Line {
    label: &'static str,
    tenth: &'static str,
    tasks: usize,
    bytes: usize,
}

const fn line(label: &'static str, tenth: &'static str, tasks: usize, bytes: usize) -> Line {
    Line { label, tenth, tasks, bytes }
}

/// The first is what the others are measured against, the second says how much of a ratio is noise.
const LINES: [Line; 7] = [
    line("nine topics", "none", 0, 0),
    line("nine topics again", "none", 0, 0),
    line("a tenth like them", "tenth", 64, 1_000),
    line("a tenth that has no leader", "leaderless", 64, 1_000),
    line("a tenth that is denied", "denied", 64, 1_000),
    line("a tenth that cannot be created", "not-creatable", 64, 1_000),
    line("a tenth that has no leader and fills the room", "leaderless", 4_000, 10_000),
];

/// With a prime number of lines each step through them meets all of them.
const _: () = assert!(LINES.len() == 7);

/// A line's process.
struct Process {
    child: Child,
    turns: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Process {
    fn start(brokers: &str, line: &Line) -> Result<Self, String> {
        let program =
            std::env::current_exe().map_err(|error| format!("this program is not found: {error}"))?;
        let mut command = Command::new(program);
        command.args(["side", "topics"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command
            .env("KAFKA_BROKERS", brokers)
            .env("KAFKA_CLIENT_ID", "bench")
            .env("NARAD_ENV", "production")
            .env("NARAD_CREATE_TOPICS", (line.tenth == "not-creatable").to_string())
            // An hour: sends that wait are what is measured.
            .env("NARAD_KAFKA_DELIVERY_TIMEOUT_MS", "3600000")
            .env("RUST_LOG", "off")
            .env("BENCH_TOPIC", line.tenth)
            .env("BENCH_GROUP", "none")
            .env("BENCH_RECORDS", "0")
            .env("BENCH_TENTH_TASKS", line.tasks.to_string())
            .env("BENCH_TENTH_BYTES", line.bytes.to_string());
        let mut child = command.spawn().map_err(|error| format!("{} does not start: {error}", line.label))?;
        let (turns, answers) = child.stdin.take().zip(child.stdout.take()).ok_or("no pipes")?;
        Ok(Self { child, turns, answers: BufReader::new(answers) })
    }

    fn turn(&mut self, records: usize) -> Result<Measured, String> {
        let asked = writeln!(self.turns, "{records}").and_then(|()| self.turns.flush());
        asked.map_err(|error| format!("a side has ended: {error}"))?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).map_err(|error| error.to_string())?;
        serde_json::from_str(&answer).map_err(|error| format!("a side has ended: {error}"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn topics(options: Options) -> Result<(), String> {
    if cfg!(debug_assertions) {
        eprintln!("a debug build: the figures say nothing; use --release");
    }
    let amount = options.amount(20_000, 40);
    let text = |error: KafkaError| error.to_string();
    let client: BaseProducer<DefaultProducerContext> =
        ClientConfig::new().set("test.mock.num.brokers", "1").create().map_err(text)?;
    let cluster = client.client().mock_cluster().ok_or("no mock cluster")?;
    let healthy = (0..9).map(|number| format!("topic-{number}")).chain(["tenth".to_owned()]);
    healthy.into_iter().try_for_each(|topic| cluster.create_topic(&topic, 3, 1).map_err(text))?;
    cluster.create_topic("leaderless", 1, 1).map_err(text)?;
    cluster.partition_leader("leaderless", 0, None).map_err(text)?;
    cluster.topic_error("denied", DENIED).map_err(text)?;
    cluster.topic_error("not-creatable", UNKNOWN).map_err(text)?;

    let brokers = cluster.bootstrap_servers();
    let mut processes =
        LINES.iter().map(|line| Process::start(&brokers, line)).collect::<Result<Vec<_>, _>>()?;
    // The first turns do not count: connections are made, topics are asked about, the room is filled.
    for _ in 0..2 {
        processes.iter_mut().try_for_each(|process| process.turn(amount.records).map(drop))?;
    }
    let mut measured: Vec<Vec<Measured>> = LINES.iter().map(|_| Vec::new()).collect();
    for round in 0..amount.rounds {
        // Each line has each place in a round as often as the others, and each of them before it.
        for place in 0..LINES.len() {
            let index = (place * (1 + round % (LINES.len() - 1)) + round) % LINES.len();
            measured[index].push(processes[index].turn(amount.records)?);
        }
    }
    println!(
        "\ntopics: the rate of nine topics beside a tenth ({} records a turn, {} rounds)\n",
        amount.records, amount.rounds
    );
    println!("| | records/s | ratio | of the rounds | CPU s per million | ratio | of the rounds |");
    println!("|---|---|---|---|---|---|---|");
    let mut ratios = Vec::new();
    for (line, rounds) in LINES.iter().zip(&measured) {
        type Value = fn(&Measured) -> f64;
        let figures: [(&str, Value); 2] = [("rate", Measured::rate), ("cpu", cpu)];
        let columns = figures.map(|(figure, value)| {
            let ((ratio, low, high), middle) =
                (quartiles(rounds, &measured[0], value), median(rounds.iter().map(value)));
            let (of, to, bench) = (line.label.to_owned(), LINES[0].label.to_owned(), "topics".to_owned());
            let (rounds, records) = (amount.rounds, amount.records);
            ratios.push(Ratio {
                bench,
                of,
                to,
                figure: figure.to_owned(),
                ratio,
                low,
                high,
                rounds,
                records,
            });
            (middle, format!("{ratio:.3} | {low:.2}-{high:.2}"))
        });
        let [(rate, rates), (cpu, cpus)] = columns;
        println!("| {} | {rate:.0} | {rates} | {cpu:.2} | {cpus} |", line.label);
    }
    if options.saves() { results::save(ratios.split_off(2)) } else { Ok(()) }
}

/// The ratio of the medians, and between which ratios half of the rounds lie: of short rounds some are always
/// far off.
fn quartiles(of: &[Measured], to: &[Measured], value: fn(&Measured) -> f64) -> (f64, f64, f64) {
    let mut rounds: Vec<_> = of.iter().zip(to).map(|(of, to)| value(of) / value(to)).collect();
    rounds.sort_by(f64::total_cmp);
    let at = |quarter: usize| rounds[(rounds.len() * quarter / 4).min(rounds.len() - 1)];
    (median(of.iter().map(value)) / median(to.iter().map(value)), at(1), at(3))
}
