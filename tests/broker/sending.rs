//! Sending to a real broker: compression, order, missing topics, Kafka's own tools.

use std::process::Command;

use narad::prelude::*;
use narad::{Config, Error, Narad};
use narad_tests::cluster::{Cluster, fresh};

/// An application that may create topics.
pub(super) async fn application(cluster: &Cluster) -> Narad {
    let mut config = config(cluster);
    config.create_topics = Some(true);
    Narad::builder().config(config).build().await.expect("an application")
}

pub(super) fn config(cluster: &Cluster) -> Config {
    Config { brokers: cluster.brokers.split(',').map(str::to_owned).collect(), ..Config::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_compression_is_written_and_one_call_keeps_the_order_of_a_key() {
    let Some(cluster) = Cluster::of_env() else { return };
    for compression in ["gzip", "snappy", "lz4", "zstd"] {
        let topic = fresh(compression);
        let mut config = config(&cluster);
        config.create_topics = Some(true);
        config.librdkafka.set("compression.type", compression).expect("a property of librdkafka's");
        let narad = Narad::builder().config(config).build().await.expect("an application");
        let values: Vec<u32> = (0..1_000).collect();
        let sent = narad.send_all(&topic, &values).await.expect("acknowledgements");
        assert_eq!(sent.len(), 1_000);
        narad.disconnect().await.expect("a clean end");
        let (at, read) = (cluster.clone(), topic.clone());
        let stored = tokio::task::spawn_blocking(move || at.records(&read)).await.expect("no panic");
        for (value, sent) in values.iter().zip(&sent) {
            let place = (sent.partition().expect("a partition"), sent.offset().expect("an offset"));
            let record = stored.iter().find(|record| (record.partition, record.offset) == place);
            let read = record.map(|record| record.value.as_deref());
            assert_eq!(
                read,
                Some(Some(value.to_string().as_bytes())),
                "{topic}: value {value} at {place:?}, {} stored",
                stored.len()
            );
        }
        assert_eq!(stored.len(), 1_000);
    }
}

/// One of them makes the topic, and the leaders of its partitions have only begun when the others see it.
#[tokio::test(flavor = "multi_thread")]
async fn what_applications_send_at_once_to_a_new_topic_is_written() {
    let Some(cluster) = Cluster::of_env() else { return };
    let narads = [application(&cluster).await, application(&cluster).await, application(&cluster).await];
    let values: Vec<u32> = (0..1_000).collect();
    for _ in 0..5 {
        let topic = fresh("new");
        let [first, second, third] = narads.each_ref().map(|narad| narad.send_all(&topic, &values));
        let (first, second, third) = tokio::join!(first, second, third);
        for sent in [first, second, third] {
            assert_eq!(sent.unwrap_or_else(|error| panic!("{topic}: {error}")).len(), 1_000);
        }
        let (at, read) = (cluster.clone(), topic.clone());
        let stored = tokio::task::spawn_blocking(move || at.records(&read)).await.expect("no panic");
        assert_eq!(stored.len(), 3_000, "{topic}");
    }
    for narad in narads {
        narad.disconnect().await.expect("a clean end");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_topic_is_an_error_that_names_it() {
    let Some(cluster) = Cluster::of_env() else { return };
    let topic = fresh("nowhere");
    let mut config = config(&cluster);
    config.create_topics = Some(false);
    config.librdkafka.set("topic.metadata.propagation.max.ms", "500").expect("a property of librdkafka's");
    let narad = Narad::builder().config(config).build().await.expect("an application");
    let error = narad.send(&topic, 1).await.expect_err("no such topic");
    assert!(error.to_string().contains(&topic), "{error}");
    assert!(!matches!(error, Error::NotConnected));
    narad.disconnect().await.expect("a clean end");
}

#[tokio::test(flavor = "multi_thread")]
async fn kafkas_own_console_consumer_reads_what_is_sent() {
    let Some(cluster) = Cluster::of_env() else { return };
    let topic = fresh("console");
    let narad = application(&cluster).await;
    narad.message(&topic, "grüße").key("käse").header("trace", "1").send().await.expect("an acknowledgement");
    narad.disconnect().await.expect("a clean end");
    let read = tokio::task::spawn_blocking(move || {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/kafka/kafka.sh");
        let mut command = Command::new(script);
        command.args([
            "tool",
            "org.apache.kafka.tools.consumer.ConsoleConsumer",
            "--bootstrap-server",
            &cluster.brokers,
            "--topic",
            &topic,
        ]);
        command.args(["--from-beginning", "--max-messages", "1", "--timeout-ms", "60000"]);
        for property in ["print.key=true", "print.headers=true"] {
            command.args(["--formatter-property", property]);
        }
        command.env("LC_ALL", "C.UTF-8").output().expect("bash")
    });
    let output = read.await.expect("no panic");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "trace:1\tkäse\t\"grüße\"\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
