//! Handlers that block their thread or never end.

use std::collections::BTreeSet;
use std::time::Duration;

use narad_tests::cluster::{Cluster, Stored};
use narad_tests::deployment::{Deployment, work, work_of};
use narad_tests::ledger::{Entry, Step};
use narad_tests::process::Process;
use narad_tests::wait;
use rustix::process::Signal;

use super::{APP, assert_kept, once, stop};

#[test]
fn a_handler_that_blocks_for_longer_than_the_session_stays_a_member_and_others_go_on() {
    once(|cluster| {
        let deployment = Deployment::new(cluster, APP, 4);
        cluster.write(&deployment.topic, std::iter::once(work_of("blocks", 0)).chain(work(2_000, 100)));
        let mut process = deployment.start(&[("APP_BLOCK_MS", "8000")]);
        // The other three partitions do not wait for it.
        wait::until("others are done while one blocks", || {
            let ledger = deployment.ledger();
            let blocked = ledger.iter().find(|entry| entry.key == "blocks");
            blocked.is_some_and(|blocked| {
                let others: Vec<_> = ledger
                    .iter()
                    .filter(|entry| entry.step == Step::Ok && entry.partition != blocked.partition)
                    .collect();
                others.len() > 500
                    && !ledger.iter().any(|entry| entry.key == "blocks" && entry.step == Step::Ok)
            })
        });
        deployment.await_committed(2_001);
        process.signal(Signal::TERM);
        process.ends_with(0);
        assert_kept(&deployment);
        assert_eq!(deployment.verdict().repeated, 0, "it was never thrown out:\n{}", process.log());
    });
}

#[test]
fn what_is_stuck_is_named() {
    once(|cluster| {
        let deployment = Deployment::new(cluster, APP, 4);
        cluster.write(&deployment.topic, [work_of("hangs", 0), work_of("blocks", 0)]);
        let mut process = deployment.start(&[
            ("APP_BLOCK_MS", "20000"),
            ("NARAD_KAFKA_MAX_POLL_INTERVAL_MS", "6000"),
            ("NARAD_SHUTDOWN_TIMEOUT", "500"),
        ]);
        wait::until("both are named", || {
            let log = process.log();
            log.contains("work of group")
                && log.contains("holds its thread")
                && log.contains("stuck for more than 6 s")
        });
        wait::until("the one that blocked goes on", || process.log().contains("no longer stuck: a handler"));
        process.signal(Signal::TERM);
        process.ends_with(2);
    });
}

#[test]
fn a_handler_that_never_ends_is_left_to_the_next_process_and_the_exit_status_says_so() {
    once(|cluster| {
        let deployment = Deployment::new(cluster, APP, 2);
        cluster.write(&deployment.topic, std::iter::once(work_of("hangs", 0)).chain(work(200, 10)));
        let mut process = deployment.start(&[("NARAD_SHUTDOWN_TIMEOUT", "1500")]);
        deployment.await_steps(2 * 200 + 1);
        process.signal(Signal::TERM);
        process.ends_with(2);
        assert!(process.log().contains("work at"), "it says which handler did not end:\n{}", process.log());

        let mut next = deployment.start(&[]);
        wait::until("the record is tried again", || {
            deployment
                .ledger()
                .iter()
                .filter(|entry| entry.key == "hangs" && entry.step == Step::Start)
                .count()
                == 2
        });
        // A second signal does not wait.
        next.signal(Signal::TERM);
        wait::until("it drains", || next.log().contains("stopping"));
        next.signal(Signal::TERM);
        next.ends_with(2);
        let verdict = deployment.verdict();
        assert_eq!((verdict.lost.len(), verdict.repeated), (1, 0), "{verdict:?}");
        assert!(verdict.ahead.is_empty() && verdict.order.is_empty(), "{verdict:?}");
    });
}

/// So many records stand behind each of the two that block.
const BEHIND: usize = 300;

/// A record of this key in this partition.
fn record_in(partition: i32, key: &str, seq: usize) -> Stored {
    Stored { partition, ..work_of(&format!("{key}-{partition}"), seq) }
}

/// Two partitions that each begin with a record whose handler holds its thread. A second process takes one of
/// them, with the record that blocks, since nobody can take a thread away. The deployment, both processes,
/// and the partition that moved.
fn blocked(cluster: &Cluster, variables: &[(&str, &str)]) -> (Deployment, Process, Process, i32) {
    let deployment = Deployment::new(cluster, APP, 2);
    let blocking = (0..2).map(|partition| record_in(partition, "blocks", 0));
    let behind = (0..2).flat_map(|partition| (0..BEHIND).map(move |seq| record_in(partition, "behind", seq)));
    cluster.write(&deployment.topic, blocking.chain(behind));
    deployment.observe();
    let release = deployment.file("release");
    let mut variables = variables.to_vec();
    variables.push(("APP_BLOCK_UNTIL", release.to_str().expect("a path that is text")));
    let first = deployment.start(&variables);
    deployment.await_steps(2);
    let second = deployment.start(&[]);
    wait::until("the first lets a partition go", || {
        first.log().contains("holds its thread and cannot be stopped")
    });
    let given =
        |partition: &i32| first.log().contains(&format!("partitions={}/{partition}\n", deployment.topic));
    let moved = (0..2).find(given).expect("one of two partitions was revoked");
    // Its record runs in both from now on.
    let here =
        |entry: &&Entry| entry.pid == second.pid() && entry.partition == moved && entry.step == Step::Ok;
    wait::until("the second has handled all of it", || {
        deployment.ledger().iter().filter(here).count() == BEHIND + 1
    });
    (deployment, first, second, moved)
}

/// Lets the handlers that block go on; their last steps, by partition.
fn release(deployment: &Deployment, process: &Process) -> [Entry; 2] {
    std::fs::write(deployment.file("release"), "").expect("a file");
    let ends = [0, 1].map(|partition| {
        let mut found = None;
        wait::until("a handler that blocked is done", || {
            let ends = |entry: &Entry| {
                (entry.pid, entry.partition, entry.offset, entry.step)
                    == (process.pid(), partition, 0, Step::Ok)
            };
            found = deployment.ledger().into_iter().find(ends);
            found.is_some()
        });
        found.expect("it is done")
    });
    // One of them ran elsewhere as well.
    deployment.outlives(process, ends[0].at.min(ends[1].at));
    ends
}

#[test]
fn a_completion_of_an_assignment_that_ended_counts_for_nothing_when_the_partition_is_back() {
    once(|cluster| {
        let (deployment, first, second, moved) = blocked(cluster, &[("NARAD_SHUTDOWN_TIMEOUT", "1000")]);
        wait::until("the second has committed it", || deployment.committed() == BEHIND as i64 + 1);
        let assigned = || first.log().matches(": assigned").count();
        let before = assigned();
        stop(second);
        wait::until("the first has it back", || assigned() > before);
        let ends = release(&deployment, &first);
        assert!(
            !ends[moved as usize].owned && ends[1 - moved as usize].owned,
            "the handler could ask whether it still owned its partition"
        );
        deployment.await_committed(2 * (BEHIND + 1));
        // What the old assignment finished is not committed beside the new one, now or with what comes.
        cluster.write(&deployment.topic, (BEHIND..2 * BEHIND).map(|seq| record_in(moved, "behind", seq)));
        deployment.await_committed(3 * BEHIND + 2);
        let generations: BTreeSet<_> = deployment
            .ledger()
            .iter()
            .filter(|entry| entry.partition == moved)
            .map(|entry| entry.generation)
            .collect();
        assert_eq!(generations.len(), 3, "each of the three assignments has a fencing token of its own");
        stop(first);
        assert_kept(&deployment);
        assert_eq!(deployment.verdict().repeated, 1, "the record that ran in both");
    });
}

#[test]
fn a_handler_that_blocks_through_a_rebalance_for_longer_than_the_poll_interval_stays_a_member() {
    once(|cluster| {
        let (deployment, first, second, moved) =
            blocked(cluster, &[("NARAD_KAFKA_MAX_POLL_INTERVAL_MS", "6000")]);
        // Twice the interval, and the session.
        std::thread::sleep(Duration::from_secs(13));
        assert!(
            !first.log().contains("lost: others have these partitions"),
            "it was never thrown out:\n{}",
            first.log()
        );
        release(&deployment, &first);
        deployment.await_committed(2 * (BEHIND + 1));
        [first, second].into_iter().for_each(stop);
        assert_kept(&deployment);
        let verdict = deployment.verdict();
        assert_eq!(verdict.repeated, 1, "the record of partition {moved} that ran in both: {verdict:?}");
    });
}
