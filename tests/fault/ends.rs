//! Stops: what is committed last, and what is not waited for.

use std::time::{Duration, Instant};

use narad_tests::cluster::Cluster;
use narad_tests::deployment::{Deployment, work, work_of};
use narad_tests::ledger::Step;
use narad_tests::proxy::{Api, Blocked, Hold, Proxy};
use narad_tests::wait;
use rustix::process::Signal;

use super::{APP, once};

#[test]
fn what_ends_while_one_handler_is_waited_for_is_committed() {
    once(|cluster| {
        let deployment = Deployment::new(cluster, APP, 2);
        cluster.write(&deployment.topic, std::iter::once(work_of("hangs", 0)).chain(work(40, 40)));
        // Only the end commits.
        let variables = [
            ("APP_WAIT_MS", "1500"),
            ("NARAD_COMMIT_INTERVAL", "600000"),
            ("NARAD_SHUTDOWN_TIMEOUT", "5000"),
        ];
        let mut process = deployment.start(&variables);
        wait::until("the one that hangs has begun, and others", || {
            let ledger = deployment.ledger();
            ledger.len() >= 10 && ledger.iter().any(|entry| entry.key == "hangs")
        });
        process.signal(Signal::TERM);
        process.ends_with(2);
        let done = |deployment: &Deployment| {
            deployment.ledger().iter().filter(|entry| entry.step == Step::Ok).count()
        };
        assert!(done(&deployment) >= 5, "what had begun ended in the drain");

        let mut next = deployment.start(&[("NARAD_SHUTDOWN_TIMEOUT", "500")]);
        wait::until("the other records are done, and the one is tried again", || {
            let ledger = deployment.ledger();
            let tried =
                ledger.iter().filter(|entry| entry.key == "hangs" && entry.step == Step::Start).count();
            tried == 2 && done(&deployment) >= 40
        });
        next.signal(Signal::TERM);
        next.ends_with(2);
        let verdict = deployment.verdict();
        assert_eq!(
            (verdict.lost.len(), verdict.repeated),
            (1, 0),
            "only the one that hangs runs again: {verdict:?}"
        );
        assert!(verdict.ahead.is_empty() && verdict.order.is_empty(), "{verdict:?}");
    });
}

/// Stops a process when the network does this to its last commit; the session is long, as it is by default.
fn ends_in_time(cluster: &Cluster, what: &str, fault: impl FnOnce(&Proxy)) {
    let (deployment, proxy) = (Deployment::new(cluster, APP, 2), Proxy::start());
    cluster.write(&deployment.topic, work(100, 10));
    let variables = [
        ("KAFKA_BROKERS", proxy.address()),
        ("NARAD_KAFKA_SESSION_TIMEOUT_MS", "45000"),
        ("NARAD_SHUTDOWN_TIMEOUT", "2000"),
        ("APP_WAIT_MS", "300"),
    ];
    let mut process = deployment.start(&variables);
    deployment.await_committed(100);
    cluster.write(&deployment.topic, (0..10).map(|key| work_of(&format!("user-{key}"), 10)));
    // In flight now.
    deployment.await_steps(205);
    fault(&proxy);
    process.signal(Signal::TERM);
    let stopping = Instant::now();
    process.ends_with(2);
    let took = stopping.elapsed();
    println!("{what}: gone after {took:?}");
    // What is promised, and what a loaded machine adds.
    assert!(took < Duration::from_secs(2 + 5 + 5), "{what}: the end took {took:?}:\n{}", process.log());
    assert!(
        process.log().contains("the last commit failed"),
        "{what}: it says what is not committed:\n{}",
        process.log()
    );
    let verdict = deployment.verdict();
    assert!(verdict.lost.is_empty() && verdict.ahead.is_empty(), "{verdict:?}");
}

#[test]
fn a_last_commit_that_nobody_answers_is_not_waited_for() {
    once(|cluster| {
        ends_in_time(cluster, "the answer to the commit is lost", |proxy| {
            proxy.hold(Hold::Answer(Api::OffsetCommit))
        });
        ends_in_time(cluster, "nothing passes", |proxy| proxy.block(Blocked::Both));
        ends_in_time(cluster, "no answer passes", |proxy| proxy.block(Blocked::FromBroker));
    });
}
