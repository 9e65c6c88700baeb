//! Memory is bounded, whatever the lag.

use std::time::Duration;

use narad_tests::cluster::Stored;
use narad_tests::deployment::{Deployment, work, work_of};
use narad_tests::process::Process;
use narad_tests::wait;
use rustix::process::Signal;

use super::{APP, scale, with_seeds};

/// In MiB.
const BOUND: usize = 128;
/// The same where a compressed batch of each partition is in memory as well.
const BOUND_OF_HEADERS: usize = 160;
/// As docs/operations.md has it for records with large headers, of which librdkafka counts nothing: 1,024 for
/// eight partitions.
const FEW_FETCHED_AHEAD: (&str, &str) = ("NARAD_KAFKA_QUEUED_MIN_MESSAGES", "128");

#[test]
fn a_backlog_over_many_partitions_and_a_key_that_waits_stay_within_the_bound() {
    with_seeds(|cluster, _| {
        let records = 60_000;
        // Each partition by itself could hold thousands of records.
        let deployment = Deployment::new(cluster, APP, 64);
        let padding = "x".repeat(3_500);
        cluster.write(
            &deployment.topic,
            work(records, 1_000).map(|mut record| {
                let mut value: serde_json::Value =
                    serde_json::from_slice(&record.value.unwrap_or_default()).expect("JSON");
                value["padding"] = padding.as_str().into();
                record.value = Some(value.to_string().into_bytes());
                record
            }),
        );
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
fn large_headers_in_front_of_handlers_that_wait_stay_within_the_bound() {
    with_seeds(|cluster, random| {
        let deployment = Deployment::new(cluster, APP, 8);
        let records = (0..scale(8_000)).map(|number| {
            traced(&format!("user-{}", number % 1_000), number / 1_000, (number % 8) as i32, random)
        });
        cluster.write_compressed("lz4", &deployment.topic, records);
        let process = deployment.start(&[FEW_FETCHED_AHEAD, ("APP_WAIT_MS", "1000")]);
        // Some seconds of all partitions: what is fetched ahead has come.
        deployment.await_steps(1_000);
        ends_within_the_bound(process);
    });
}

#[test]
fn large_headers_behind_a_key_that_waits_stay_within_the_bound() {
    with_seeds(|cluster, random| {
        let deployment = Deployment::new(cluster, APP, 8);
        let others = scale(7_000);
        let mut records: Vec<Stored> = (0..4_000).map(|seq| traced("parked-0", seq, 0, random)).collect();
        records.extend((0..others).map(|number| {
            traced(&format!("user-{}", number % 700 + 1), number / 700, 1 + (number % 7) as i32, random)
        }));
        cluster.write_compressed("lz4", &deployment.topic, records);
        let process = deployment.start(&[
            FEW_FETCHED_AHEAD,
            ("APP_FAIL_EVERY", "1000"),
            ("NARAD_HANDLER_WORK_RETRY_ATTEMPTS", "100000"),
            ("NARAD_HANDLER_WORK_RETRY_BACKOFF", "100ms..500ms"),
        ]);
        // By then the partition of the one has been read for as far as it is.
        deployment.await_steps(others * 2);
        ends_within_the_bound(process);
    });
}

/// A small record with a trace of 60 KB, which is as compressible as such are.
fn traced(key: &str, seq: usize, partition: i32, random: &mut fastrand::Rng) -> Stored {
    let mut trace = String::with_capacity(60_100);
    while trace.len() < 60_000 {
        let (class, method, line) = (random.u32(..), random.u16(..), random.u16(..));
        trace +=
            &format!("    at com.example.orders.Handler{class:08x}.method{method}(Handler.java:{line})\n");
    }
    Stored { partition, headers: vec![("trace".to_owned(), Some(trace.into_bytes()))], ..work_of(key, seq) }
}

fn ends_within_the_bound(mut process: Process) {
    // Until it has all that it takes.
    let mut peak = process.peak_memory() >> 20;
    wait::until("memory grows no more", || {
        std::thread::sleep(Duration::from_secs(2));
        let before = std::mem::replace(&mut peak, process.peak_memory() >> 20);
        before == peak
    });
    println!("at most {peak} MiB");
    assert!(peak <= BOUND_OF_HEADERS, "{peak} MiB at most, bound {BOUND_OF_HEADERS}");
    process.signal(Signal::TERM);
    process.ends_with(0);
}
