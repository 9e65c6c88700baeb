//! Memory is bounded, whatever the lag.

use narad_tests::deployment::{Deployment, work};
use rustix::process::Signal;

use super::{APP, with_seeds};

/// In MiB.
const BOUND: usize = 128;

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
                let mut value: serde_json::Value = serde_json::from_slice(&record.value.unwrap_or_default()).expect("JSON");
                value["padding"] = padding.as_str().into();
                record.value = Some(value.to_string().into_bytes());
                record
            }),
        );
        let mut process = deployment.start(&[
            // A debug build reads some times as fast as that is handled, so that all of it would soon be held.
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
