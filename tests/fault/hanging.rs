//! Handlers that block their thread or never end.

use narad_tests::deployment::{Deployment, work, work_of};
use narad_tests::ledger::Step;
use narad_tests::wait;
use rustix::process::Signal;

use super::{APP, assert_kept, with_seeds};

#[test]
fn a_handler_that_blocks_for_longer_than_the_session_stays_a_member_and_others_go_on() {
    with_seeds(|cluster, _| {
        let deployment = Deployment::new(cluster, APP, 4);
        cluster.write(&deployment.topic, std::iter::once(work_of("blocks", 0)).chain(work(2_000, 100)));
        let mut process = deployment.start(&[("APP_BLOCK_MS", "8000")]);
        // The other three partitions do not wait for it.
        wait::until("others are done while one blocks", || {
            let ledger = deployment.ledger();
            let blocked = ledger.iter().find(|entry| entry.key == "blocks");
            blocked.is_some_and(|blocked| {
                let others: Vec<_> = ledger.iter().filter(|entry| entry.step == Step::Ok && entry.partition != blocked.partition).collect();
                others.len() > 500 && !ledger.iter().any(|entry| entry.key == "blocks" && entry.step == Step::Ok)
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
    with_seeds(|cluster, _| {
        let deployment = Deployment::new(cluster, APP, 4);
        cluster.write(&deployment.topic, [work_of("hangs", 0), work_of("blocks", 0)]);
        let mut process =
            deployment.start(&[("APP_BLOCK_MS", "20000"), ("NARAD_KAFKA_MAX_POLL_INTERVAL_MS", "6000"), ("NARAD_SHUTDOWN_TIMEOUT", "500")]);
        wait::until("both are named", || {
            let log = process.log();
            log.contains("work of group") && log.contains("holds its thread") && log.contains("stuck for more than 6 s")
        });
        wait::until("the one that blocked goes on", || process.log().contains("goes on: a handler"));
        process.signal(Signal::TERM);
        process.ends_with(2);
    });
}

#[test]
fn a_handler_that_never_ends_is_left_to_the_next_process_and_the_exit_status_says_so() {
    with_seeds(|cluster, _| {
        let deployment = Deployment::new(cluster, APP, 2);
        cluster.write(&deployment.topic, std::iter::once(work_of("hangs", 0)).chain(work(200, 10)));
        let mut process = deployment.start(&[("NARAD_SHUTDOWN_TIMEOUT", "1500")]);
        deployment.await_steps(2 * 200 + 1);
        process.signal(Signal::TERM);
        process.ends_with(2);
        assert!(process.log().contains("work at"), "it says which handler did not end:\n{}", process.log());

        let mut next = deployment.start(&[]);
        wait::until("the record is tried again", || {
            deployment.ledger().iter().filter(|entry| entry.key == "hangs" && entry.step == Step::Start).count() == 2
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
