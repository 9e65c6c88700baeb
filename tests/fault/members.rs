//! Members of the group come and go: killed, stopped, frozen.

use std::time::Duration;

use narad_tests::deployment::AMONG_OTHERS;
use narad_tests::process::Process;
use rustix::process::Signal;

use super::{assert_kept, deploy, scale, with_seeds};

/// Each attempt takes so long: two processes handle some 6,000 records a second.
const SLOW: [(&str, &str); 1] = [("APP_WAIT_MS", "40")];

fn stop(mut process: Process) {
    process.signal(Signal::TERM);
    process.ends_with(0);
}

#[test]
fn killed_under_load_again_and_again() {
    with_seeds(|cluster, rng| {
        let kills = scale(3);
        let deployment = deploy(cluster, kills * 12_000);
        let mut processes: Vec<_> = (0..3).map(|_| deployment.start(&SLOW)).collect();
        for kill in 1..=kills {
            deployment.await_steps((kill * 2 - 1) * 11_000);
            deployment.sample();
            let place = rng.usize(..processes.len());
            deployment.kill(&mut processes[place], AMONG_OTHERS);
            processes[place] = deployment.start(&SLOW);
        }
        deployment.await_committed(kills * 12_000);
        processes.into_iter().for_each(stop);
        assert_kept(&deployment);
    });
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
fn a_churn_of_members() {
    with_seeds(|cluster, rng| {
        let moves = scale(8);
        let records = moves * 4_000;
        let deployment = deploy(cluster, records);
        let mut processes = vec![deployment.start(&SLOW)];
        deployment.await_steps(1);
        for _ in 0..moves {
            if processes.len() > 1 && (processes.len() > 3 || rng.bool()) {
                let place = rng.usize(..processes.len());
                // It may go while it is joining.
                stop(processes.remove(place));
            } else {
                processes.push(deployment.start(&SLOW));
            }
            deployment.sample();
            std::thread::sleep(Duration::from_millis(rng.u64(500..2_000)));
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
