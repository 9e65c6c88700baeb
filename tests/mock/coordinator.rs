//! A coordinator that is far away, goes away, and is away at the end.

use std::process::Command;
use std::time::{Duration, Instant};

use narad_tests::deployment::work_of;
use narad_tests::process::Process;
use rustix::process::Signal;

use crate::application::{assert_kept, assert_none_lost};
use crate::cluster::{PARTITIONS, TOPIC};
use crate::commits_seen::Commits;
use crate::{Application, Mock, wait, work};

const LEADER: i32 = 1;
const COORDINATOR: i32 = 2;

fn placed(group: &str) -> Mock {
    let mock = Mock::start(2);
    mock.place(group, COORDINATOR, LEADER);
    mock.cluster.write(TOPIC, work(0..10, 5, "nothing"));
    mock
}

#[test]
fn a_coordinator_five_seconds_away_delays_commits_and_the_end_and_loses_nothing() {
    let group = "m7-far";
    let mock = placed(group);
    let mut application = Application::start_with(&mock, group, |config| {
        // A heartbeat takes five.
        config.librdkafka.set("session.timeout.ms", "20000").expect("a property");
    });
    application.await_committed(&mock, 50);
    mock.delay(COORDINATOR, Duration::from_secs(5));
    mock.cluster.write(TOPIC, work(10..20, 5, "nothing"));
    application.await_attempts(100);
    assert!(application.narad.is_connected(), "the leader answers");
    let stopping = Instant::now();
    application.stop().expect("a clean drain");
    assert!(stopping.elapsed() < Duration::from_secs(30), "the end took {:?}", stopping.elapsed());
    mock.delay(COORDINATOR, Duration::ZERO);
    assert_kept(&mock, &application.ledger);
    assert_eq!(
        mock.committed(group).iter().map(|(_, committed)| committed).sum::<i64>(),
        100,
        "the last commit has all of it"
    );
}

#[test]
fn a_coordinator_that_goes_away_and_comes_back_costs_no_record() {
    let group = "m8-away";
    let mock = placed(group);
    let mut application = Application::start(&mock, group);
    application.await_committed(&mock, 50);
    mock.take_down(COORDINATOR);
    mock.cluster.write(TOPIC, work(10..20, 5, "nothing"));
    application.await_attempts(100);
    assert!(application.narad.is_connected(), "the leader answers");
    mock.take_up(COORDINATOR);
    let commits = Commits::watch(&mock, &application);
    application.await_committed(&mock, 100);
    application.stop().expect("a clean drain");
    commits.assert_sound();
    assert_none_lost(&mock, &application.ledger);
}

#[test]
fn health_is_true_only_while_a_broker_answers() {
    let group = "m8-health";
    let mock = placed(group);
    let mut application = Application::start(&mock, group);
    application.await_committed(&mock, 50);
    assert!(application.narad.is_connected());
    mock.take_down(LEADER);
    mock.take_down(COORDINATOR);
    wait::until("health says that no broker answers", || !application.narad.health().is_connected());
    mock.take_up(LEADER);
    mock.take_up(COORDINATOR);
    wait::until("health says that one does", || application.narad.health().is_connected());
    mock.cluster.write(TOPIC, work(10..20, 5, "nothing"));
    application.await_committed(&mock, 100);
    application.stop().expect("a clean drain");
    assert_none_lost(&mock, &application.ledger);
}

/// So long a process may take to end, beside `NARAD_SHUTDOWN_TIMEOUT`: what is promised, and what a loaded
/// machine adds.
const GRACE: Duration = Duration::from_secs(5);
const LOADED: Duration = Duration::from_secs(5);

/// A process of the application at work: all is handled and committed. librdkafka before 2.14.2 may crash
/// when a consumer is closed while its coordinator is away, so it is none of the test's own.
struct Deployed {
    mock: Mock,
    group: &'static str,
    folder: tempfile::TempDir,
}

impl Deployed {
    fn new(group: &'static str) -> Self {
        let mock = Mock::start(2);
        mock.place(group, COORDINATOR, LEADER);
        mock.create_topic_if_missing(&format!("{TOPIC}.{group}.dlq"));
        // What its handler may return, though it does not.
        mock.create_topic_if_missing(&format!("{TOPIC}.done"));
        Self { mock, group, folder: tempfile::tempdir().expect("a folder") }
    }

    fn write(&self, keys: std::ops::Range<u64>) {
        self.mock.cluster.write(TOPIC, keys.map(|key| work_of(&format!("user-{key}"), 0)));
    }

    fn start(&self, log: &str, variables: &[(&str, &str)]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_app"));
        command
            .env("KAFKA_BROKERS", &self.mock.cluster.brokers)
            .env("NARAD_COMMIT_INTERVAL", "50")
            .env("NARAD_SHUTDOWN_TIMEOUT", "2000")
            .env("NARAD_KAFKA_FETCH_WAIT_MAX_MS", "10")
            .env("APP_TOPIC", TOPIC)
            .env("APP_GROUP", self.group)
            .env("APP_LEDGER", self.folder.path().join("ledger"))
            .envs(variables.iter().copied())
            .current_dir(self.folder.path());
        Process::start(&mut command, &self.folder.path().join(log))
    }

    fn committed(&self) -> i64 {
        self.mock.cluster.committed(self.group, TOPIC, PARTITIONS).iter().map(|sample| sample.committed).sum()
    }

    fn await_committed(&self, records: i64) {
        wait::until("all is committed", || self.committed() == records);
    }

    fn await_handled(&self, records: usize) {
        wait::until("all is handled", || {
            narad_tests::ledger::lines(&self.folder.path().join("ledger")).len() >= 2 * records
        });
    }
}

/// Stops a process, which ends in time, with this status.
fn ends_in_time_with(process: &mut Process, status: i32) {
    process.signal(Signal::TERM);
    let stopping = Instant::now();
    process.ends_with(status);
    let took = stopping.elapsed();
    println!("gone after {took:?}, with status {status}");
    assert!(took < Duration::from_secs(2) + GRACE + LOADED, "the end took {took:?}:\n{}", process.log());
}

#[test]
fn a_process_that_ends_while_its_coordinator_is_away_ends_in_time_and_says_what_is_not_committed() {
    let deployed = Deployed::new("m8-end");
    // The mock cluster lets nobody join before the session of who did not leave is over.
    let session = [("NARAD_KAFKA_SESSION_TIMEOUT_MS", "6000")];
    deployed.write(0..50);
    let mut process = deployed.start("first", &session);
    deployed.await_committed(50);
    deployed.mock.take_down(COORDINATOR);
    deployed.write(50..100);
    deployed.await_handled(100);
    ends_in_time_with(&mut process, 2);
    let said = process.log();
    assert!(
        said.contains("the last commit failed") && said.contains("did not answer"),
        "it says why:\n{said}"
    );
    deployed.mock.take_up(COORDINATOR);
    // The group is as it was: the next process repeats what could not be committed.
    let mut process = deployed.start("second", &session);
    deployed.await_committed(100);
    ends_in_time_with(&mut process, 0);
}

#[test]
fn a_process_that_ends_while_its_coordinator_is_frozen_ends_in_time_whatever_the_session() {
    let deployed = Deployed::new("m8-frozen");
    deployed.write(0..50);
    let mut process = deployed.start("first", &[]);
    deployed.await_committed(50);
    deployed.mock.delay(COORDINATOR, Duration::from_secs(300));
    deployed.write(50..100);
    deployed.await_handled(100);
    ends_in_time_with(&mut process, 2);
}

#[test]
fn a_process_that_owes_nothing_ends_in_time_and_with_success_while_its_coordinator_is_frozen_or_away() {
    let deployed = Deployed::new("m8-idle");
    deployed.write(0..50);
    let mut process = deployed.start("frozen", &[]);
    deployed.await_committed(50);
    deployed.mock.delay(COORDINATOR, Duration::from_secs(300));
    ends_in_time_with(&mut process, 0);
    deployed.mock.delay(COORDINATOR, Duration::ZERO);

    let deployed = Deployed::new("m8-idle-away");
    deployed.write(0..50);
    let mut process = deployed.start("away", &[]);
    deployed.await_committed(50);
    deployed.mock.take_down(COORDINATOR);
    ends_in_time_with(&mut process, 0);
}

/// Nothing is in flight yet: what brokers are asked at the start is not waited for.
#[test]
fn a_stop_during_the_start_is_seen_at_once() {
    let deployed = Deployed::new("m8-start");
    // Slow enough to be caught between its first answer and the next ones.
    let delay = |delay| [LEADER, COORDINATOR].iter().for_each(|broker| deployed.mock.delay(*broker, delay));
    delay(Duration::from_millis(250));
    let mut process = deployed.start("first", &[("RUST_LOG", "debug"), ("NARAD_SHUTDOWN_TIMEOUT", "60000")]);
    wait::until("it is connected", || process.log().contains("connected after"));
    delay(Duration::from_secs(300));
    process.signal(Signal::TERM);
    let stopping = Instant::now();
    process.ends_with(0);
    assert!(
        stopping.elapsed() < Duration::from_secs(8),
        "the end took {:?}:\n{}",
        stopping.elapsed(),
        process.log()
    );
}
