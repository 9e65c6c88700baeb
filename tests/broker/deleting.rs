//! Topics that are deleted while they are handled.

use std::sync::Mutex;
use std::time::Duration;

use narad::prelude::*;
use narad::{Config, Narad};
use narad_tests::cluster::{Cluster, Stored, fresh};
use narad_tests::wait;
use tokio::sync::oneshot;

static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[kafka_handler(pattern = "^${DELETING_TOPIC:-deleting}-[a-c]$", group = "${DELETING_GROUP:-deleting}")]
async fn of_a_topic_that_goes(record: Record) {
    tokio::time::sleep(Duration::from_millis(5)).await;
    SEEN.lock().expect("no panic").push(record.topic().to_owned());
}

fn seen(topic: &str) -> usize {
    SEEN.lock().expect("no panic").iter().filter(|seen| *seen == topic).count()
}

fn records(count: usize) -> impl Iterator<Item = Stored> {
    (0..count).map(|number| Stored::to_write(&format!("key-{number}"), "1"))
}

/// Of three topics that a pattern takes one is deleted while its records are handled. The coordinator refuses
/// what is finished of it.
#[test]
fn a_topic_of_a_pattern_that_is_deleted_disturbs_neither_the_others_nor_the_end() {
    let Some(cluster) = Cluster::of_env() else { return };
    let (topic, group) = (fresh("deleting"), fresh("deleting"));
    let of = |name: &str| format!("{topic}-{name}");
    for name in ["a", "b", "c"] {
        cluster.create_topic(&of(name), 2, &[]);
        cluster.write(&of(name), records(2_000));
    }
    let mut config =
        Config { brokers: cluster.brokers.split(',').map(str::to_owned).collect(), ..Config::default() };
    config.variables.set("DELETING_TOPIC", &topic);
    config.variables.set("DELETING_GROUP", &group);
    // Those of the other tests of this program.
    config.variables.set("STARTING_TOPIC", "starting");
    config.variables.set("STARTING_OTHER", "starting-other");
    config.commit_interval = Duration::from_millis(100);
    config.create_topics = Some(true);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let narad =
        runtime.block_on(Narad::builder().config(config).groups([&group]).build()).expect("an application");
    let (stop, stopped) = oneshot::channel::<()>();
    let running = narad.clone();
    let run = runtime.spawn(async move { running.run_until(async { drop(stopped.await) }).await });
    let committed = |name: &str| {
        cluster.committed(&group, &of(name), 2).iter().map(|sample| sample.committed).sum::<i64>()
    };
    wait::until("all are at work", || ["a", "b", "c"].iter().all(|name| seen(&of(name)) > 100));
    cluster.delete_topic(&of("b"));
    for name in ["a", "c"] {
        wait::until("the others are committed", || committed(name) == 2_000);
        cluster.write(&of(name), records(500));
        wait::until("and go on", || committed(name) == 2_500);
    }
    assert!(!run.is_finished(), "it runs on");
    assert_eq!(narad.health().blocked(), 0, "{}", narad.health());
    drop(stop);
    let ended = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), run).await });
    ended.expect("an end").expect("no panic").expect("nothing is owed of a topic that is gone");
}
