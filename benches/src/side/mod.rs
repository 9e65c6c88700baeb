//! The sides of a comparison. Each runs in a process of its own, which this module is in: it takes its task
//! from the environment, and ends with one line of JSON, its [`Measured`].

mod batch_queue;
mod by_hand;
mod ceiling;
pub(crate) mod kinds;
mod meter;
mod narad;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

pub(crate) use meter::Meter;

/// How records of `latency` are paced, and how many do not count.
const GAP: Duration = Duration::from_micros(500);
pub(crate) const WARM_UP: usize = 2_000;
/// Events made before the clock starts, so that producing measures encoding and sending.
const POOL: usize = 10_000;

/// What a side has to do.
#[derive(Debug)]
struct Task {
    brokers: String,
    topic: String,
    group: String,
    records: usize,
}

/// What a side has measured, itself and its process.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) records: usize,
    /// From the first record handled to the last; of a producer: until all is acknowledged.
    pub(crate) seconds: f64,
    /// From the start of the process to the first record handled.
    pub(crate) startup_ms: f64,
    /// What the handlers counted.
    pub(crate) sum: i64,
    /// Records of a key that came out of order.
    pub(crate) violations: usize,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// User and system time of the whole process.
    pub(crate) cpu_seconds: f64,
    /// The most memory that the process held; 0 where the system does not tell.
    pub(crate) peak_mib: f64,
}

impl Measured {
    /// Records per second.
    pub(crate) fn rate(&self) -> f64 {
        self.records as f64 / self.seconds
    }
}

type Side = fn(&Task) -> Measured;

const SIDES: &[(&str, Side)] = &[
    ("consume-by-hand", by_hand::consume),
    ("consume-ceiling-owned", ceiling::owned),
    ("consume-ceiling-borrowed", ceiling::borrowed),
    ("consume-narad", narad::consume::owned),
    ("consume-narad-borrowed", narad::consume::borrowed),
    ("io-by-hand", by_hand::io),
    ("io-narad", narad::io::consume),
    ("produce-by-hand", by_hand::produce),
    ("produce-narad", narad::produce::all),
    ("produce-singly-by-hand", by_hand::produce_singly),
    ("produce-singly-narad", narad::produce::singly),
    ("latency-by-hand", by_hand::latency),
    ("latency-narad", narad::latency::run),
    ("one-kind-by-hand", kinds::by_hand_one),
    ("one-kind-narad", kinds::narad_one),
    ("hundred-kinds-by-hand", kinds::by_hand_hundred),
    ("hundred-kinds-narad", kinds::narad_hundred),
    ("cost-plain", narad::costs::plain),
    ("cost-partition", narad::costs::partition),
    ("cost-none", narad::costs::none),
    ("cost-borrowed", narad::costs::borrowed),
    ("cost-closed-set", narad::costs::closed_set),
    ("cost-batch", narad::costs::batch),
    ("cost-one-layer", narad::costs::one_layer),
    ("cost-three-layers", narad::costs::three_layers),
    ("cost-envelope", narad::costs::envelope),
    ("cost-meta", narad::costs::meta),
    ("cost-context", narad::costs::context),
    ("cost-threads", narad::costs::threads),
];

/// Runs the side of that name (of `topics`: as many turns as it is asked for), and prints what it measured.
///
/// # Errors
/// An unknown name, or an environment without the task.
pub(crate) fn run(name: &str) -> Result<(), String> {
    let variable = |name: &str| {
        std::env::var(name).map_err(|_| format!("{name} is not set: sides are started by the other commands"))
    };
    let task = Task {
        brokers: variable("KAFKA_BROKERS")?,
        topic: variable("BENCH_TOPIC")?,
        group: variable("BENCH_GROUP")?,
        records: variable("BENCH_RECORDS")?.parse().map_err(|_| "BENCH_RECORDS is no number")?,
    };
    if name == "topics" {
        return narad::topics::serve(&task);
    }
    let side =
        SIDES.iter().find(|(known, _)| *known == name).ok_or_else(|| format!("no side is called {name}"))?.1;
    let mut measured = side(&task);
    measured.cpu_seconds = cpu_seconds();
    measured.peak_mib = peak_mib();
    println!("{}", serde_json::to_string(&measured).map_err(|error| error.to_string())?);
    Ok(())
}

/// Since whoever started this process took the time, in `BENCH_STARTED`.
fn since_start() -> Duration {
    let started =
        std::env::var("BENCH_STARTED").ok().and_then(|text| text.parse().ok()).map(Duration::from_micros);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    started.and_then(|started| now.checked_sub(started)).unwrap_or_default()
}

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// `ru_maxrss` would do, but remembers the memory of the process that started this one.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    peak.unwrap_or_default() / 1024.0
}

/// The percentiles of waits, in microseconds.
fn percentiles(mut waits: Vec<f64>, since: Instant) -> Measured {
    waits.sort_by(f64::total_cmp);
    let at = |share: f64| waits[((waits.len() as f64 * share) as usize).min(waits.len() - 1)];
    Measured {
        records: waits.len(),
        seconds: since.elapsed().as_secs_f64(),
        p50_us: at(0.5),
        p99_us: at(0.99),
        ..Measured::default()
    }
}
