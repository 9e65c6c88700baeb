//! The network between the application and the broker: connections that break, answers that never come.

use std::time::{Duration, Instant};

use narad_tests::cluster::Cluster;
use narad_tests::deployment::Deployment;
use narad_tests::process::Process;
use narad_tests::proxy::{Api, Proxy};
use narad_tests::wait;

use super::{assert_kept, deploy, scale, stop, with_seeds};

fn start(deployment: &Deployment, proxy: &Proxy, more: &[(&str, &str)]) -> Process {
    let mut variables = vec![("KAFKA_BROKERS", proxy.address()), ("APP_WAIT_MS", "20"), ("NARAD_KAFKA_RECONNECT_BACKOFF_MAX_MS", "500")];
    variables.extend(more);
    deployment.start(&variables)
}

fn deployed(cluster: &Cluster) -> (Deployment, Proxy, usize) {
    let records = scale(40_000);
    (deploy(cluster, records), Proxy::start(), records)
}

#[test]
fn connections_are_reset_every_second() {
    with_seeds(|cluster, rng| {
        let (deployment, proxy, records) = deployed(cluster);
        let processes =
            [start(&deployment, &proxy, &[("APP_FAIL_EVERY", "100")]), start(&deployment, &proxy, &[("APP_FAIL_EVERY", "100")])];
        let end = Instant::now() + Duration::from_secs(8);
        deployment.await_steps(1);
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(rng.u64(700..1_300)));
            proxy.cut();
            deployment.sample();
        }
        deployment.await_committed(records);
        processes.into_iter().for_each(stop);
        // A reset may fall between a member's join and its answer; the member is a generation behind then, and librdkafka takes its partitions away.
        let lost = deployment.excuse_losses();
        assert_kept(&deployment);
        // What a loss repeats may end in the dead letter again; `assert_kept` bounds that as it does the rest.
        assert!(lost || deployment.verdict().repeated_dead_letters == 0, "the producer is idempotent");
    });
}

#[test]
fn acknowledgements_of_commits_get_lost() {
    with_seeds(|cluster, _| {
        let (deployment, proxy, records) = deployed(cluster);
        let process = start(&deployment, &proxy, &[]);
        for round in 1..=4 {
            deployment.await_steps(records / 4 * round);
            proxy.swallow(Api::OffsetCommit, 2);
            wait::until("two acknowledgements were lost", || proxy.to_swallow() == 0);
            deployment.sample();
        }
        deployment.await_committed(records);
        stop(process);
        assert_kept(&deployment);
    });
}

#[test]
fn acknowledgements_of_dead_letters_get_lost() {
    with_seeds(|cluster, _| {
        let (deployment, proxy, records) = deployed(cluster);
        let process = start(&deployment, &proxy, &[("APP_FAIL_EVERY", "20")]);
        deployment.await_steps(1_000);
        proxy.swallow(Api::Produce, 5);
        wait::until("five acknowledgements were lost", || proxy.to_swallow() == 0);
        deployment.sample();
        deployment.await_committed(records);
        stop(process);
        assert_kept(&deployment);
        assert_eq!(deployment.dead_letters().len(), records / 20);
        assert_eq!(deployment.verdict().repeated_dead_letters, 0, "the producer is idempotent");
    });
}

#[test]
fn a_broker_that_is_slow_to_answer_costs_time_only() {
    with_seeds(|cluster, rng| {
        let (deployment, proxy, records) = deployed(cluster);
        let process = start(&deployment, &proxy, &[]);
        deployment.await_steps(1_000);
        proxy.delay(Duration::from_millis(rng.u64(300..700)));
        deployment.await_steps(records / 2);
        deployment.sample();
        proxy.delay(Duration::ZERO);
        deployment.await_committed(records);
        stop(process);
        assert_kept(&deployment);
        assert_eq!(deployment.verdict().repeated, 0);
    });
}
