//! Brokers that go and come back, in a cluster of the test's own.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use narad_tests::cluster::Cluster;
use narad_tests::deployment::ALONE;
use narad_tests::kafka::Kafka;
use narad_tests::ledger::now;

use super::{assert_kept, deploy, scale, stop, with_a_seed};

const VARIABLES: [(&str, &str); 2] = [("APP_WAIT_MS", "20"), ("APP_FAIL_EVERY", "100")];

/// Runs a scenario on a cluster of so many nodes.
pub(super) fn on_nodes(nodes: u32, scenario: impl Fn(&Kafka, &mut fastrand::Rng)) {
    on(|| Kafka::start(nodes), scenario);
}

/// Runs a scenario on a node with more lines for its properties.
pub(super) fn on_a_node_with(properties: &str, scenario: impl Fn(&Kafka, &mut fastrand::Rng)) {
    on(|| Kafka::start_with(1, properties), scenario);
}

fn on(start: impl Fn() -> Kafka, scenario: impl Fn(&Kafka, &mut fastrand::Rng)) {
    /// One cluster at a time: a small machine has no room for two.
    static ROOM: Mutex<()> = Mutex::new(());
    if Cluster::of_env().is_some() {
        let _room = ROOM.lock().unwrap_or_else(PoisonError::into_inner);
        let kafka = start();
        with_a_seed(|_, rng| scenario(&kafka, rng));
    }
}

#[test]
fn the_only_broker_is_killed_and_comes_back() {
    on_nodes(1, |kafka, _| {
        let records = scale(30_000);
        let deployment = deploy(&kafka.cluster, records);
        let processes = [deployment.start(&VARIABLES), deployment.start(&VARIABLES)];
        deployment.await_steps(10_000);
        deployment.sample();
        let since = now().saturating_sub(ALONE.as_nanos() as u64);
        kafka.kill(1);
        kafka.restart(1);
        // What is prefetched is handled on while no commit can be made; the sessions end meanwhile.
        deployment.await_more_committed(records);
        processes.iter().for_each(|process| deployment.cut_off(process, since));
        deployment.await_committed(records);
        processes.into_iter().for_each(stop);
        assert_kept(&deployment);
    });
}

#[test]
fn brokers_are_restarted_one_after_the_other() {
    on_nodes(3, |kafka, _| {
        let records = scale(60_000);
        let deployment = deploy(&kafka.cluster, records);
        let processes = [deployment.start(&VARIABLES), deployment.start(&VARIABLES)];
        for node in 1..=3 {
            deployment.await_steps(records / 3 * node as usize);
            deployment.sample();
            kafka.stop(node);
            kafka.restart(node);
            kafka.cluster.await_in_sync(&[
                &deployment.topic,
                &deployment.dead_letter(),
                "__consumer_offsets",
            ]);
        }
        deployment.await_committed(records);
        processes.into_iter().for_each(stop);
        assert_kept(&deployment);
        assert_eq!(
            (deployment.verdict().repeated, deployment.verdict().repeated_dead_letters),
            (0, 0),
            "leaders and coordinators only moved"
        );
    });
}

#[test]
fn leaders_and_coordinators_are_killed() {
    on_nodes(3, |kafka, rng| {
        let records = scale(60_000);
        let deployment = deploy(&kafka.cluster, records);
        let processes = [deployment.start(&VARIABLES), deployment.start(&VARIABLES)];
        // Each leads some of the partitions, and one of them coordinates the group.
        let mut nodes = [1, 2, 3];
        rng.shuffle(&mut nodes);
        for (round, node) in nodes.into_iter().enumerate() {
            deployment.await_steps(records / 3 * (round + 1));
            deployment.sample();
            kafka.kill(node);
            deployment.await_more_committed(records);
            kafka.restart(node);
            kafka.cluster.await_in_sync(&[
                &deployment.topic,
                &deployment.dead_letter(),
                "__consumer_offsets",
            ]);
        }
        deployment.await_committed(records);
        processes.into_iter().for_each(stop);
        // Until there is a new coordinator, the members' sessions may end.
        deployment.excuse_losses();
        assert_kept(&deployment);
        assert_eq!(
            deployment.dead_letters().len() - deployment.verdict().repeated_dead_letters,
            records / 100
        );
    });
}

/// It is a follower of the dead letters, whose writes wait for it until it is taken out of those in sync; it
/// may lead or coordinate others.
#[test]
fn a_follower_that_is_frozen_holds_up_acknowledgements_and_loses_and_repeats_none() {
    on_nodes(3, |kafka, _| {
        let records = scale(30_000);
        let deployment = deploy(&kafka.cluster, records);
        kafka.cluster.create_topic_on(&deployment.dead_letter(), &[1, 2, 3], &[]);
        let processes = [deployment.start(&VARIABLES), deployment.start(&VARIABLES)];
        deployment.await_steps(10_000);
        deployment.sample();
        kafka.freeze(3);
        std::thread::sleep(Duration::from_secs(10));
        kafka.thaw(3);
        deployment.await_committed(records);
        processes.into_iter().for_each(stop);
        // Where it coordinates the group, the members' sessions may end.
        deployment.excuse_losses();
        assert_kept(&deployment);
        assert_eq!(deployment.verdict().written_twice, Vec::<String>::new(), "the producer is idempotent");
        assert_eq!(
            deployment.dead_letters().len() - deployment.verdict().repeated_dead_letters,
            records / 100
        );
    });
}
