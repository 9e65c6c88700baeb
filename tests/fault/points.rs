//! Killed at a point: just before or just after the broker takes a commit or a dead letter.

use narad_tests::deployment::ALONE;
use narad_tests::proxy::{Api, Hold, Proxy};
use narad_tests::{deployment::Deployment, wait};

use super::{assert_kept, deploy, stop, with_seeds};

const RECORDS: usize = 8_000;

/// Kills a process when the proxy holds this frame, lets another one finish, and judges.
fn killed_at(point: Hold, judge: impl Fn(&Deployment)) {
    with_seeds(|cluster, rng| {
        let (deployment, proxy) = (deploy(cluster, RECORDS), Proxy::start());
        let failing = ("APP_FAIL_EVERY", "20");
        let mut process =
            deployment.start(&[("KAFKA_BROKERS", proxy.address()), ("APP_WAIT_MS", "10"), failing]);
        deployment.await_steps(rng.usize(500..RECORDS));
        proxy.hold(point);
        wait::until("the frame is held", || proxy.holds());
        deployment.kill(&mut process, ALONE);
        let process = deployment.start(&[failing]);
        deployment.await_committed(RECORDS);
        stop(process);
        assert_kept(&deployment);
        judge(&deployment);
    });
}

/// Every failing record is in the dead letter, some of them twice where a crash excuses it; how many.
fn repeated_dead_letters(deployment: &Deployment) -> usize {
    let (all, repeated) = (deployment.dead_letters().len(), deployment.verdict().repeated_dead_letters);
    println!("{repeated} dead letters are there twice");
    assert_eq!(all - repeated, RECORDS / 20);
    repeated
}

#[test]
fn killed_before_the_broker_has_the_commit() {
    killed_at(Hold::Request(Api::OffsetCommit), |_| {});
}

#[test]
fn killed_when_the_broker_has_the_commit() {
    killed_at(Hold::Answer(Api::OffsetCommit), |_| {});
}

#[test]
fn killed_before_the_broker_has_the_dead_letter() {
    killed_at(Hold::Request(Api::Produce), |deployment| {
        repeated_dead_letters(deployment);
    });
}

#[test]
fn killed_between_the_dead_letter_and_its_commit() {
    killed_at(Hold::Answer(Api::Produce), |deployment| {
        assert!(
            repeated_dead_letters(deployment) > 0,
            "the one whose acknowledgement was held is there twice"
        );
    });
}
