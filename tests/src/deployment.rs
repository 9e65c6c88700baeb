//! The application under test, deployed: several processes of one group over one topic, one ledger, one
//! verdict.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::cluster::{Cluster, Stored, fresh};
use crate::ledger::{self, Entry, now};
use crate::process::Process;
use crate::verifier::{Crash, Run, Sample, Verdict, Written, verify};
use crate::wait;

/// A success this long before a crash is committed, where the process is the only one of its group: the
/// commit interval of the application, and what a loaded machine adds to it.
pub const ALONE: Duration = Duration::from_secs(2);

/// The same where the group may be rebalancing: a broker answers one request of a connection after the other,
/// so that a commit waits behind a member's join, and the join for the session of a member that was killed.
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
    samples: Arc<Mutex<Vec<Sample>>>,
    observer: RefCell<Option<Observer>>,
    crashes: RefCell<Vec<Crash>>,
    logs: RefCell<Vec<(u32, PathBuf)>>,
    zombies: Cell<bool>,
    named: Cell<bool>,
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
            samples: Arc::default(),
            observer: RefCell::default(),
            crashes: RefCell::default(),
            logs: RefCell::default(),
            zombies: Cell::default(),
            named: Cell::default(),
            started: Cell::default(),
        }
    }

    /// The name of its dead-letter topic.
    pub fn dead_letter(&self) -> String {
        format!("{}.{}.dlq", self.topic, self.group)
    }

    /// The name of the topic of its returned events.
    pub fn returned(&self) -> String {
        format!("{}.done", self.topic)
    }

    /// Starts a process of it, with more variables than those that it needs.
    pub fn start(&self, variables: &[(&str, &str)]) -> Process {
        self.start_by(Process::start, self.program, variables)
    }

    /// The same with pipes instead of a log, see [`Process::start_piped`].
    pub fn start_piped(&self, variables: &[(&str, &str)]) -> Process {
        self.start_by(Process::start_piped, self.program, variables)
    }

    /// Starts a process of another build of the application.
    pub fn start_program(&self, program: &str, variables: &[(&str, &str)]) -> Process {
        self.start_by(Process::start, program, variables)
    }

    fn start_by(
        &self,
        start: impl Fn(&mut Command, &Path) -> Process,
        program: &str,
        variables: &[(&str, &str)],
    ) -> Process {
        let number = self.started.replace(self.started.get() + 1);
        let mut command = Command::new(program);
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
        self.named.set(
            self.named.get() || variables.iter().any(|(name, _)| *name == "NARAD_KAFKA_GROUP_INSTANCE_ID"),
        );
        let process = start(&mut command, &self.file(&format!("app-{number}.log")));
        self.logs.borrow_mut().push((process.pid(), process.log_file().to_owned()));
        process
    }

    /// Ends a process as `kill -9` does; what it may not have committed may be repeated.
    pub fn kill(&self, process: &mut Process, uncommitted: Duration) {
        process.kill();
        self.cut_off(process, now().saturating_sub(uncommitted.as_nanos() as u64));
        self.sample();
    }

    /// Freezes a process for longer than its session: others have its partitions meanwhile, and it may not
    /// know yet when it goes on.
    pub fn freeze(&self, process: &Process, duration: Duration) {
        self.freeze_while(process, || std::thread::sleep(duration));
    }

    /// The same while something else is done, which takes longer than a session.
    pub fn freeze_while(&self, process: &Process, meanwhile: impl FnOnce()) {
        let since = now().saturating_sub(AMONG_OTHERS.as_nanos() as u64);
        self.zombies.set(true);
        process.signal(Signal::STOP);
        meanwhile();
        process.signal(Signal::CONT);
        std::thread::sleep(ALONE);
        self.cut_off(process, since);
    }

    /// A handler of this process outlives the deadline of a revoke: its record may run elsewhere meanwhile,
    /// and once more.
    pub fn outlives(&self, process: &Process, since: u64) {
        self.zombies.set(true);
        self.cut_off(process, since);
    }

    /// Since then until now a process may have been unable to commit.
    pub fn cut_off(&self, process: &Process, since: u64) {
        self.crashes.borrow_mut().push(Crash { pid: process.pid(), from: since, until: now() });
    }

    /// Processes that said that they had lost partitions could not commit before that, for as long as a
    /// rebalance may have held up commits. For scenarios in which the network may cost a process its
    /// membership.
    pub fn excuse_losses(&self) {
        for (pid, log) in &*self.logs.borrow() {
            let lines = ledger::lines(log);
            for line in lines.iter().filter(|line| line.contains("lost: others have these partitions")) {
                let at = monotonic(line).unwrap_or_else(|| panic!("no time in `{line}`"));
                let (from, until) =
                    (at.saturating_sub(AMONG_OTHERS.as_nanos() as u64), at + ALONE.as_nanos() as u64);
                println!("process {pid} lost partitions");
                self.crashes.borrow_mut().push(Crash { pid: *pid, from, until });
            }
        }
    }

    /// A file in the deployment's own folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ledger_file(&self) -> PathBuf {
        self.file("ledger")
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
        wait::until_within(wait::LONG, &format!("{steps} steps are in the ledger of {}", self.topic), || {
            self.steps() >= steps
        });
    }

    /// Asks what is committed, for the verdict.
    pub fn sample(&self) {
        self.committed();
    }

    /// Asks again and again what is committed, until the verdict: where commits may go back for a moment
    /// only.
    pub fn observe(&self) {
        let ended = Arc::new(AtomicBool::new(false));
        let (stop, samples) = (ended.clone(), self.samples.clone());
        let (cluster, group, topic, partitions) =
            (self.cluster.clone(), self.group.clone(), self.topic.clone(), self.partitions);
        let thread = std::thread::spawn(move || {
            while !stop.load(Relaxed) {
                sample(&samples, || cluster.committed(&group, &topic, partitions));
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        *self.observer.borrow_mut() = Some(Observer { ended, thread: Some(thread) });
    }

    /// What is committed now, over all partitions.
    pub fn committed(&self) -> i64 {
        sample(&self.samples, || self.cluster.committed(&self.group, &self.topic, self.partitions))
    }

    /// Waits until everything that is in the topic is committed.
    pub fn await_committed(&self, records: usize) {
        wait::until_within(
            wait::LONG,
            &format!("all {records} records of {} are committed", self.topic),
            || self.committed() >= records as i64,
        );
    }

    /// Waits until more of so many records is committed than now, or all of them.
    pub fn await_more_committed(&self, records: usize) {
        let before = self.committed();
        wait::until("more is committed", || self.committed() > before.min(records as i64 - 1));
    }

    /// The dead letters, as they stand in their topic.
    pub fn dead_letters(&self) -> Vec<Stored> {
        self.cluster.records(&self.dead_letter())
    }

    /// All that is known of the run. The topic holds records of the application's own event, one after the
    /// other for each key.
    ///
    /// # Panics
    /// On a record without a key.
    pub fn run(&self) -> Run {
        self.observer.take();
        let mut next = std::collections::HashMap::new();
        let written = self.cluster.records(&self.topic).into_iter().map(|record| {
            let key = String::from_utf8(record.key.expect("a key")).expect("a key that is text");
            let seq = next.entry(key.clone()).or_insert(0);
            *seq += 1;
            Written { partition: record.partition, offset: record.offset, seq: *seq - 1, key }
        });
        let written = written.collect();
        let place = |record: &Stored| {
            Some((
                record.header("narad-dlq-partition").parse().ok()?,
                record.header("narad-dlq-offset").parse().ok()?,
            ))
        };
        let dead_letters = self
            .dead_letters()
            .iter()
            .map(|record| place(record).expect("a dead letter says where it was"))
            .collect();
        Run {
            written,
            ledger: self.ledger(),
            dead_letters,
            samples: lock(&self.samples).clone(),
            zombies: self.zombies.get(),
            named: self.named.get(),
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

/// The thread that asks what is committed; it ends when it is dropped.
#[derive(Debug)]
struct Observer {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.ended.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Adds what is committed to the samples. One at a time: an answer that overtakes an earlier one would look
/// like a commit that went back.
fn sample(samples: &Mutex<Vec<Sample>>, committed: impl FnOnce() -> Vec<Sample>) -> i64 {
    let mut samples = lock(samples);
    let committed = committed();
    let sum = committed.iter().map(|sample| sample.committed).sum();
    samples.extend(committed);
    sum
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When a line was logged, by the ledger's clock: lines begin with `2026-01-31T12:00:00.000000Z`.
fn monotonic(line: &str) -> Option<u64> {
    let logged: Timestamp = line.split(' ').next()?.parse().ok()?;
    let ago = Timestamp::now().duration_since(logged);
    now().checked_sub(u64::try_from(ago.as_nanos()).ok()?)
}

/// Records of the application's own event: `records` of them over `keys` keys, one key after the other.
pub fn work(records: usize, keys: usize) -> impl Iterator<Item = Stored> {
    (0..records).map(move |number| work_of(&format!("user-{}", number % keys), number / keys))
}

/// One record of the application's own event.
pub fn work_of(key: &str, seq: usize) -> Stored {
    let value = serde_json::json!({"type": "WORK", "userId": key, "seq": seq});
    Stored::to_write(key, value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_is_placed_on_the_ledgers_clock() {
        let before = now();
        let at = monotonic(&format!("{}  WARN lost", Timestamp::now())).unwrap();
        assert!(at.abs_diff(before) < 1_000_000_000, "{at} is not near {before}");
        assert_eq!(monotonic("no time"), None);
    }
}
