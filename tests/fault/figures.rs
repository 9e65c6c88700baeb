//! What key order costs, in figures: nothing is asserted of time, only of order.
//!
//! ```text
//! NARAD_TEST_SCALE=10 cargo test --release -p narad-tests --test fault figures -- --nocapture
//! ```

use narad_tests::cluster::Cluster;
use narad_tests::ledger::Step;

use super::{assert_kept, deploy, once, scale, stop};

/// Records of 1,000 keys over 8 partitions, a handler that waits 5 ms, one process: how many a second.
fn rate(cluster: &Cluster, records: usize, variables: &[(&str, &str)]) -> f64 {
    let deployment = deploy(cluster, records);
    let variables: Vec<_> = variables.iter().copied().chain([("APP_WAIT_MS", "5")]).collect();
    let process = deployment.start(&variables);
    deployment.await_committed(records);
    stop(process);
    assert_kept(&deployment);
    assert_eq!(deployment.verdict().repeated, 0);
    let ledger = deployment.ledger();
    let start = ledger.iter().filter(|entry| entry.step == Step::Start).map(|entry| entry.at).min();
    let end = ledger.iter().filter(|entry| entry.step == Step::Ok).map(|entry| entry.at).max();
    records as f64 * 1e9 / (end.expect("an end") - start.expect("a start")) as f64
}

#[test]
fn many_keys_at_once_against_one_record_at_a_time() {
    once(|cluster| {
        let by_key = [("NARAD_HANDLER_WORK_ORDERING", "key"), ("NARAD_HANDLER_WORK_CONCURRENCY", "64")];
        let by_key = rate(cluster, scale(20_000), &by_key);
        let by_partition =
            [("NARAD_HANDLER_WORK_ORDERING", "partition"), ("NARAD_HANDLER_WORK_CONCURRENCY", "1")];
        let by_partition = rate(cluster, scale(2_000), &by_partition);
        println!(
            "5 ms a record, 8 partitions: {by_key:.0} records/s by key, {by_partition:.0} one at a time, \
             {:.1} times",
            by_key / by_partition
        );
    });
}
