//! The application under test, deployed: several processes of one group over one topic, one ledger, one verdict.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::cluster::{Cluster, Stored, fresh};
use crate::ledger::{self, Entry, now};
use crate::process::Process;
use crate::verifier::{Crash, Run, Sample, Verdict, Written, verify};
use crate::wait;

/// A success this long before a crash is committed, where the process is the only one of its group: the commit interval of the application, and
/// what a loaded machine adds to it.
pub const ALONE: Duration = Duration::from_secs(2);

/// The same where the group may be rebalancing: a broker answers one request of a connection after the other, so that a commit waits behind a
/// member's join, and the join for the session of a member that was killed.
pub const AMONG_OTHERS: Duration = Duration::from_secs(8);

/// A topic, a group, and the processes that were started for them.
#[derive(Debug)]
pub struct Deployment {
    /// Where the topic is.
    pub cluster: Cluster,
    /// What is handled.
    pub topic: String,
    /// By whom.
    pub group: String,
    partitions: i32,
    program: &'static str,
    folder: TempDir,
    samples: RefCell<Vec<Sample>>,
    crashes: RefCell<Vec<Crash>>,
    zombies: Cell<bool>,
    started: Cell<u32>,
}

impl Deployment {
    /// Makes a fresh topic; the application creates its dead letter. `program` is the application's file.
    ///
    /// # Panics
    /// When the broker refuses.
    pub fn new(cluster: &Cluster, program: &'static str, partitions: i32) -> Self {
        let (topic, group) = (fresh("work"), fresh("group"));
        cluster.create_topic(&topic, partitions, &[]);
        let (folder, cluster) = (tempfile::tempdir().expect("a folder"), cluster.clone());
        Self {
            cluster,
            topic,
            group,
            partitions,
            program,
            folder,
            samples: RefCell::default(),
            crashes: RefCell::default(),
            zombies: Cell::default(),
            started: Cell::default(),
        }
    }

    /// The name of its dead-letter topic.
    pub fn dead_letter(&self) -> String {
        format!("{}.{}.dlq", self.topic, self.group)
    }

    /// Starts a process of it, with more variables than those that it needs.
    pub fn start(&self, variables: &[(&str, &str)]) -> Process {
        let number = self.started.replace(self.started.get() + 1);
        let mut command = Command::new(self.program);
        command
            .env("KAFKA_BROKERS", &self.cluster.brokers)
            .env("KAFKA_CLIENT_ID", format!("app-{number}"))
            .env("NARAD_KAFKA_SESSION_TIMEOUT_MS", "6000")
            .env("NARAD_KAFKA_HEARTBEAT_INTERVAL_MS", "500")
            .env("NARAD_COMMIT_INTERVAL", "200")
            .env("NARAD_CREATE_TOPICS", "true")
            .env("RUST_LOG", "info,narad::consumer=debug")
            .env("APP_TOPIC", &self.topic)
            .env("APP_GROUP", &self.group)
            .env("APP_LEDGER", self.ledger_file())
            .current_dir(self.folder.path())
            .envs(variables.iter().copied());
        Process::start(&mut command, &self.folder.path().join(format!("app-{number}.log")))
    }

    /// Ends a process as `kill -9` does; what it may not have committed may be repeated.
    pub fn kill(&self, process: &mut Process, uncommitted: Duration) {
        process.kill();
        self.cut_off(process, now().saturating_sub(uncommitted.as_nanos() as u64));
        self.sample();
    }

    /// Freezes a process for longer than its session: others have its partitions meanwhile, and it may not know yet when it goes on.
    pub fn freeze(&self, process: &Process, duration: Duration) {
        let since = now().saturating_sub(AMONG_OTHERS.as_nanos() as u64);
        self.zombies.set(true);
        process.signal(Signal::STOP);
        std::thread::sleep(duration);
        process.signal(Signal::CONT);
        std::thread::sleep(ALONE);
        self.cut_off(process, since);
    }

    /// Since then until now a process may have been unable to commit.
    pub fn cut_off(&self, process: &Process, since: u64) {
        self.crashes.borrow_mut().push(Crash { pid: process.pid(), from: since, until: now() });
    }

    fn ledger_file(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    /// What the handlers have done so far.
    pub fn ledger(&self) -> Vec<Entry> {
        ledger::read(&self.ledger_file())
    }

    /// How many steps the handlers have written so far; cheap enough to be asked often.
    pub fn steps(&self) -> usize {
        ledger::lines(&self.ledger_file()).len()
    }

    /// Waits until the handlers have written so many steps.
    pub fn await_steps(&self, steps: usize) {
        wait::until_within(wait::LONG, &format!("{steps} steps are in the ledger of {}", self.topic), || self.steps() >= steps);
    }

    /// Asks what is committed, for the verdict.
    pub fn sample(&self) {
        let committed = self.cluster.committed(&self.group, &self.topic, self.partitions);
        self.samples.borrow_mut().extend(committed);
    }

    /// Waits until everything that is in the topic is committed.
    pub fn await_committed(&self, records: usize) {
        wait::until_within(wait::LONG, &format!("all {records} records of {} are committed", self.topic), || {
            let committed = self.cluster.committed(&self.group, &self.topic, self.partitions);
            let sum: i64 = committed.iter().map(|sample| sample.committed).sum();
            self.samples.borrow_mut().extend(committed);
            sum >= records as i64
        });
    }

    /// Waits until more is committed than the last time that it was asked.
    pub fn await_more_committed(&self) {
        self.sample();
        let sum = || -> i64 {
            let committed = self.cluster.committed(&self.group, &self.topic, self.partitions);
            committed.iter().map(|sample| sample.committed).sum()
        };
        let before = sum();
        wait::until("more is committed", || sum() > before);
    }

    /// The dead letters, as they stand in their topic.
    pub fn dead_letters(&self) -> Vec<Stored> {
        self.cluster.records(&self.dead_letter())
    }

    /// All that is known of the run. The topic holds records of the application's own event, one after the other for each key.
    ///
    /// # Panics
    /// On a record without a key.
    pub fn run(&self) -> Run {
        let mut next = std::collections::HashMap::new();
        let written = self.cluster.records(&self.topic).into_iter().map(|record| {
            let key = String::from_utf8(record.key.expect("a key")).expect("a key that is text");
            let seq = next.entry(key.clone()).or_insert(0);
            *seq += 1;
            Written { partition: record.partition, offset: record.offset, seq: *seq - 1, key }
        });
        let written = written.collect();
        let place =
            |record: &Stored| Some((record.header("narad-dlq-partition").parse().ok()?, record.header("narad-dlq-offset").parse().ok()?));
        let dead_letters = self.dead_letters().iter().map(|record| place(record).expect("a dead letter says where it was")).collect();
        Run {
            written,
            ledger: self.ledger(),
            dead_letters,
            samples: self.samples.borrow().clone(),
            zombies: self.zombies.get(),
            crashes: self.crashes.borrow().clone(),
        }
    }

    /// The verdict over the run.
    pub fn verdict(&self) -> Verdict {
        verify(&self.run())
    }
}

impl Drop for Deployment {
    /// What the processes said is kept for who looks for the cause.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            eprintln!("ledger and logs are kept in {}", self.folder.path().display());
        }
    }
}

/// Records of the application's own event: `records` of them over `keys` keys, one key after the other.
pub fn work(records: usize, keys: usize) -> impl Iterator<Item = Stored> {
    (0..records).map(move |number| work_of(&format!("user-{}", number % keys), number / keys))
}

/// One record of the application's own event.
pub fn work_of(key: &str, seq: usize) -> Stored {
    let value = serde_json::json!({"type": "WORK", "userId": key, "seq": seq});
    Stored { partition: -1, offset: 0, key: Some(key.into()), value: Some(value.to_string().into_bytes()), headers: Vec::new() }
}
