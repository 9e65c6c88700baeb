//! The network between the application and the broker: connections that break, answers that never come, links
//! that are slow or pass nothing.

use std::time::{Duration, Instant};

use narad_tests::cluster::Cluster;
use narad_tests::deployment::{AMONG_OTHERS, Deployment, work};
use narad_tests::ledger::{Step, now};
use narad_tests::process::Process;
use narad_tests::proxy::{Api, Blocked, Proxy, Speed};
use narad_tests::wait;

use super::{APP, assert_kept, deploy, once, scale, stop, with_a_seed, with_seeds};

fn start(deployment: &Deployment, proxy: &Proxy, more: &[(&str, &str)]) -> Process {
    let mut variables = vec![
        ("KAFKA_BROKERS", proxy.address()),
        ("APP_WAIT_MS", "20"),
        ("NARAD_KAFKA_RECONNECT_BACKOFF_MAX_MS", "500"),
    ];
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
        let processes = [
            start(&deployment, &proxy, &[("APP_FAIL_EVERY", "100")]),
            start(&deployment, &proxy, &[("APP_FAIL_EVERY", "100")]),
        ];
        let end = Instant::now() + Duration::from_secs(8);
        deployment.await_steps(1);
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(rng.u64(700..1_300)));
            proxy.cut();
            deployment.sample();
        }
        deployment.await_committed(records);
        processes.into_iter().for_each(stop);
        // A reset may fall between a member's join and its answer; the member is a generation behind then,
        // and librdkafka takes its partitions away.
        deployment.excuse_losses();
        assert_kept(&deployment);
        // What a loss repeats may end in the dead letter again, once for each round.
        assert_eq!(deployment.verdict().written_twice, Vec::<String>::new(), "the producer is idempotent");
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

/// Frames arrive in slices of a few bytes: nobody may take a part of one for the whole, and a member whose
/// heartbeats crawl stays one.
#[test]
fn a_link_that_is_slow_in_both_directions_costs_time_only() {
    with_a_seed(|cluster, rng| {
        let (deployment, proxy) = (deploy(cluster, 4_000), Proxy::start());
        let process = start(&deployment, &proxy, &[("APP_FAIL_EVERY", "100")]);
        deployment.await_steps(1_000);
        proxy.slow_requests(Some(Speed { bytes_per_second: 50_000, slice: rng.usize(1..=16) }));
        proxy.slow_answers(Some(Speed { bytes_per_second: 200_000, slice: rng.usize(16..=256) }));
        cluster.write(&deployment.topic, work(10_000, 1_000).skip(4_000));
        deployment.await_committed(10_000);
        proxy.slow_requests(None);
        proxy.slow_answers(None);
        stop(process);
        assert_kept(&deployment);
        assert_eq!(deployment.verdict().repeated, 0);
        assert_eq!(deployment.verdict().repeated_dead_letters, 0);
    });
}

/// Its connections stay open and nothing passes: nobody tells either side that the other is gone.
#[test]
fn a_member_whose_network_passes_nothing_is_replaced_and_comes_back() {
    with_seeds(|cluster, rng| {
        let (deployment, proxy) = (deploy(cluster, 12_000), Proxy::start());
        let alone = start(&deployment, &proxy, &[]);
        let other = deployment.start(&[("APP_WAIT_MS", "20")]);
        let assigned = |process: &Process| process.log().matches("rebalance: assigned").count();
        wait::until("both have partitions", || assigned(&alone) > 0 && assigned(&other) > 0);
        deployment.await_steps(3_000);
        // It may be assigned some and still ask where they begin: cut off then, it has nothing to let go.
        wait::until("it handles records", || {
            deployment.ledger().iter().any(|entry| entry.pid == alone.pid())
        });
        let (blocked, since) = (
            rng.choice([Blocked::ToBroker, Blocked::FromBroker, Blocked::Both]).expect("one of three"),
            now() - AMONG_OTHERS.as_nanos() as u64,
        );
        println!("{blocked:?}");
        proxy.block(blocked);
        // Its session ends by its own clock, and no answer to a commit is waited for beyond that.
        wait::until_within(Duration::from_secs(30), "it lets go what it had", || {
            alone.log().contains("lost: others have these partitions")
        });
        // All of it, so also what was in the partitions of the one that is cut off.
        deployment.await_committed(12_000);
        let before = assigned(&alone);
        proxy.block(Blocked::Nothing);
        wait::until("the one that was cut off has partitions again", || assigned(&alone) > before);
        deployment.outlives(&alone, since);
        deployment.sample();
        let steps = deployment.ledger().iter().filter(|entry| entry.pid == alone.pid()).count();
        cluster.write(&deployment.topic, work(16_000, 1_000).skip(12_000));
        deployment.await_committed(16_000);
        let more = deployment.ledger().iter().filter(|entry| entry.pid == alone.pid()).count();
        assert!(more > steps, "it handles records again");
        stop(alone);
        stop(other);
        assert_kept(&deployment);
    });
}

/// A commit is on its way that nobody answers: what is lost is fenced before that is waited for.
#[test]
fn what_is_lost_behind_a_network_that_passes_nothing_is_not_begun() {
    once(|cluster| {
        let (deployment, proxy) = (Deployment::new(cluster, APP, 1), Proxy::start());
        // So slow that there is always more to begin of what the lane has read: librdkafka gives out no more
        // of what is lost.
        let records = 800;
        cluster.write(&deployment.topic, work(records, 1_000));
        let variables = [("APP_WAIT_MS", "1500"), ("NARAD_COMMIT_INTERVAL", "4500")];
        let mut process = start(&deployment, &proxy, &variables);
        wait::until("a commit was taken, and the next one is not far from the end of the session", || {
            deployment.committed() > 0
        });
        proxy.block(Blocked::Both);
        // librdkafka keeps a commit for as long as a session where it has no connection; one that was on its
        // way it would fail with that.
        proxy.cut();
        // The session of six seconds, one in which librdkafka sees its end, and one and a half for a loaded
        // machine.
        let over = now() + Duration::from_millis(8_500).as_nanos() as u64;
        wait::until("it lets go what it had", || {
            process.log().contains("lost: others have these partitions")
        });
        wait::until("a commit of before would have been given up on", || {
            now() > over + Duration::from_secs(5).as_nanos() as u64
        });
        let late =
            deployment.ledger().iter().filter(|entry| entry.step == Step::Start && entry.at > over).count();
        assert_eq!(late, 0, "begun although others have it:\n{}", process.log());
        process.kill();
    });
}
