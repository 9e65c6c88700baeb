//! The fault suite: real processes, a real Kafka, and what goes wrong in the night.
//!
//! ```text
//! eval "$(tests/kafka/kafka.sh up 1)"
//! NARAD_TEST_SEEDS=1,2,3 cargo test -p narad-tests --test fault -- --test-threads 1
//! ```
//!
//! A scenario runs once with each seed, which it prints. `NARAD_TEST_SCALE` multiplies how much is done (1); the long run has 10.

mod brokers;
mod failing;
mod hanging;
mod members;
mod memory;
mod network;

use std::str::FromStr;

use narad_tests::cluster::Cluster;
use narad_tests::deployment::{Deployment, work};

const APP: &str = env!("CARGO_BIN_EXE_app");

/// Runs a scenario once with each seed, where there is a broker.
fn with_seeds(scenario: impl Fn(&Cluster, &mut fastrand::Rng)) {
    let Some(cluster) = Cluster::of_env() else { return };
    let seeds = std::env::var("NARAD_TEST_SEEDS").unwrap_or_else(|_| "1".to_owned());
    for seed in seeds.split(',').map(|seed| seed.trim().parse().expect("NARAD_TEST_SEEDS holds numbers")) {
        println!("seed {seed}");
        scenario(&cluster, &mut fastrand::Rng::with_seed(seed));
    }
}

/// How much is done, of what is done once in the short run.
fn scale(once: usize) -> usize {
    once * std::env::var("NARAD_TEST_SCALE").map_or(1, |scale| usize::from_str(&scale).expect("NARAD_TEST_SCALE is a number"))
}

/// An application with so many records of 1,000 keys before it, over 8 partitions.
fn deploy(cluster: &Cluster, records: usize) -> Deployment {
    let deployment = Deployment::new(cluster, APP, 8);
    cluster.write(&deployment.topic, work(records, 1_000));
    deployment
}

/// Nothing lost, nothing committed too early, every key in order, and no repetition that a crash does not excuse.
fn assert_kept(deployment: &Deployment) {
    let verdict = deployment.verdict();
    verdict.assert_sound();
    println!("repeated {}, of which unexcused {}", verdict.repeated, verdict.unexcused.len());
    assert!(
        verdict.unexcused.is_empty(),
        "{} repeated without a crash that excuses it: {:?}",
        verdict.unexcused.len(),
        &verdict.unexcused[..verdict.unexcused.len().min(5)]
    );
}
