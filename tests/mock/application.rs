//! The application of these tests: one handler that does what its record asks, and the ledger of what it did.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use narad::prelude::*;
use narad::{Config, Narad};
use narad_tests::cluster::Stored;
use narad_tests::wait;
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::cluster::{Mock, TOPIC};
use crate::logs;

/// A record of these tests, and what it asks of its handler: `failure`, `event`, `large` (an event of half a
/// megabyte), `gate`, `hold` (of its thread, the first time), `time` (a second and a half), or nothing.
#[derive(Event, Debug)]
#[event(topic = "work", type = "WORK", key = key)]
pub(crate) struct Work {
    pub(crate) key: String,
    pub(crate) seq: u64,
    pub(crate) asks: String,
}

/// What the handler returns where its record asks for an event.
#[derive(Event, Debug)]
#[event(topic = "done", type = "DONE", key = key)]
pub(crate) struct Done {
    pub(crate) key: String,
    pub(crate) seq: u64,
    pub(crate) filling: String,
}

impl Done {
    /// A small one of one key.
    pub(crate) fn of(seq: u64) -> Self {
        Self { key: "user-1".to_owned(), seq, filling: String::new() }
    }
}

/// One attempt that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) key: String,
    pub(crate) seq: u64,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) attempt: u32,
    pub(crate) ok: bool,
}

/// What the handler did, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Arc<Mutex<Vec<Attempt>>>, Arc<AtomicBool>);

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Vec<Attempt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a handler has begun to hold its thread.
    pub(crate) fn is_held(&self) -> bool {
        self.1.load(SeqCst)
    }

    /// All attempts that have ended.
    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.lock().clone()
    }
}

/// Of a record that fails.
pub(crate) const ATTEMPTS: u32 = 3;

#[kafka_handler(topic = "work", group = "${GROUP}", retry(attempts = 3, backoff = "1ms..20ms"))]
async fn work_on(
    work: Work,
    ctx: Context,
    ledger: State<Ledger>,
    gate: State<watch::Receiver<bool>>,
) -> Result<Option<Done>, String> {
    if work.asks == "gate" {
        // The sender lives as long as the application.
        let _ = (*gate).clone().wait_for(|open| *open).await;
    }
    if work.asks == "hold" && !ledger.1.swap(true, SeqCst) {
        while !*gate.borrow() {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    if work.asks == "time" {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    }
    let Work { key, seq, asks } = work;
    let ok = asks != "failure";
    let (partition, offset, attempt) = (ctx.partition(), ctx.offset(), ctx.attempt());
    ledger.lock().push(Attempt { key: key.clone(), seq, partition, offset, attempt, ok });
    let filling = "x".repeat(if asks == "large" { 500_000 } else { 0 });
    if ok {
        Ok(["event", "large"].contains(&&*asks).then_some(Done { key, seq, filling }))
    } else {
        Err("as the record asks".to_owned())
    }
}

#[kafka_handler(topic = "work", group = "${GROUP}-latest", start = "latest")]
async fn work_on_latest(work: Work, ctx: Context, ledger: State<Ledger>) {
    let (partition, offset, attempt) = (ctx.partition(), ctx.offset(), ctx.attempt());
    ledger.lock().push(Attempt { key: work.key, seq: work.seq, partition, offset, attempt, ok: true });
}

/// A running application, its group named for the test.
pub(crate) struct Application {
    pub(crate) narad: Narad,
    pub(crate) group: String,
    pub(crate) ledger: Ledger,
    gate: watch::Sender<bool>,
    stop: Option<oneshot::Sender<()>>,
    run: Option<JoinHandle<narad::Result<()>>>,
    runtime: Runtime,
}

impl Application {
    pub(crate) fn start(mock: &Mock, group: &str) -> Self {
        Self::start_with(mock, group, |_| {})
    }

    /// Starts the group, with a configuration of the test's.
    pub(crate) fn start_with(mock: &Mock, group: &str, configure: impl FnOnce(&mut Config)) -> Self {
        logs::begin();
        mock.create_topic_if_missing(&format!("{TOPIC}.{group}.dlq"));
        let mut config = Config {
            client_id: group.to_owned(),
            brokers: mock.cluster.brokers.split(',').map(str::to_owned).collect(),
            commit_interval: Duration::from_millis(50),
            shutdown_timeout: Duration::from_secs(15),
            ..Config::default()
        };
        config.variables.set("GROUP", group.strip_suffix("-latest").unwrap_or(group));
        for (name, value) in [
            ("session.timeout.ms", "6000"),
            ("heartbeat.interval.ms", "200"),
            // The mock cluster holds an empty fetch for this long, whatever comes meanwhile.
            ("fetch.wait.max.ms", "10"),
        ] {
            config.librdkafka.set(name, value).expect("a property");
        }
        configure(&mut config);
        let (gate, opened) = watch::channel(false);
        let ledger = Ledger::default();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let built =
            Narad::builder().config(config).groups([group]).state(ledger.clone()).state(opened).build();
        let narad = runtime.block_on(built).expect("an application");
        let (stop, stopped) = oneshot::channel::<()>();
        let running = narad.clone();
        let run = runtime.spawn(async move { running.run_until(async { drop(stopped.await) }).await });
        Self { narad, group: group.to_owned(), ledger, gate, stop: Some(stop), run: Some(run), runtime }
    }

    /// Lets attempts go on that wait at the gate.
    pub(crate) fn open_gate(&self) {
        self.gate.send_replace(true);
    }

    /// Waits until so many attempts have ended.
    pub(crate) fn await_attempts(&self, count: usize) {
        wait::until(&format!("{count} attempts have ended"), || self.ledger.lock().len() >= count);
    }

    /// Waits until the application has said something.
    pub(crate) fn await_line(&self, text: &str) {
        wait::until(&format!("{:?} is said", text), || {
            logs::with(&self.group).iter().any(|line| line.contains(text))
        });
    }

    /// How often the group's members have said something.
    pub(crate) fn said(&self, text: &str) -> usize {
        logs::with(&self.group).iter().filter(|line| line.contains(text)).count()
    }

    /// What the application warned of.
    pub(crate) fn complaints(&self) -> Vec<String> {
        logs::complaints_with(&self.group)
    }

    /// Waits until a group has committed everything.
    pub(crate) fn await_committed(&self, mock: &Mock, records: usize) {
        wait::until(&format!("all {records} records are committed"), || {
            mock.committed(&self.group).iter().map(|(_, committed)| committed).sum::<i64>() == records as i64
        });
    }

    /// Waits until it runs no more by itself.
    pub(crate) fn ended(&mut self) -> narad::Result<()> {
        let run = self.run.take().expect("ends once");
        let ended = self.runtime.block_on(async { tokio::time::timeout(wait::DEADLINE, run).await });
        ended.expect("an end").expect("no panic")
    }

    /// Asks it to stop, as a signal does.
    pub(crate) fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.run.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Stops it as a signal does.
    pub(crate) fn stop(&mut self) -> narad::Result<()> {
        self.begin_stop();
        self.ended()
    }

    /// Awaits something in the background.
    pub(crate) fn spawn<F: Future<Output: Send> + Send + 'static>(&self, future: F) -> JoinHandle<F::Output> {
        self.runtime.spawn(future)
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}

impl Drop for Application {
    /// What it said is shown with a failed test.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "attempts: {:?}\nthe application said:\n{}",
                self.ledger.attempts(),
                logs::with(&self.group).join("\n")
            );
        }
    }
}

/// Asserts that each record was handled or has failed as it asks, exactly so often as its rule says, in the
/// order of its key.
pub(crate) fn assert_kept(mock: &Mock, ledger: &Ledger) {
    let attempts = ledger.attempts();
    let mut of_record: BTreeMap<(i32, i64), Vec<&Attempt>> = BTreeMap::new();
    for attempt in &attempts {
        of_record.entry((attempt.partition, attempt.offset)).or_default().push(attempt);
    }
    for record in mock.records() {
        let place = (record.partition, record.offset);
        let ended = of_record.remove(&place).unwrap_or_else(|| panic!("the record at {place:?} is lost"));
        let numbers: Vec<_> = ended.iter().map(|attempt| attempt.attempt).collect();
        let wanted = if ended[0].ok { 1 } else { ATTEMPTS };
        assert_eq!(numbers, (1..=wanted).collect::<Vec<_>>(), "attempts at {place:?}");
    }
    assert!(of_record.is_empty(), "no record: {of_record:?}");
    assert_in_order(&attempts);
}

/// Asserts that each record was handled or has failed as it asks, however often, the first time in the order
/// of its key.
pub(crate) fn assert_none_lost(mock: &Mock, ledger: &Ledger) {
    let mut seen = HashSet::new();
    let attempts = ledger.attempts();
    let firsts: Vec<_> = attempts
        .iter()
        .filter(|attempt| seen.insert((attempt.partition, attempt.offset, attempt.attempt)))
        .cloned()
        .collect();
    for record in mock.records() {
        let ended =
            |attempt: &&Attempt| (attempt.partition, attempt.offset) == (record.partition, record.offset);
        let finished = firsts.iter().filter(ended).any(|attempt| attempt.ok || attempt.attempt == ATTEMPTS);
        assert!(finished, "the record at {}/{} is lost", record.partition, record.offset);
    }
    assert_in_order(&firsts);
}

/// Asserts the order of each key, of first attempts and of repetitions.
pub(crate) fn assert_in_order(attempts: &[Attempt]) {
    let mut last: HashMap<&str, (u64, u32)> = HashMap::new();
    for attempt in attempts {
        let now = (attempt.seq, attempt.attempt);
        let before = last.insert(&attempt.key, now);
        assert!(before.is_none_or(|before| before < now), "key {}: {now:?} after {before:?}", attempt.key);
    }
}

/// Records over some keys, one key after the other, all of which ask the same.
pub(crate) fn work(seqs: std::ops::Range<u64>, keys: u64, asks: &str) -> Vec<Stored> {
    seqs.flat_map(|seq| (0..keys).map(move |key| (key, seq)))
        .map(|(key, seq)| record(&format!("user-{key}"), seq, asks))
        .collect()
}

/// One record.
pub(crate) fn record(key: &str, seq: u64, asks: &str) -> Stored {
    let value = narad::serde_json::json!({"type": "WORK", "key": key, "seq": seq, "asks": asks});
    Stored::to_write(key, value.to_string())
}
