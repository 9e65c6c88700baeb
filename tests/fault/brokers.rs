//! Brokers that go and come back, in a cluster of the test's own.

use narad_tests::deployment::ALONE;
use narad_tests::kafka::Kafka;
use narad_tests::ledger::now;
use rustix::process::Signal;

use super::{assert_kept, deploy, scale, with_seeds};

#[test]
fn the_only_broker_is_killed_and_comes_back() {
    with_seeds(|_, _| {
        let kafka = Kafka::start(1);
        let records = scale(30_000);
        let deployment = deploy(&kafka.cluster, records);
        let variables = [("APP_WAIT_MS", "20"), ("APP_FAIL_EVERY", "100")];
        let mut processes = [deployment.start(&variables), deployment.start(&variables)];
        deployment.await_steps(10_000);
        deployment.sample();
        let since = now().saturating_sub(ALONE.as_nanos() as u64);
        kafka.kill(1);
        kafka.restart(1);
        // What is prefetched is handled on while no commit can be made; the sessions end meanwhile.
        deployment.await_more_committed();
        processes.iter().for_each(|process| deployment.cut_off(process, since));
        deployment.await_committed(records);
        for process in &mut processes {
            process.signal(Signal::TERM);
            process.ends_with(0);
        }
        assert_kept(&deployment);
    });
}
