//! Members of the group come and go: killed, stopped, frozen.

use std::time::Duration;

use narad_tests::cluster::Cluster;
use narad_tests::deployment::{ALONE, AMONG_OTHERS, Deployment, work};
use narad_tests::process::Process;
use narad_tests::wait;

use super::{APP, assert_kept, deploy, scale, stop, with_seeds};

/// Each attempt takes so long: two processes handle some 6,000 records a second.
const SLOW: [(&str, &str); 1] = [("APP_WAIT_MS", "40")];

/// What each of two processes waits for: the first one's drain takes long.
pub(super) const DRAINS_LONG: [(&str, &str); 2] = [("APP_WAIT_MS", "1500"), ("APP_WAIT_MS", "40")];

/// How a scenario starts its processes, by their place in the deployment.
pub(super) type Start<'a> = &'a dyn Fn(&Deployment, usize) -> Process;

fn slow(deployment: &Deployment, _: usize) -> Process {
    deployment.start(&SLOW)
}

/// Three processes, of which one after the other is killed under load, and another one put in its place.
pub(super) fn kills(cluster: &Cluster, rng: &mut fastrand::Rng, start: Start<'_>) {
    let kills = scale(3);
    let deployment = deploy(cluster, kills * 12_000);
    let mut processes: Vec<_> = (0..3).map(|place| start(&deployment, place)).collect();
    for kill in 1..=kills {
        deployment.await_steps((kill * 2 - 1) * 11_000);
        deployment.sample();
        let place = rng.usize(..processes.len());
        deployment.kill(&mut processes[place], AMONG_OTHERS);
        processes[place] = start(&deployment, place);
    }
    deployment.await_committed(kills * 12_000);
    processes.into_iter().for_each(stop);
    assert_kept(&deployment);
}

/// Members that come and go, gracefully, before the group has settled.
pub(super) fn churn(cluster: &Cluster, rng: &mut fastrand::Rng, start: Start<'_>) {
    let moves = scale(8);
    let records = moves * 4_000;
    let deployment = deploy(cluster, records);
    // By their places, of which some are free.
    let mut processes: Vec<Option<Process>> = vec![Some(start(&deployment, 0)), None, None, None];
    deployment.await_steps(1);
    for _ in 0..moves {
        let taken: Vec<_> = (0..processes.len()).filter(|place| processes[*place].is_some()).collect();
        if taken.len() > 1 && (taken.len() > 3 || rng.bool()) {
            // It may go while it is joining.
            processes[taken[rng.usize(..taken.len())]].take().into_iter().for_each(stop);
        } else if let Some(free) = processes.iter().position(Option::is_none) {
            processes[free] = Some(start(&deployment, free));
        }
        deployment.sample();
        std::thread::sleep(Duration::from_millis(rng.u64(500..2_000)));
    }
    deployment.await_committed(records);
    processes.into_iter().flatten().for_each(stop);
    assert_kept(&deployment);
    assert_eq!(deployment.verdict().repeated, 0, "every end was a graceful one");
}

#[test]
fn killed_under_load_again_and_again() {
    with_seeds(|cluster, rng| kills(cluster, rng, &slow));
}

#[test]
fn a_churn_of_members() {
    with_seeds(|cluster, rng| churn(cluster, rng, &slow));
}

#[test]
fn stopped_one_after_the_other_and_replaced() {
    with_seeds(|cluster, _| {
        let rounds = scale(1);
        let records = rounds * 24_000;
        let deployment = deploy(cluster, records);
        let mut processes: Vec<_> = (0..3).map(|_| deployment.start(&SLOW)).collect();
        for round in 0..rounds * 3 {
            deployment.await_steps(2_000 + round * 12_000);
            deployment.sample();
            processes.push(deployment.start(&SLOW));
            stop(processes.remove(0));
            deployment.sample();
        }
        deployment.await_committed(records);
        processes.into_iter().for_each(stop);
        assert_kept(&deployment);
        assert_eq!(deployment.verdict().repeated, 0, "every end was a graceful one");
    });
}

#[test]
fn frozen_for_longer_than_its_session() {
    with_seeds(|cluster, _| {
        let records = 60_000;
        let deployment = deploy(cluster, records);
        let processes = [deployment.start(&SLOW), deployment.start(&SLOW)];
        deployment.await_steps(8_000);
        deployment.sample();
        deployment.freeze(&processes[0], Duration::from_secs(9));
        deployment.await_committed(records);
        processes.into_iter().for_each(stop);
        assert_kept(&deployment);
    });
}

/// Frozen in the middle of a rebalance, whose end it misses: librdkafka may not tell of the loss then.
pub(super) fn frozen_in_a_rebalance(cluster: &Cluster, rng: &mut fastrand::Rng, start: Start<'_>) {
    let records = 70_000;
    let deployment = deploy(cluster, records);
    deployment.observe();
    let first = start(&deployment, 0);
    deployment.await_steps(500);
    let second = start(&deployment, 1);
    // What is in flight takes so long that the drain is under way when the process freezes.
    wait::until("the first gives partitions back", || first.log().contains("revoked: finishing"));
    std::thread::sleep(Duration::from_millis(rng.u64(0..1_000)));
    deployment.freeze(&first, Duration::from_secs(9));
    deployment.await_more_committed(records);
    std::thread::sleep(ALONE);
    stop(first);
    deployment.await_committed(records);
    stop(second);
    assert_kept(&deployment);
}

#[test]
fn frozen_while_it_gives_partitions_back() {
    with_seeds(|cluster, rng| {
        frozen_in_a_rebalance(cluster, rng, &|deployment, place| {
            deployment.start(&DRAINS_LONG[place..=place])
        })
    });
}

#[test]
fn frozen_until_its_successor_is_done_and_gone() {
    with_seeds(|cluster, _| {
        let records = 20_000;
        let deployment = deploy(cluster, records);
        deployment.observe();
        let frozen = deployment.start(&SLOW);
        deployment.await_steps(8_000);
        deployment.freeze_while(&frozen, || {
            let successor = deployment.start(&SLOW);
            deployment.await_committed(records);
            stop(successor);
        });
        stop(frozen);
        // Whatever the frozen one believed, it did not set back what its successor had committed.
        assert_eq!(deployment.committed(), records as i64);
        assert_kept(&deployment);
    });
}

#[test]
fn partitions_go_with_records_queued() {
    with_seeds(|cluster, rng| {
        let records = 3_000;
        let deployment = Deployment::new(cluster, APP, 8);
        cluster.write(&deployment.topic, work(records, 20));
        deployment.observe();
        // Two of a partition run; hundreds wait behind them and behind their keys.
        let slow = [("APP_WAIT_MS", "20"), ("NARAD_HANDLER_WORK_CONCURRENCY", "2")];
        let mut processes = vec![deployment.start(&slow)];
        for round in 1..=3 {
            deployment.await_steps(round * 1_000 + rng.usize(0..500));
            processes.push(deployment.start(&slow));
            wait::until("it has partitions", || processes[round].log().contains(": assigned"));
            if round == 2 {
                stop(processes.remove(0));
                processes.push(deployment.start(&slow));
            }
        }
        deployment.await_committed(records);
        processes.into_iter().for_each(stop);
        assert_kept(&deployment);
        assert_eq!(deployment.verdict().repeated, 0, "nobody was killed");
    });
}
