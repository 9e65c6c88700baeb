//! Handlers that fail, and dead letters that cannot be written.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use narad_tests::cluster::{Cluster, Stored};
use narad_tests::deployment::{ALONE, Deployment, work, work_of};
use narad_tests::ledger::Step;
use narad_tests::proxy::{Api, Hold, Proxy};
use narad_tests::wait;

use super::{APP, assert_kept, deploy, once, scale, stop, with_a_seed, with_seeds};

#[test]
fn a_dead_letter_topic_that_takes_nothing_holds_back_the_failing_keys_only() {
    with_seeds(|cluster, rng| {
        let records = 4_000;
        let deployment = deploy(cluster, records);
        cluster.create_topic(&deployment.dead_letter(), 1, &[("max.message.bytes", "64")]);
        let process = deployment.start(&[("APP_FAIL_EVERY", "100")]);
        // The first record of each of ten keys is tried three times, the others of those keys wait; all the
        // rest is handled.
        deployment.await_steps(10 * 3 * 2 + (records - records / 100) * 2);
        std::thread::sleep(Duration::from_millis(rng.u64(200..1_500)));
        deployment.sample();
        assert!(deployment.dead_letters().is_empty());
        let ledger = deployment.ledger();
        assert_eq!(
            ledger.iter().filter(|entry| entry.step == Step::Err).count(),
            30,
            "the failing keys wait"
        );
        cluster.configure_topic(&deployment.dead_letter(), "max.message.bytes", "1000000");
        deployment.await_committed(records);
        stop(process);
        assert_kept(&deployment);
        assert_eq!(deployment.dead_letters().len(), records / 100);
        assert_eq!(deployment.verdict().repeated_dead_letters, 0, "exactly the failed set");
    });
}

/// More keys than records of a partition may run at once return events, and the connection on which these are
/// written passes nothing.
#[test]
fn returned_events_that_nobody_takes_hold_back_their_keys_only() {
    once(|cluster| {
        let (records, keys, every) = (4_000, 1_000, 20);
        let (deployment, proxy) = (Deployment::new(cluster, APP, 1), Proxy::start());
        cluster.create_topic(&deployment.returned(), 1, &[]);
        cluster.write(&deployment.topic, work(records, keys));
        proxy.hold(Hold::Request(Api::Produce));
        let process = deployment.start(&[("KAFKA_BROKERS", proxy.address()), ("APP_RETURN_EVERY", "20")]);
        wait::until("an event waits", || proxy.holds());
        // The first record of each of fifty keys is handled, the others of those keys wait; all the rest is
        // handled.
        deployment.await_steps(2 * (records - records / every + keys / every));
        deployment.sample();
        assert!(cluster.records(&deployment.returned()).is_empty());
        proxy.cut();
        deployment.await_committed(records);
        stop(process);
        assert_kept(&deployment);
        assert_eq!(deployment.verdict().repeated, 0, "a handler does not run again for an event that waits");
        assert_eq!(
            cluster.records(&deployment.returned()).len(),
            records / every,
            "each event is there once"
        );
    });
}

#[test]
fn two_failing_keys_of_one_partition_and_a_kill() {
    with_seeds(|cluster, rng| {
        let records = 3_000;
        let deployment = Deployment::new(cluster, APP, 1);
        cluster.write(&deployment.topic, work(records, 20));
        let variables = [
            ("APP_FAIL_EVERY", "10"),
            ("APP_WAIT_MS", "5"),
            ("NARAD_HANDLER_WORK_RETRY_BACKOFF", "20ms..200ms"),
        ];
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

/// The attempts at each record, in their order, by the record's place.
fn attempts(deployment: &Deployment) -> BTreeMap<(i32, i64), Vec<u32>> {
    let mut attempts: BTreeMap<_, Vec<u32>> = BTreeMap::new();
    for entry in deployment.ledger().iter().filter(|entry| entry.step == Step::Start) {
        attempts.entry((entry.partition, entry.offset)).or_default().push(entry.attempt);
    }
    attempts
}

/// Records of which some are poison; each of those is tried so often, and is in the dead letter once, byte by
/// byte.
fn poisoned(
    cluster: &Cluster,
    records: Vec<Stored>,
    poison: impl Fn(&Stored) -> bool,
    fail_every: &str,
    tries: usize,
) {
    let deployment = Deployment::new(cluster, APP, 2);
    let count = records.len();
    cluster.write(&deployment.topic, records);
    let mut process = deployment.start(&[("APP_FAIL_EVERY", fail_every)]);
    deployment.await_committed(count);
    assert!(process.runs());
    stop(process);
    assert_kept(&deployment);
    let (attempts, dead_letters) = (attempts(&deployment), deployment.dead_letters());
    let mut dead: BTreeMap<_, _> = dead_letters.iter().map(|record| (origin(record), record)).collect();
    assert_eq!(dead.len(), dead_letters.len(), "each is there once");
    for record in cluster.records(&deployment.topic) {
        let place = (record.partition, record.offset);
        let tried = attempts.get(&place).cloned().unwrap_or_default();
        if !poison(&record) {
            assert_eq!(tried, [1], "{place:?} is fine");
            continue;
        }
        assert_eq!(tried, (1..=tries as u32).collect::<Vec<_>>(), "the attempts at {place:?}");
        let dead = dead.remove(&place).unwrap_or_else(|| panic!("{place:?} is in no dead letter"));
        assert_eq!((&dead.key, &dead.value), (&record.key, &record.value));
    }
    assert!(dead.is_empty(), "{dead:?}");
}

fn origin(dead_letter: &Stored) -> (i32, i64) {
    let number = |name| dead_letter.header(name).parse::<i64>().expect("a number");
    (number("narad-dlq-partition") as i32, number("narad-dlq-offset"))
}

#[test]
fn poison_at_the_first_and_the_last_offset_and_at_random_ones() {
    with_seeds(|cluster, rng| {
        let mut records: Vec<_> =
            work(2_000, 50).filter(|record| record.key.as_deref() != Some(b"user-0")).collect();
        for partition in 0..2 {
            records.insert(0, garbage(partition));
            records.push(garbage(partition));
        }
        for _ in 0..20 {
            records.insert(rng.usize(2..records.len() - 2), garbage(rng.i32(0..2)));
        }
        // What cannot be decoded is not tried; what fails is.
        poisoned(cluster, records, |record| record.key.as_deref() == Some(b"garbage"), "0", 0);
        let failing = (0..40).map(|seq| work_of("user-0", seq));
        let others = work(2_000, 50).filter(|record| record.key.as_deref() != Some(b"user-0"));
        let mut records: Vec<_> = others.collect();
        for (seq, record) in failing.enumerate() {
            // The first, the last, and others in the order of their key.
            records.insert(if seq == 0 { 0 } else { records.len() * seq / 39 }, record);
        }
        poisoned(cluster, records, |record| record.key.as_deref() == Some(b"user-0"), "1000", 3);
    });
}

#[test]
fn poison_at_every_offset() {
    with_seeds(|cluster, _| {
        poisoned(cluster, (0..500).map(|number| garbage(number % 2)).collect(), |_| true, "0", 0);
        poisoned(cluster, work(500, 20).collect(), |_| true, "1", 3);
    });
}

/// What no event can be read from.
fn garbage(partition: i32) -> Stored {
    Stored { partition, ..Stored::to_write("garbage", b"{\"type\":\"WORK\",\xff") }
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
        assert!(
            deployment
                .dead_letters()
                .iter()
                .all(|record| record.header("narad-dlq-error").contains("the handler panics"))
        );
    });
}

/// A key that fails for as long as the test runs, and a partition whose other keys run far ahead of it.
fn parked(cluster: &Cluster, records: usize) -> (Deployment, [(&'static str, &'static str); 4]) {
    let deployment = Deployment::new(cluster, APP, 1);
    let failing = std::iter::once(work_of("user-0", 0));
    let others = (0..records).map(|number| work_of(&format!("user-{}", number % 999 + 1), number / 999));
    cluster.write(&deployment.topic, failing.chain(others));
    let variables = [
        // So slow that most of what is done before a kill had the time to be committed.
        ("APP_WAIT_MS", "3"),
        ("APP_FAIL_EVERY", "1000"),
        ("NARAD_HANDLER_WORK_RETRY_ATTEMPTS", "1000000"),
        ("NARAD_HANDLER_WORK_RETRY_BACKOFF", "50ms..200ms"),
    ];
    (deployment, variables)
}

#[test]
fn what_is_done_beyond_a_parked_key_is_not_repeated_after_a_kill() {
    with_seeds(|cluster, rng| {
        let records = scale(30_000);
        let (deployment, variables) = parked(cluster, records);
        let mut process = deployment.start(&variables);
        let done = |deployment: &Deployment| {
            deployment
                .ledger()
                .iter()
                .filter(|entry| entry.step == Step::Ok)
                .map(|entry| entry.offset)
                .collect::<HashSet<_>>()
                .len()
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
        let committed: i64 = cluster
            .committed(&deployment.group, &deployment.topic, 1)
            .iter()
            .map(|sample| sample.committed)
            .sum();
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

#[test]
fn a_record_that_fails_all_the_while_holds_back_its_key_only() {
    with_a_seed(|cluster, rng| {
        let seconds = scale(12);
        let deployment = Deployment::new(cluster, APP, 8);
        let mended = deployment.file("mended");
        let variables = [
            ("APP_FAIL_EVERY", "1000"),
            ("APP_FAIL_UNTIL", mended.to_str().expect("a path that is text")),
            ("NARAD_HANDLER_WORK_RETRY_ATTEMPTS", "1000"),
            ("NARAD_HANDLER_WORK_RETRY_BACKOFF", "100ms..5s"),
        ];
        let mut process = deployment.start(&variables);
        let kill_at = rng.usize(seconds / 3..seconds * 2 / 3);
        let mut records = work(200 * seconds, 1_000);
        let done = || {
            deployment
                .ledger()
                .iter()
                .filter(|entry| entry.step == Step::Ok)
                .map(|entry| (entry.partition, entry.offset))
                .collect::<HashSet<_>>()
                .len()
        };
        for second in 0..seconds {
            let begin = Instant::now();
            cluster.write(&deployment.topic, records.by_ref().take(200));
            if second == kill_at {
                // What others have done is far ahead of the record that fails.
                deployment.sample();
                deployment.kill(&mut process, ALONE);
                process = deployment.start(&variables);
            }
            std::thread::sleep(Duration::from_secs(1).saturating_sub(begin.elapsed()));
        }
        // Five times 200 are one round over the keys, and one of each round has the failing key.
        let others = 200 * seconds - (200 * seconds).div_ceil(1_000);
        wait::until("all other records are done", || done() == others);
        deployment.sample();
        std::fs::write(&mended, "").expect("a file");
        deployment.await_committed(200 * seconds);
        stop(process);
        assert_kept(&deployment);
        assert!(deployment.dead_letters().is_empty());
        let failed = deployment.ledger().iter().filter(|entry| entry.step == Step::Err).count();
        println!(
            "{failed} attempts failed in {seconds} s, {others} records of other keys were handled meanwhile"
        );
    });
}
