//! Starting against a real broker: topics that are missing, and users that it refuses.

use std::time::{Duration, Instant};

use narad::prelude::*;
use narad::{Config, Narad, SaslMechanism};
use narad_tests::cluster::{Cluster, Stored, fresh, variable};
use narad_tests::wait;

use super::sending::config;

#[derive(Event)]
#[event(topic = "${STARTING_TOPIC}", key = number)]
struct Number {
    number: u64,
}

#[kafka_handler(topics = ["${STARTING_TOPIC}", "${STARTING_OTHER}"], group = "starting")]
async fn number(_number: Number) -> Option<Returned> {
    None
}

#[derive(Event)]
#[event(topic = "${STARTING_OTHER}-returned", key = number)]
struct Returned {
    number: u64,
}

#[kafka_handler(pattern = "^${STARTING_TOPIC}$", group = "starting-pattern")]
async fn of_a_pattern(_number: Number) {}

/// An application of these handlers alone.
async fn application(mut config: Config, topic: &str, other: &str) -> Narad {
    config.variables.set("STARTING_TOPIC", topic);
    config.variables.set("STARTING_OTHER", other);
    Narad::builder()
        .config(config)
        .groups(["starting", "starting-pattern"])
        .build()
        .await
        .expect("an application")
}

/// The size limit that this cluster gives to a topic that asks for none, and to a dead letter of such a
/// topic.
const LIMITS: (&str, &str) = ("1048588", "1114124");

#[tokio::test(flavor = "multi_thread")]
async fn all_topics_that_are_missing_are_one_line_with_the_commands_that_make_them() {
    let Some(cluster) = Cluster::of_env() else { return };
    let (topic, other) = (fresh("starting"), fresh("starting-other"));
    let made = topic.clone();
    let at = cluster.clone();
    tokio::task::spawn_blocking(move || at.create_topic(&made, 1, &[("max.message.bytes", LIMITS.0)]))
        .await
        .expect("a topic");
    let narad = application(config(&cluster), &topic, &other).await;
    let said = narad.run_until(std::future::pending()).await.expect_err("topics are missing").to_string();
    println!("{said}");
    assert!(!said.contains('\n') && said.starts_with("5 topics are missing: "), "{said}");
    let command = |name: &str| {
        format!(
            "kafka-topics.sh --bootstrap-server {} --create --topic {name} --partitions 3",
            cluster.brokers
        )
    };
    assert!(said.contains(&command(&other)), "{said}");
    assert!(said.contains(&command(&format!("{other}-returned"))), "{said}");
    assert!(!said.contains(&format!("{} &&", command(&topic))), "it is there: {said}");
    for group in ["starting", "starting-pattern"] {
        let dead_letter =
            format!("{} --config max.message.bytes={}", command(&format!("{topic}.{group}.dlq")), LIMITS.1);
        assert!(said.contains(&dead_letter), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_topics_are_made_where_that_is_allowed() {
    let Some(cluster) = Cluster::of_env() else { return };
    let (topic, other) = (fresh("starting"), fresh("starting-other"));
    let allowed = Config { create_topics: Some(true), ..config(&cluster) };
    // The topic is there before the pattern is matched; its dead letter is made at the start, too.
    let made = (topic.clone(), cluster.clone());
    tokio::task::spawn_blocking(move || made.1.create_topic(&made.0, 1, &[])).await.expect("a topic");
    let names = [
        other.clone(),
        format!("{other}-returned"),
        format!("{topic}.starting.dlq"),
        format!("{other}.starting.dlq"),
        format!("{topic}.starting-pattern.dlq"),
    ];
    let are_there = move || names.iter().all(|name| cluster.partitions(name) > 0);
    let all_made = async {
        tokio::task::spawn_blocking(|| wait::until("all topics are made", are_there))
            .await
            .expect("they are made")
    };
    application(allowed, &topic, &other).await.run_until(all_made).await.expect("a clean end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_a_pattern_meets_later_gets_a_dead_letter_with_room_for_its_records() {
    let Some(cluster) = Cluster::of_env() else { return };
    let topic = fresh("starting");
    let mut config = Config { create_topics: Some(true), ..config(&cluster) };
    config.variables.set("STARTING_TOPIC", &topic);
    config.variables.set("STARTING_OTHER", fresh("starting-other"));
    let narad =
        Narad::builder().config(config).groups(["starting-pattern"]).build().await.expect("an application");
    let running = narad.clone();
    let run = tokio::spawn(async move { running.run().await });
    narad.connect().await.expect("a broker");
    let work = move || {
        cluster.create_topic(&topic, 1, &[("max.message.bytes", "2000000")]);
        let dead_letter = format!("{topic}.starting-pattern.dlq");
        wait::until("its dead letter is made", || cluster.partitions(&dead_letter) > 0);
        // The largest record of the source, and Narad's headers.
        let large = Stored {
            partition: 0,
            offset: 0,
            key: None,
            value: Some(vec![b'x'; 2_040_000]),
            headers: Vec::new(),
        };
        cluster.write(&dead_letter, [large]);
    };
    tokio::task::spawn_blocking(work).await.expect("it takes the record");
    narad.disconnect().await.expect("a clean end");
    run.await.expect("no panic").expect("a clean drain");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_not_waited_for() {
    if Cluster::of_env().is_none() {
        return;
    }
    for mechanism in [SaslMechanism::Plain, SaslMechanism::ScramSha512] {
        let config = Config {
            brokers: vec![variable("NARAD_TEST_SASL_PLAINTEXT_BROKERS")],
            sasl_mechanism: mechanism,
            sasl_username: Some(variable("NARAD_TEST_SASL_USERNAME").into()),
            sasl_password: Some("wrong".into()),
            connection_timeout: Duration::from_secs(600),
            ..Config::default()
        };
        let narad = Narad::builder().config(config).build().await.expect("an application");
        let began = Instant::now();
        let said = tokio::time::timeout(Duration::from_secs(60), narad.connect())
            .await
            .expect("at once")
            .expect_err("refused")
            .to_string();
        println!("{said} ({:?})", began.elapsed());
        assert!(said.contains("authentication failed") && said.contains("KAFKA_SASL_PASSWORD"), "{said}");
        // A send has nothing to wait for either.
        let sent =
            tokio::time::timeout(Duration::from_secs(60), narad.send("nowhere", 1)).await.expect("at once");
        assert!(matches!(sent, Err(narad::Error::NotConnected)), "{sent:?}");
    }
}
