//! Handlers that fail, and dead letters that cannot be written.

use std::collections::HashSet;
use std::time::Duration;

use narad_tests::deployment::{ALONE, Deployment, work, work_of};
use narad_tests::ledger::Step;
use narad_tests::process::Process;
use narad_tests::{cluster::Cluster, wait};
use rustix::process::Signal;

use super::{APP, assert_kept, deploy, scale, with_seeds};

fn stop(mut process: Process) {
    process.signal(Signal::TERM);
    process.ends_with(0);
}

#[test]
fn a_dead_letter_topic_that_takes_nothing_holds_back_the_failing_keys_only() {
    with_seeds(|cluster, rng| {
        let records = 4_000;
        let deployment = deploy(cluster, records);
        cluster.create_topic(&deployment.dead_letter(), 1, &[("max.message.bytes", "64")]);
        let process = deployment.start(&[("APP_FAIL_EVERY", "100")]);
        // The first record of each of ten keys is tried three times, the others of those keys wait; all the rest is handled.
        deployment.await_steps(10 * 3 * 2 + (records - records / 100) * 2);
        std::thread::sleep(Duration::from_millis(rng.u64(200..1_500)));
        deployment.sample();
        assert!(deployment.dead_letters().is_empty());
        let ledger = deployment.ledger();
        assert_eq!(ledger.iter().filter(|entry| entry.step == Step::Err).count(), 30, "the failing keys wait");
        cluster.configure_topic(&deployment.dead_letter(), "max.message.bytes", "1000000");
        deployment.await_committed(records);
        stop(process);
        assert_kept(&deployment);
        assert_eq!(deployment.dead_letters().len(), records / 100);
        assert_eq!(deployment.verdict().repeated_dead_letters, 0, "exactly the failed set");
    });
}

#[test]
fn two_failing_keys_of_one_partition_and_a_kill() {
    with_seeds(|cluster, rng| {
        let records = 3_000;
        let deployment = Deployment::new(cluster, APP, 1);
        cluster.write(&deployment.topic, work(records, 20));
        let variables = [("APP_FAIL_EVERY", "10"), ("APP_WAIT_MS", "5"), ("NARAD_HANDLER_WORK_RETRY_BACKOFF", "20ms..200ms")];
        let mut process = deployment.start(&variables);
        deployment.await_steps(rng.usize(500..1_500));
        deployment.sample();
        deployment.kill(&mut process, ALONE);
        let process = deployment.start(&variables);
        deployment.await_committed(records);
        stop(process);
        assert_kept(&deployment);
    });
}

#[test]
fn handlers_that_panic_cost_their_records_only() {
    with_seeds(|cluster, rng| {
        let deployment = Deployment::new(cluster, APP, 2);
        let mut records: Vec<_> = work(1_000, 50).collect();
        for seq in 0..20 {
            let place = if seq == 0 { 0 } else { rng.usize(..records.len()) };
            records.insert(place, work_of("panics-1", seq));
        }
        // Their numbers rise in the order of the topic.
        let mut seq = 0;
        for record in records.iter_mut().filter(|record| record.key.as_deref() == Some(b"panics-1")) {
            *record = work_of("panics-1", seq);
            seq += 1;
        }
        records.push(work_of("panics-1", seq));
        let count = records.len();
        cluster.write(&deployment.topic, records);
        let mut process = deployment.start(&[]);
        deployment.await_committed(count);
        assert!(process.runs());
        stop(process);
        assert_kept(&deployment);
        assert_eq!(deployment.dead_letters().len(), 21);
        assert!(deployment.dead_letters().iter().all(|record| record.header("narad-dlq-error").contains("the handler panics")));
    });
}

/// A key that fails for as long as the test runs, and a partition whose other keys run far ahead of it.
fn parked(cluster: &Cluster, records: usize) -> (Deployment, [(&'static str, &'static str); 3]) {
    let deployment = Deployment::new(cluster, APP, 1);
    let failing = std::iter::once(work_of("user-0", 0));
    let others = (0..records).map(|number| work_of(&format!("user-{}", number % 999 + 1), number / 999));
    cluster.write(&deployment.topic, failing.chain(others));
    let variables =
        [("APP_FAIL_EVERY", "1000"), ("NARAD_HANDLER_WORK_RETRY_ATTEMPTS", "1000000"), ("NARAD_HANDLER_WORK_RETRY_BACKOFF", "50ms..200ms")];
    (deployment, variables)
}

#[test]
fn what_is_done_beyond_a_parked_key_is_not_repeated_after_a_kill() {
    with_seeds(|cluster, rng| {
        let records = scale(50_000);
        let (deployment, variables) = parked(cluster, records);
        let mut process = deployment.start(&variables);
        let done = |deployment: &Deployment| {
            deployment.ledger().iter().filter(|entry| entry.step == Step::Ok).map(|entry| entry.offset).collect::<HashSet<_>>().len()
        };
        wait::until("half of the records are done", || done(&deployment) > records / 2);
        std::thread::sleep(Duration::from_millis(rng.u64(0..500)));
        deployment.sample();
        deployment.kill(&mut process, ALONE);
        let process = deployment.start(&variables);
        wait::until_within(wait::LONG, "all but the parked record are done", || done(&deployment) == records);
        deployment.sample();
        stop(process);
        // The parked record is neither lost nor done; all others are.
        let verdict = deployment.verdict();
        assert_eq!(verdict.lost.len(), 1, "{:?}", verdict.lost);
        assert!(verdict.ahead.is_empty() && verdict.order.is_empty(), "{verdict:?}");
        println!("repeated {} of {records}", verdict.repeated);
        assert!(verdict.unexcused.is_empty(), "{:?}", &verdict.unexcused[..verdict.unexcused.len().min(5)]);
        let committed: i64 = cluster.committed(&deployment.group, &deployment.topic, 1).iter().map(|sample| sample.committed).sum();
        assert_eq!(committed, 0, "the offset waits for the parked record");
    });
}

#[test]
fn a_partition_that_goes_during_a_backoff_takes_its_records_along() {
    with_seeds(|cluster, _| {
        let records = 4_000;
        let deployment = deploy(cluster, records);
        let slow = [("APP_FAIL_EVERY", "100"), ("NARAD_HANDLER_WORK_RETRY_BACKOFF", "2s..3s")];
        let first = deployment.start(&slow);
        deployment.await_steps(records);
        // Partitions go to the newcomer, then all of the rest: no backoff holds that up.
        let other = deployment.start(&[("APP_FAIL_EVERY", "100")]);
        deployment.sample();
        stop(first);
        deployment.await_committed(records);
        stop(other);
        assert_kept(&deployment);
        assert_eq!((deployment.verdict().repeated, deployment.verdict().repeated_dead_letters), (0, 0));
    });
}
