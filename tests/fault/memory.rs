//! Memory is bounded, whatever the lag.

use std::time::Duration;

use narad_tests::cluster::{Cluster, Stored};
use narad_tests::deployment::{AMONG_OTHERS, Deployment, work, work_of};
use narad_tests::members::IdleMembers;
use narad_tests::process::Process;
use narad_tests::proxy::Proxy;
use narad_tests::wait;
use rustix::process::Signal;

use super::{APP, assert_kept, scale, stop, with_a_seed, with_seeds};

/// In MiB.
const BOUND: usize = 128;
/// The same where two batches of each of 64 partitions may be in memory as well.
const BOUND_OF_THE_LAST: usize = 200;
/// The same where a compressed batch of each partition is in memory as well.
const BOUND_OF_HEADERS: usize = 160;

#[test]
fn a_backlog_over_many_partitions_and_a_key_that_waits_stay_within_the_bound() {
    with_seeds(|cluster, _| {
        let records = 60_000;
        // Each partition by itself could hold thousands of records.
        let deployment = Deployment::new(cluster, APP, 64);
        cluster.write(&deployment.topic, padded(records));
        let mut process = deployment.start(&[
            // A debug build reads some times as fast as that is handled, so that all of it would soon be
            // held.
            ("APP_WAIT_MS", "200"),
            ("APP_FAIL_EVERY", "1000"),
            ("NARAD_HANDLER_WORK_RETRY_ATTEMPTS", "100000"),
            ("NARAD_HANDLER_WORK_RETRY_BACKOFF", "100ms..500ms"),
        ]);
        // All of the other keys, so that what waits behind the one has come as well.
        deployment.await_steps((records - records / 1_000) * 2);
        let peak = process.peak_memory() >> 20;
        println!("at most {peak} MiB");
        assert!(peak <= BOUND, "{peak} MiB at most, bound {BOUND}");
        process.signal(Signal::TERM);
        process.ends_with(0);
    });
}

#[test]
fn the_last_of_many_members_gets_all_partitions_and_stays_within_the_bound() {
    with_a_seed(|cluster, _| {
        let deployment = Deployment::new(cluster, APP, 64);
        cluster.write(&deployment.topic, padded(90_000));
        // By its share of what sixteen members have, each partition may be fetched ahead as far as it goes.
        let others = IdleMembers::join(cluster, &deployment.group, &deployment.topic, 15);
        wait::until("the others are members", || cluster.members(&deployment.group) == 15);
        let process = deployment.start(&[("APP_WAIT_MS", "1000")]);
        wait::until("it is a member", || cluster.members(&deployment.group) == 16);
        drop(others);
        wait::until("it has all partitions", || process.log().matches(&deployment.topic).count() >= 64);
        deployment.await_steps(1_000);
        ends_within(BOUND_OF_THE_LAST, process);
    });
}

#[test]
fn large_headers_in_front_of_handlers_that_wait_stay_within_the_bound() {
    with_seeds(|cluster, random| {
        let deployment = Deployment::new(cluster, APP, 8);
        let records = (0..scale(8_000)).map(|number| {
            traced(60_000, &format!("user-{}", number % 1_000), number / 1_000, (number % 8) as i32, random)
        });
        cluster.write_compressed("lz4", &deployment.topic, records);
        let process = deployment.start(&[("APP_WAIT_MS", "1000")]);
        // Some seconds of all partitions: what is fetched ahead has come.
        deployment.await_steps(1_000);
        ends_within(BOUND_OF_HEADERS, process);
        // And one that begins where that one ended.
        let (process, before) = (deployment.start(&[("APP_WAIT_MS", "1000")]), deployment.steps());
        deployment.await_steps(before + 1_000);
        ends_within(BOUND_OF_HEADERS, process);
    });
}

#[test]
fn large_headers_behind_a_key_that_waits_stay_within_the_bound() {
    with_seeds(|cluster, random| {
        let deployment = Deployment::new(cluster, APP, 8);
        let others = scale(7_000);
        let mut records: Vec<Stored> =
            (0..4_000).map(|seq| traced(60_000, "parked-0", seq, 0, random)).collect();
        records.extend((0..others).map(|number| {
            traced(
                60_000,
                &format!("user-{}", number % 700 + 1),
                number / 700,
                1 + (number % 7) as i32,
                random,
            )
        }));
        cluster.write_compressed("lz4", &deployment.topic, records);
        let process = deployment.start(&[
            ("APP_FAIL_EVERY", "1000"),
            ("NARAD_HANDLER_WORK_RETRY_ATTEMPTS", "100000"),
            ("NARAD_HANDLER_WORK_RETRY_BACKOFF", "100ms..500ms"),
        ]);
        // By then the partition of the one has been read for as far as it is.
        deployment.await_steps(others * 2);
        ends_within(BOUND_OF_HEADERS, process);
    });
}

#[test]
fn large_headers_before_members_that_come_and_go_are_neither_lost_nor_repeated() {
    with_seeds(|cluster, random| come_and_go(cluster, random, "cooperative-sticky"));
}

#[test]
fn large_headers_before_members_of_the_eager_protocol_are_neither_lost_nor_repeated() {
    with_a_seed(|cluster, random| come_and_go(cluster, random, "range"));
}

/// Members join, are stopped and killed, and their connections break, while partitions are paused and read
/// on.
fn come_and_go(cluster: &Cluster, random: &mut fastrand::Rng, strategy: &str) {
    let (deployment, proxy) = (Deployment::new(cluster, APP, 8), Proxy::start());
    let records = scale(12_000);
    let traced = (0..records).map(|number| {
        traced(6_000, &format!("user-{}", number % 400), number / 400, (number % 8) as i32, random)
    });
    cluster.write_compressed("lz4", &deployment.topic, traced);
    let start = || {
        deployment.start(&[
            ("KAFKA_BROKERS", proxy.address()),
            ("APP_WAIT_MS", "20"),
            ("NARAD_KAFKA_PARTITION_ASSIGNMENT_STRATEGY", strategy),
            ("NARAD_KAFKA_QUEUED_MAX_MESSAGES_KBYTES", "512"),
            ("NARAD_KAFKA_RECONNECT_BACKOFF_MAX_MS", "500"),
        ])
    };
    let mut processes = vec![start(), start()];
    let log = processes[0].log_file().to_owned();
    for round in 1..=4 {
        deployment.await_steps(round * records / 4);
        deployment.sample();
        match round {
            1 => deployment.kill(&mut processes.remove(1), AMONG_OTHERS),
            2 | 3 => stop(processes.remove(0)),
            _ => {}
        }
        proxy.cut();
        processes.push(start());
    }
    deployment.await_committed(records);
    processes.into_iter().for_each(stop);
    deployment.excuse_losses();
    assert_kept(&deployment);
    let log = std::fs::read_to_string(log).expect("a log");
    assert!(log.contains("records that are large beside their values"), "partitions were paused");
}

/// Records of some KiB each.
fn padded(records: usize) -> impl Iterator<Item = Stored> {
    let padding = "x".repeat(3_500);
    work(records, 1_000).map(move |mut record| {
        let mut value: serde_json::Value =
            serde_json::from_slice(&record.value.unwrap_or_default()).expect("JSON");
        value["padding"] = padding.as_str().into();
        record.value = Some(value.to_string().into_bytes());
        record
    })
}

/// A small record with a trace, which is as compressible as such are.
fn traced(bytes: usize, key: &str, seq: usize, partition: i32, random: &mut fastrand::Rng) -> Stored {
    let mut trace = String::with_capacity(bytes + 100);
    while trace.len() < bytes {
        let (class, method, line) = (random.u32(..), random.u16(..), random.u16(..));
        trace +=
            &format!("    at com.example.orders.Handler{class:08x}.method{method}(Handler.java:{line})\n");
    }
    Stored { partition, headers: vec![("trace".to_owned(), Some(trace.into_bytes()))], ..work_of(key, seq) }
}

fn ends_within(bound: usize, mut process: Process) {
    // Until it has all that it takes.
    let mut peak = process.peak_memory() >> 20;
    wait::until("memory grows no more", || {
        std::thread::sleep(Duration::from_secs(2));
        let before = std::mem::replace(&mut peak, process.peak_memory() >> 20);
        before == peak
    });
    println!("at most {peak} MiB");
    assert!(peak <= bound, "{peak} MiB at most, bound {bound}");
    process.signal(Signal::TERM);
    process.ends_with(0);
}
