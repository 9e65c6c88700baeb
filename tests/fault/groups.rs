//! The other ways to be a member: static membership, and the group protocol of KIP-848. What holds with them
//! is in `docs/operations.md`.

use narad_tests::cluster::Cluster;
use narad_tests::deployment::Deployment;
use narad_tests::process::Process;
use narad_tests::wait;

use super::members::{DRAINS_LONG, churn, frozen_in_a_rebalance, kills};
use super::{assert_kept, deploy, once, scale, stop, with_a_seed};

const SLOW: (&str, &str) = ("APP_WAIT_MS", "40");
const NEW: (&str, &str) = ("NARAD_KAFKA_GROUP_PROTOCOL", "consumer");

fn named(deployment: &Deployment, place: usize) -> Process {
    deployment.start(&[SLOW, ("NARAD_KAFKA_GROUP_INSTANCE_ID", &format!("app-{place}"))])
}

fn new(deployment: &Deployment, _: usize) -> Process {
    deployment.start(&[SLOW, NEW])
}

fn named_and_new(deployment: &Deployment, place: usize) -> Process {
    deployment.start(&[SLOW, NEW, ("NARAD_KAFKA_GROUP_INSTANCE_ID", &format!("app-{place}"))])
}

/// Each of three processes is stopped, and another one started in its place.
fn restarted(cluster: &Cluster, start: fn(&Deployment, usize) -> Process) -> Vec<String> {
    let rounds = scale(1);
    let records = rounds * 24_000;
    let deployment = deploy(cluster, records);
    let mut processes: Vec<_> = (0..3).map(|place| start(&deployment, place)).collect();
    let mut logs = Vec::new();
    for round in 0..rounds * 3 {
        deployment.await_steps(4_000 + round * 12_000);
        deployment.sample();
        let place = round % 3;
        let log = processes[place].log_file().to_owned();
        stop(processes.remove(place));
        logs.push(std::fs::read_to_string(log).expect("a log"));
        processes.insert(place, start(&deployment, place));
        deployment.sample();
    }
    deployment.await_committed(records);
    logs.extend(processes.iter().map(Process::log));
    processes.into_iter().for_each(stop);
    assert_kept(&deployment);
    assert_eq!(deployment.verdict().repeated, 0, "every end was a graceful one");
    logs
}

#[test]
fn members_with_names_are_restarted_without_a_rebalance() {
    with_a_seed(|cluster, _| {
        let logs = restarted(cluster, named);
        // While the three come up partitions move; afterwards who stays keeps what it has.
        let given: usize = logs.iter().map(|log| log.matches("revoked: finishing").count()).sum();
        println!("{given} times partitions were given back");
        assert!(given <= 2, "a restart is no rebalance");
    });
}

#[test]
fn members_with_names_are_killed() {
    with_a_seed(|cluster, rng| kills(cluster, rng, &named));
}

#[test]
fn members_with_names_come_and_go() {
    with_a_seed(|cluster, rng| churn(cluster, rng, &named));
}

#[test]
fn a_member_with_a_name_is_frozen_while_it_gives_partitions_back() {
    with_a_seed(|cluster, rng| {
        frozen_in_a_rebalance(cluster, rng, &|deployment, place| {
            deployment
                .start(&[DRAINS_LONG[place], ("NARAD_KAFKA_GROUP_INSTANCE_ID", &format!("app-{place}"))])
        });
    });
}

#[test]
fn with_the_new_protocol_members_are_restarted() {
    with_a_seed(|cluster, _| drop(restarted(cluster, new)));
}

#[test]
fn with_the_new_protocol_members_are_killed() {
    with_a_seed(|cluster, rng| kills(cluster, rng, &new));
}

#[test]
fn with_the_new_protocol_members_come_and_go() {
    with_a_seed(|cluster, rng| churn(cluster, rng, &new));
}

#[test]
fn with_the_new_protocol_members_with_names_are_restarted() {
    with_a_seed(|cluster, _| drop(restarted(cluster, named_and_new)));
}

/// Two processes have one name: one of them ends, and says why in one line.
fn two_of_one_name(cluster: &Cluster, start: fn(&Deployment, usize) -> Process, loser: usize) {
    let deployment = deploy(cluster, 4_000);
    let first = start(&deployment, 0);
    deployment.await_steps(100);
    let mut processes = [first, start(&deployment, 0)];
    wait::until("one of them ends", || !processes[loser].runs());
    processes[loser].ends_with(1);
    let log = processes[loser].log();
    let said: Vec<_> = log.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(said.len(), 1, "{log}");
    assert!(said[0].contains("app-0") && said[0].contains("NARAD_KAFKA_GROUP_INSTANCE_ID"), "{}", said[0]);
    assert!(processes[1 - loser].runs());
    deployment.await_committed(4_000);
    let [first, second] = processes;
    stop(if loser == 0 { second } else { first });
}

#[test]
fn of_two_members_with_one_name_the_older_one_says_so_and_ends() {
    once(|cluster| two_of_one_name(cluster, named, 0));
}

#[test]
fn with_the_new_protocol_the_newer_one_of_two_members_with_one_name_says_so_and_ends() {
    once(|cluster| two_of_one_name(cluster, named_and_new, 1));
}
