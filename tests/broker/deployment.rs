//! Two processes of one group over 100,000 records, one of which goes in the middle; and records that fail.

use std::collections::{BTreeMap, HashMap};

use narad_tests::cluster::Cluster;
use narad_tests::deployment::Deployment;
use narad_tests::ledger::Step;
use narad_tests::process::Process;
use rustix::process::Signal;

use super::kafkajs;

const RECORDS: usize = 100_000;
const KEYS: usize = 1_000;

fn deploy() -> Option<Deployment> {
    let deployment = Deployment::new(&Cluster::of_env()?, env!("CARGO_BIN_EXE_app"), 8);
    kafkajs::write(&deployment.topic, RECORDS, KEYS);
    Some(deployment)
}

/// Two processes; what is done to one of them in the middle.
fn with_one_that_goes(deployment: &Deployment, goes: impl FnOnce(&mut Process)) {
    // Slow enough for a middle: at most 16 of each partition at once.
    let variables = [("APP_WAIT_MS", "2")];
    let mut one = deployment.start(&variables);
    let mut other = deployment.start(&variables);
    deployment.await_steps(RECORDS * 2 / 3);
    deployment.sample();
    goes(&mut one);
    deployment.sample();
    deployment.await_committed(RECORDS);
    other.signal(Signal::TERM);
    other.ends_with(0);
    let ledger = deployment.ledger();
    let worked = |process: u32| ledger.iter().any(|entry| entry.pid == process);
    assert!(worked(one.pid()) && worked(other.pid()), "both processes handled something");
}

#[test]
fn a_process_that_is_stopped_loses_nothing_and_repeats_nothing() {
    let Some(deployment) = deploy() else { return };
    with_one_that_goes(&deployment, |process| {
        process.signal(Signal::TERM);
        process.ends_with(0);
    });
    let verdict = deployment.verdict();
    verdict.assert_sound();
    assert_eq!((verdict.repeated, verdict.repeated_dead_letters), (0, 0));
}

#[test]
fn a_process_that_is_killed_loses_nothing() {
    let Some(deployment) = deploy() else { return };
    with_one_that_goes(&deployment, Process::kill);
    let verdict = deployment.verdict();
    verdict.assert_sound();
    println!("repeated after kill -9: {}", verdict.repeated);
}

#[test]
fn records_of_failing_keys_are_dead_lettered_once_after_their_attempts_and_all_others_flow() {
    let Some(deployment) = deploy() else { return };
    let mut process = deployment.start(&[("APP_FAIL_EVERY", "100")]);
    deployment.await_committed(RECORDS);
    process.signal(Signal::TERM);
    process.ends_with(0);
    let verdict = deployment.verdict();
    verdict.assert_sound();
    assert_eq!((verdict.repeated, verdict.repeated_dead_letters), (0, 0));

    let mut attempts: HashMap<(i32, i64), Vec<u32>> = HashMap::new();
    for entry in deployment.ledger().iter().filter(|entry| entry.step == Step::Err) {
        attempts.entry((entry.partition, entry.offset)).or_default().push(entry.attempt);
    }
    assert_eq!(attempts.len(), RECORDS / 100);
    assert!(attempts.values().all(|attempts| attempts == &[1, 2, 3]), "three attempts at each");

    let written: BTreeMap<_, _> = deployment
        .cluster
        .records(&deployment.topic)
        .into_iter()
        .map(|record| ((record.partition, record.offset), record))
        .collect();
    for dead in deployment.dead_letters() {
        let place = (
            dead.header("narad-dlq-partition").parse().expect("a partition"),
            dead.header("narad-dlq-offset").parse().expect("an offset"),
        );
        let source = &written[&place];
        assert_eq!((&dead.key, &dead.value), (&source.key, &source.value));
        assert_eq!(
            dead.headers[..source.headers.len()],
            source.headers[..],
            "the record's headers come first, as they were"
        );
        assert_eq!(dead.header("narad-dlq-attempts"), "3");
        assert_eq!(dead.header("narad-dlq-handler"), "work");
        assert_eq!(dead.header("narad-dlq-group"), deployment.group);
        assert_eq!(dead.header("narad-dlq-topic"), deployment.topic);
        assert_eq!(dead.header("narad-dlq-error"), "attempt 3 fails, as its key asks");
    }
}
