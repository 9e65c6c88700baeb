//! KafkaJS on the other side: what it writes is handled, what Narad publishes it reads, and both put a key on
//! the same partition.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use narad::prelude::*;
use narad::serde_json::{Value, json};
use narad_tests::cluster::{Cluster, fresh};
use narad_tests::deployment::Deployment;
use narad_tests::ledger::Step;
use rustix::process::Signal;

/// Runs one of the scripts and gives back the lines that it prints.
fn script(name: &str, arguments: &[&str]) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("kafkajs");
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        if !folder.join("node_modules/kafkajs").is_dir() {
            let npm = Command::new("npm")
                .args(["install", "--no-audit", "--no-fund", "--silent"])
                .current_dir(&folder)
                .status();
            assert!(npm.is_ok_and(|status| status.success()), "npm installs kafkajs");
        }
    });
    let mut command = Command::new("node");
    command.arg(folder.join(name)).args(arguments).env("KAFKAJS_NO_PARTITIONER_WARNING", "1");
    let output = command.output().expect("node");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)
        .expect("text")
        .lines()
        .map(|line| narad::serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

/// Lets KafkaJS write records of the application's event, `seq` rising for each key.
pub(super) fn write(topic: &str, records: usize, keys: usize) {
    let (records, keys) = (records.to_string(), keys.to_string());
    script("produce.mjs", &["--topic", topic, "--records", &records, "--keys", &keys, "--quiet", "yes"]);
}

#[test]
fn each_form_that_kafkajs_writes_is_handled_in_every_compression_it_has() {
    let Some(cluster) = Cluster::of_env() else { return };
    let deployment = Deployment::new(&cluster, env!("CARGO_BIN_EXE_app"), 4);
    for (style, compression) in
        [("flat", "None"), ("envelope", "GZIP"), ("untyped", "None"), ("header", "GZIP")]
    {
        script(
            "produce.mjs",
            &[
                "--topic",
                &deployment.topic,
                "--records",
                "50",
                "--keys",
                "7",
                "--style",
                style,
                "--compression",
                compression,
            ],
        );
    }
    let mut process = deployment.start(&[]);
    deployment.await_committed(200);
    process.signal(Signal::TERM);
    process.ends_with(0);
    let ledger = deployment.ledger();
    assert_eq!(ledger.iter().filter(|entry| entry.step == Step::Ok).count(), 200);
    assert!(deployment.dead_letters().is_empty());
}

#[derive(Event, Debug)]
#[event(topic = "kafkajs.reads", type = "USER_LOGIN", version = "2.0", key = user_id)]
#[serde(rename_all = "camelCase")]
struct UserLogin {
    user_id: String,
}

#[derive(Event, Debug)]
#[event(topic = "kafkajs.reads", type = "USER_LOGOUT", format = "flat", key = user_id)]
#[serde(rename_all = "camelCase")]
struct UserLogout {
    user_id: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn kafkajs_reads_what_is_published_with_key_headers_and_envelope() {
    let Some(cluster) = Cluster::of_env() else { return };
    let narad = super::sending::application(&cluster).await;
    let topic = fresh("kafkajs-reads");
    narad
        .event(&UserLogin { user_id: "ключ".into() })
        .topic(&topic)
        .header("x-request", "7")
        .send()
        .await
        .expect("an acknowledgement");
    narad
        .event(&UserLogout { user_id: "ada".into() })
        .topic(&topic)
        .send()
        .await
        .expect("an acknowledgement");
    narad.tombstone(&topic, "gone").await.expect("an acknowledgement");
    narad.disconnect().await.expect("a clean end");

    let lines = tokio::task::spawn_blocking(move || script("consume.mjs", &["--topic", &topic]))
        .await
        .expect("no panic");
    let by_key: BTreeMap<_, _> =
        lines.iter().map(|line| (line["key"].as_str().unwrap_or_default(), line)).collect();
    let login = by_key["ключ"];
    let value: Value = narad::serde_json::from_str(login["value"].as_str().expect("a value")).expect("JSON");
    let names: Vec<_> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(names, ["data", "id", "source", "timestamp", "type", "version"]);
    assert_eq!(
        (&value["type"], &value["version"], &value["source"]),
        (&json!("USER_LOGIN"), &json!("2.0"), &json!("narad"))
    );
    assert_eq!(value["data"], json!({"userId": "ключ"}));
    assert_eq!(login["headers"]["x-request"], "7");
    let flat: Value =
        narad::serde_json::from_str(by_key["ada"]["value"].as_str().expect("a value")).expect("JSON");
    assert_eq!((&flat["type"], &flat["userId"]), (&json!("USER_LOGOUT"), &json!("ada")));
    assert_eq!(by_key["gone"]["value"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_keys_land_where_kafkajs_puts_them() {
    let Some(cluster) = Cluster::of_env() else { return };
    let topic = fresh("partitions");
    let (made, at) = (topic.clone(), cluster.clone());
    let keys = tokio::task::spawn_blocking(move || {
        at.create_topic(&made, 8, &[]);
        script("partitions.mjs", &["--partitions", "8"])
    });
    let keys = keys.await.expect("no panic");
    assert_eq!(keys.len(), 1_000);
    let narad = super::sending::application(&cluster).await;
    let sends: Vec<_> = keys
        .iter()
        .map(|line| narad.message(&topic, 1).key(line["key"].as_str().expect("a key")).send())
        .collect();
    for (line, sent) in keys.iter().zip(sends) {
        let sent = sent.await.expect("an acknowledgement");
        assert_eq!(
            sent.partition(),
            line["partition"].as_i64().map(|partition| partition as i32),
            "key {}",
            line["key"]
        );
    }
    narad.disconnect().await.expect("a clean end");
}
