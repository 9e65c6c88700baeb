//! How members join: what the coordinator says of it in its log.

use std::path::PathBuf;
use std::time::Duration;

use narad::prelude::*;
use narad::{Config, Narad};
use narad_tests::cluster::{Cluster, fresh, variable};
use narad_tests::wait;

#[kafka_handler(topics = ["${JOINING_TOPIC:-joining}-a", "${JOINING_TOPIC:-joining}-b"], group = "${JOINING_GROUP:-joining}")]
async fn two_topics(_record: Record) {}

#[kafka_handler(pattern = "${JOINING_TOPIC:-joining}-p-.*", group = "${JOINING_GROUP:-joining}")]
async fn by_pattern(_record: Record) {}

/// What the coordinator said of this group.
fn coordinator_says(group: &str, text: &str) -> usize {
    let log = PathBuf::from(variable("NARAD_TEST_KAFKA")).join("node1.log");
    let log = String::from_utf8_lossy(&std::fs::read(log).expect("the broker's log")).into_owned();
    log.lines().filter(|line| line.contains(text) && line.contains(&format!(" {group} "))).count()
}

async fn member(
    brokers: &str,
    topic: &str,
    group: &str,
    number: usize,
) -> (Narad, tokio::task::JoinHandle<narad::Result<()>>) {
    let mut config = Config {
        client_id: format!("joining-{number}"),
        brokers: vec![brokers.to_owned()],
        ..Config::default()
    };
    config.variables.set("JOINING_TOPIC", topic);
    config.variables.set("JOINING_GROUP", group);
    // Those of the other tests of this program.
    config.variables.set("STARTING_TOPIC", "starting");
    config.variables.set("STARTING_OTHER", "starting-other");
    config.create_topics = Some(true);
    config.librdkafka.set("session.timeout.ms", "6000").expect("a property");
    let narad = Narad::builder().config(config).groups([group]).build().await.expect("an application");
    let running = narad.clone();
    (narad, tokio::spawn(async move { running.run().await }))
}

/// A member that asks for a second id before it uses its first one holds up its whole group for a session:
/// librdkafka does so where what it subscribes to changes between its request and the answer.
#[test]
fn a_member_asks_the_coordinator_for_one_id() {
    let Some(cluster) = Cluster::of_env() else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let rounds: usize =
        std::env::var("NARAD_TEST_SCALE").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1) * 4;
    let (mut ids, mut members, mut removed) = (0, 0, 0);
    for round in 0..rounds {
        let (topic, group) = (fresh("joining"), fresh("joining"));
        for name in ["a", "b", "p-0"] {
            cluster.create_topic(&format!("{topic}-{name}"), 2, &[]);
        }
        let mut running = Vec::new();
        for number in 0..4 {
            running.push(runtime.block_on(member(&cluster.brokers, &topic, &group, number)));
            members += 1;
            // A topic that the pattern takes appears at a moment of the join that is another one each time.
            std::thread::sleep(Duration::from_millis((round * 37 + number * 53) as u64 % 300));
            cluster.create_topic(&format!("{topic}-p-{}", number + 1), 2, &[]);
        }
        for (_, run) in &mut running {
            assert!(!run.is_finished(), "{:?}", runtime.block_on(run));
        }
        wait::until("all members are in", || coordinator_says(&group, "Created a new member id") >= 4);
        wait::until("the group is stable", || coordinator_says(&group, "Stabilized group") > 0);
        for (narad, run) in running {
            runtime.block_on(async {
                narad.disconnect().await.expect("a clean end");
                run.await.expect("no panic").expect("a clean drain");
            });
        }
        ids += coordinator_says(&group, "Created a new member id");
        removed += coordinator_says(&group, "expiration");
    }
    println!("{members} members, {ids} ids, {removed} removed by their session");
    assert_eq!((ids, removed), (members, 0));
}
