//! Limits of the machine that a process runs into.

use narad_tests::deployment::AMONG_OTHERS;
use narad_tests::ledger::now;
use narad_tests::proxy::Proxy;
use narad_tests::wait;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::{assert_kept, deploy, once, stop};

const RECORDS: usize = 12_000;

/// Its connections break, and it has no file descriptor for new ones until the limit is raised.
#[test]
fn a_process_without_a_file_descriptor_says_so_and_goes_on_once_it_has_one() {
    once(|cluster| {
        let (deployment, proxy) = (deploy(cluster, RECORDS), Proxy::start());
        let process = deployment.start(&[
            ("KAFKA_BROKERS", proxy.address()),
            ("APP_WAIT_MS", "20"),
            ("APP_FAIL_EVERY", "100"),
            ("NARAD_KAFKA_RECONNECT_BACKOFF_MAX_MS", "500"),
        ]);
        deployment.await_steps(2_000);
        let since = now().saturating_sub(AMONG_OTHERS.as_nanos() as u64);
        let pid = Pid::from_raw(process.pid() as i32).expect("a process of ours");
        let limit = |current| Rlimit { current: Some(current), maximum: Some(1_024) };
        // What is open stays open.
        prlimit(Some(pid), Resource::Nofile, limit(3)).expect("a limit");
        proxy.cut();
        wait::until("it says what it lacks", || process.log().contains("no file descriptor is left"));
        deployment.sample();
        prlimit(Some(pid), Resource::Nofile, limit(1_024)).expect("a limit");
        deployment.await_committed(RECORDS);
        deployment.cut_off(&process, since);
        stop(process);
        deployment.excuse_losses();
        assert_kept(&deployment);
    });
}
