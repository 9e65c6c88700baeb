//! The comparisons: which sides, on which topics, against which line.

use crate::cluster::{Cluster, Written};
use crate::data::Data;
use crate::figures::{Figure, ratio};
use crate::growth::{End, Growth};
use crate::results;
use crate::rounds::{Amount, Entry, Source, run};
use crate::side::{Measured, WARM_UP};

use Source::{Fresh, Written as On};

/// What the command line asks for; each comparison has a default of its own.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Options {
    /// Records of each run
    #[arg(long)]
    records: Option<usize>,
    /// Rounds that count; nine where a difference under 15 % matters
    #[arg(long)]
    rounds: Option<usize>,
    /// Append the ratios to benches/results/ratios.jsonl
    #[arg(long)]
    save: bool,
}

impl Options {
    pub(crate) fn amount(self, records: usize, rounds: usize) -> Amount {
        Amount {
            records: self.records.unwrap_or(records).max(1),
            rounds: self.rounds.unwrap_or(rounds).max(1),
        }
    }

    pub(crate) fn saves(self) -> bool {
        self.save
    }
}

struct Comparison<'a> {
    name: &'a str,
    about: &'a str,
    figure: Figure,
    entries: Vec<Entry>,
    topics: Vec<Written>,
    amount: Amount,
}

impl Comparison<'_> {
    fn run(self, cluster: &Cluster, options: Options) -> Result<Vec<Vec<Measured>>, String> {
        let measured = run(cluster, &self.entries, &self.topics, self.amount, self.figure)?;
        let (rounds, records) = (self.amount.rounds, self.amount.records);
        println!("\n{}: {} ({records} records, {rounds} rounds)\n", self.name, self.about);
        println!("{}", self.figure.table(&self.entries, &measured));
        if options.save {
            results::save(self.figure.ratios(self.name, &self.entries, &measured, self.amount))?;
        }
        Ok(measured)
    }
}

pub(crate) fn consume(cluster: &Cluster, options: Options) -> Result<(), String> {
    let amount = options.amount(500_000, 3);
    let topics = vec![cluster.write("consume", &Data { records: amount.records, ..Data::default() })?];
    let entries = vec![
        Entry::new("by hand", "consume-by-hand", On(0), 0),
        Entry::new("Narad", "consume-narad", On(0), 0),
        Entry::new("Narad, borrowed", "consume-narad-borrowed", On(0), 0),
        Entry::new("Narad", "consume-narad", On(0), 0).throughput(),
        Entry::new("ceiling", "consume-ceiling-owned", On(0), 0),
        Entry::new("ceiling, borrowed", "consume-ceiling-borrowed", On(0), 0),
    ];
    let about = "two typed handlers, 10,000 keys on 8 partitions";
    Comparison { name: "consume", about, figure: Figure::Rate, entries, topics, amount }
        .run(cluster, options)
        .map(drop)
}

pub(crate) fn io(cluster: &Cluster, options: Options) -> Result<(), String> {
    let amount = options.amount(100_000, 3);
    let topics =
        vec![cluster.write("io", &Data { records: amount.records, keys: 1_000, ..Data::default() })?];
    let entries =
        vec![Entry::new("by hand", "io-by-hand", On(0), 0), Entry::new("Narad", "io-narad", On(0), 0)];
    let about = "handlers that wait 5 ms, in the order of each of 1,000 keys";
    Comparison { name: "io", about, figure: Figure::Rate, entries, topics, amount }
        .run(cluster, options)
        .map(drop)
}

pub(crate) fn produce(cluster: &Cluster, options: Options) -> Result<(), String> {
    let amount = options.amount(500_000, 3);
    let entries = vec![
        Entry::new("ThreadedProducer", "produce-by-hand", Fresh, 0),
        Entry::new("Narad, publish_all", "produce-narad", Fresh, 0),
        Entry::new("Narad, publish_all", "produce-narad", Fresh, 0).throughput(),
        Entry::new("FutureProducer, 256 tasks", "produce-singly-by-hand", Fresh, 3),
        Entry::new("Narad, publish, 256 tasks", "produce-singly-narad", Fresh, 3),
    ];
    let about = "typed events encoded and sent until acknowledged";
    Comparison { name: "produce", about, figure: Figure::Rate, entries, topics: Vec::new(), amount }
        .run(cluster, options)
        .map(drop)
}

pub(crate) fn latency(cluster: &Cluster, options: Options) -> Result<(), String> {
    let mut amount = options.amount(8_000, 3);
    amount.records += WARM_UP;
    let entries = vec![
        Entry::new("by hand", "latency-by-hand", Fresh, 0),
        Entry::new("Narad", "latency-narad", Fresh, 0),
    ];
    let about = "from before an event is encoded to the start of its handler, 2,000 a second";
    Comparison { name: "latency", about, figure: Figure::Latency, entries, topics: Vec::new(), amount }
        .run(cluster, options)
        .map(drop)
}

pub(crate) fn startup(cluster: &Cluster, options: Options) -> Result<(), String> {
    let amount = Amount { records: 1, ..options.amount(1, 9) };
    let topics = vec![cluster.write("startup", &Data { records: 1_000, ..Data::default() })?];
    let entries = vec![
        Entry::new("by hand", "consume-by-hand", On(0), 0),
        Entry::new("Narad", "consume-narad", On(0), 0),
    ];
    let about = "from the start of the process to the first record handled";
    Comparison { name: "startup", about, figure: Figure::Startup, entries, topics, amount }
        .run(cluster, options)
        .map(drop)
}

pub(crate) fn costs(cluster: &Cluster, options: Options) -> Result<(), String> {
    let amount = options.amount(300_000, 3);
    let topics = vec![cluster.write("costs", &Data { records: amount.records, ..Data::default() })?];
    let sides = [
        ("typed handlers, ordering key", "cost-plain"),
        ("ordering partition", "cost-partition"),
        ("ordering none", "cost-none"),
        ("borrowed events", "cost-borrowed"),
        ("a closed set", "cost-closed-set"),
        ("batches of a closed set", "cost-batch"),
        ("Envelope", "cost-envelope"),
        ("Meta beside the event", "cost-meta"),
        ("Context beside the event", "cost-context"),
        ("one layer", "cost-one-layer"),
        ("three layers", "cost-three-layers"),
        ("plain functions on threads", "cost-threads"),
    ];
    let entries = sides.into_iter().map(|(label, side)| Entry::new(label, side, On(0), 0)).collect();
    let about = "what is asked for beside the plain typed handler";
    Comparison { name: "costs", about, figure: Figure::Rate, entries, topics, amount }
        .run(cluster, options)
        .map(drop)
}

pub(crate) fn scaling(cluster: &Cluster, options: Options) -> Result<(), String> {
    let amount = options.amount(500_000, 3);
    let mut changes = String::new();
    for growth in Growth::all(amount.records) {
        let (mut topics, mut entries) = (Vec::new(), Vec::new());
        for (index, End { label, data, sides: [by_hand, narad] }) in growth.ends.iter().enumerate() {
            topics.push(cluster.write(&format!("{}-{index}", growth.what), data)?);
            entries.push(Entry::new(&format!("by hand, {label}"), by_hand, On(index), 2 * index));
            entries.push(Entry::new(&format!("Narad, {label}"), narad, On(index), 2 * index));
        }
        let about = growth.about();
        let comparison =
            Comparison { name: "scaling", about: &about, figure: Figure::Rate, entries, topics, amount };
        let measured = comparison.run(cluster, options)?;
        let at = |end: usize| ratio(&measured[2 * end + 1], &measured[2 * end], Measured::rate).0;
        changes += &growth.change(at(0), at(1));
    }
    println!("{changes}");
    Ok(())
}
