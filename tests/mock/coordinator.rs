//! M7, M8: a coordinator that is far away, goes away, and is away at the end.

use std::process::Command;
use std::time::{Duration, Instant};

use narad_tests::cluster::Stored;
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
    assert_eq!(mock.committed(group).iter().map(|(_, committed)| committed).sum::<i64>(), 100, "the last commit has all of it");
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

/// librdkafka before 2.14.2 may crash when a consumer is closed while its coordinator is away: the application is a process of its own here.
#[test]
fn a_process_that_ends_while_its_coordinator_is_away_ends_in_time_and_does_not_crash() {
    let group = "m8-end";
    let mock = Mock::start(2);
    mock.place(group, COORDINATOR, LEADER);
    mock.create_topic_if_missing(&format!("{TOPIC}.{group}.dlq"));
    let records = |keys: std::ops::Range<u64>| {
        keys.map(|key| {
            let value = narad::serde_json::json!({"type": "WORK", "userId": format!("user-{key}"), "seq": 0}).to_string();
            Stored { partition: -1, offset: 0, key: Some(format!("user-{key}").into()), value: Some(value.into()), headers: Vec::new() }
        })
    };
    mock.cluster.write(TOPIC, records(0..50));
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = folder.path().join("ledger");
    let start = |log: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_app"));
        command
            .env("KAFKA_BROKERS", &mock.cluster.brokers)
            .env("NARAD_COMMIT_INTERVAL", "50")
            .env("NARAD_SHUTDOWN_TIMEOUT", "4000")
            .env("NARAD_KAFKA_SESSION_TIMEOUT_MS", "6000")
            .env("NARAD_KAFKA_FETCH_WAIT_MAX_MS", "10")
            .env("APP_TOPIC", TOPIC)
            .env("APP_GROUP", group)
            .env("APP_LEDGER", &ledger)
            .current_dir(folder.path());
        Process::start(&mut command, &folder.path().join(log))
    };
    let committed = || mock.cluster.committed(group, TOPIC, PARTITIONS).iter().map(|sample| sample.committed).sum::<i64>();
    let mut process = start("first");
    wait::until("all is committed", || committed() == 50);
    mock.take_down(COORDINATOR);
    mock.cluster.write(TOPIC, records(50..100));
    wait::until("all is handled", || narad_tests::ledger::lines(&ledger).len() >= 200);
    process.signal(Signal::TERM);
    process.ends_with(0);
    mock.take_up(COORDINATOR);
    // The group is as it was: the next process repeats what could not be committed.
    let mut process = start("second");
    wait::until("all is committed", || committed() == 100);
    process.signal(Signal::TERM);
    process.ends_with(0);
}
