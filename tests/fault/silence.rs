//! What must not pass in silence: batches that cannot be read, groups that let nobody in, logs that nobody
//! reads any more.

use narad_tests::cluster::Cluster;
use narad_tests::deployment::{Deployment, work};
use narad_tests::process::Process;
use narad_tests::proxy::{Flip, Proxy};
use narad_tests::wait;

use super::{APP, assert_kept, deploy, once, scale, stop, with_seeds};

fn says(process: &Process, text: &str) {
    wait::until(&format!("process {} says {text:?}", process.pid()), || process.log().contains(text));
}

/// Before a process starts, so that its first answers hold many batches, of which each partition has some.
fn deployed(cluster: &Cluster, records: usize) -> (Deployment, Proxy) {
    let deployment = Deployment::new(cluster, APP, 8);
    work(records, 1_000)
        .collect::<Vec<_>>()
        .chunks(1_000)
        .for_each(|some| cluster.write(&deployment.topic, some.to_vec()));
    (deployment, Proxy::start())
}

#[test]
fn bits_that_flip_on_the_way_reach_no_handler_and_skip_nothing() {
    with_seeds(|cluster, rng| {
        let records = scale(20_000);
        let (deployment, proxy) = deployed(cluster, records);
        // Good batches stand behind the broken one.
        proxy.flip(Flip::Records, rng.u32(3..12));
        let process = deployment.start(&[("KAFKA_BROKERS", proxy.address())]);
        wait::until("the answers were broken", || proxy.to_flip() == 0);
        deployment.await_committed(records);
        says(&process, "a batch cannot be read");
        says(&process, "the partition is read on");
        stop(process);
        assert_kept(&deployment);
        assert_eq!(deployment.verdict().repeated, 0, "what was read before the batch is not read again");
    });
}

#[test]
fn a_batch_that_stays_broken_stands_still_and_is_named_until_it_can_be_read() {
    once(|cluster| {
        let records = 2_000;
        let (deployment, proxy) = deployed(cluster, records);
        proxy.flip(Flip::Records, u32::MAX);
        let process = deployment.start(&[("KAFKA_BROKERS", proxy.address())]);
        says(&process, "a batch cannot be read");
        // It is read again and again, and each time it is broken.
        let flipped = proxy.flipped().len();
        wait::until("it is read again", || proxy.flipped().len() >= flipped + 12);
        let broken = process.log().lines().filter(|line| line.contains("a batch cannot be read")).count();
        assert!((1..=8).contains(&broken), "said once for each partition, and not with each try: {broken}");
        proxy.flip(Flip::Records, 0);
        deployment.await_committed(records);
        says(&process, "the partition is read on");
        stop(process);
        assert_kept(&deployment);
        assert_eq!(deployment.verdict().repeated, 0, "what was read before the batch is not read again");
    });
}

#[test]
fn a_member_that_shares_out_in_another_way_is_refused_and_says_so_until_the_other_is_gone() {
    once(|cluster| {
        let records = 2_000;
        let deployment = deploy(cluster, records);
        let eager = deployment.start(&[("NARAD_KAFKA_PARTITION_ASSIGNMENT_STRATEGY", "range")]);
        deployment.await_committed(records);
        let refused = deployment.start(&[]);
        says(&refused, "a member of the group uses another way to share it out");
        says(&refused, "not a member of its group for");
        stop(eager);
        cluster.write(&deployment.topic, work(records, 1_000));
        deployment.await_committed(2 * records);
        stop(refused);
    });
}

#[test]
fn a_log_that_nobody_reads_any_more_costs_nothing() {
    once(|cluster| {
        let records = scale(20_000);
        let deployment = deploy(cluster, records);
        let mut process =
            deployment.start_piped(&[("APP_WAIT_MS", "5"), ("APP_FAIL_EVERY", "100"), ("RUST_LOG", "info")]);
        deployment.await_steps(1_000);
        process.stop_listening();
        deployment.await_committed(records);
        stop(process);
        assert_kept(&deployment);
    });
}
