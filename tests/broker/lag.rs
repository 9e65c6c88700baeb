//! How far a group is behind, beside what a client that is not Narad's says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use narad::prelude::*;
use narad::{Config, LaneView, Narad};
use narad_tests::cluster::{Cluster, Stored, fresh};
use narad_tests::wait;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tokio::sync::{Semaphore, oneshot};

static SEEN: Mutex<Vec<(String, i64)>> = Mutex::new(Vec::new());

/// What each record waits for.
type Gate = Arc<Semaphore>;

#[kafka_handler(pattern = "^${LAG_TOPIC:-lagging}-", group = "${LAG_GROUP:-lagging}", ordering = "partition")]
async fn waits_to_be_let_through(record: Record, gate: State<Gate>) {
    gate.acquire().await.expect("it stays open").forget();
    SEEN.lock().expect("no panic").push((record.topic().to_owned(), record.offset()));
}

/// What is done with a transaction's records in the end.
#[derive(Clone, Copy)]
enum Ending {
    Commit,
    Abort,
    Leave,
}

/// Writes transactions of so many records each, by one producer; gives it back, since its end would abort
/// what is open.
fn transactions(cluster: &Cluster, topic: &str, transactions: &[(usize, Ending)]) -> BaseProducer {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &cluster.brokers)
        .set("transactional.id", fresh("lagging"))
        .create()
        .expect("a producer");
    let answer = Duration::from_secs(30);
    producer.init_transactions(answer).expect("transactions");
    for (records, ending) in transactions {
        producer.begin_transaction().expect("a transaction");
        for _ in 0..*records {
            producer
                .send(BaseRecord::<(), _>::to(topic).payload("1"))
                .map_err(|(error, _)| error)
                .expect("room");
        }
        producer.flush(answer).expect("acknowledgements");
        match ending {
            Ending::Commit => producer.commit_transaction(answer).expect("a commit"),
            Ending::Abort => producer.abort_transaction(answer).expect("an abort"),
            Ending::Leave => return producer,
        }
    }
    producer
}

/// What Narad tells of the partitions, beside the ends and commits that the cluster tells; `None` while one
/// of them moves.
fn told(
    narad: &Narad,
    cluster: &Cluster,
    group: &str,
    topics: &[String],
) -> Option<BTreeMap<(String, i32), LaneView>> {
    let mut views = BTreeMap::new();
    for view in narad.partitions() {
        views.insert((view.topic.clone(), view.partition), view);
    }
    for topic in topics {
        let ends = cluster.ends(topic);
        if ends.is_empty() {
            return None;
        }
        let committed = cluster.committed(group, topic, ends.len() as i32);
        for (partition, end) in (0..).zip(&ends) {
            let view = views.get(&(topic.clone(), partition))?;
            let sample = committed.iter().find(|sample| sample.partition == partition);
            let committed = sample.map(|sample| sample.committed);
            if (view.end, view.committed) != (Some(*end), committed) {
                return None;
            }
            let begun = committed.or(view.next_commit)?;
            assert_eq!(view.lag, Some((end - begun).max(0) as u64), "{view}");
        }
    }
    Some(views)
}

#[test]
fn lag_is_what_the_cluster_says_also_with_transactions_and_compaction() {
    let Some(cluster) = Cluster::of_env() else { return };
    let (topic, group) = (fresh("lagging"), fresh("lagging"));
    let topics = ["plain", "transactions", "compacted"].map(|name| format!("{topic}-{name}"));
    let [plain, transactional, compacted] = &topics;
    cluster.create_topic(plain, 2, &[]);
    cluster.create_topic(transactional, 1, &[]);
    let quickly =
        [("cleanup.policy", "compact"), ("segment.ms", "100"), ("min.cleanable.dirty.ratio", "0.01")];
    cluster.create_topic(compacted, 1, &quickly);
    cluster.write(plain, (0..20).map(|number| Stored::to_write(&format!("key-{number}"), "1")));
    let open = transactions(
        &cluster,
        transactional,
        &[(3, Ending::Commit), (4, Ending::Abort), (2, Ending::Commit), (5, Ending::Leave)],
    );
    for _ in 0..3 {
        cluster.write(compacted, (0..10).map(|number| Stored::to_write(&format!("key-{}", number % 2), "1")));
        std::thread::sleep(Duration::from_millis(150));
    }
    let mut config =
        Config { brokers: cluster.brokers.split(',').map(str::to_owned).collect(), ..Config::default() };
    config.variables.set("LAG_TOPIC", &topic);
    config.variables.set("LAG_GROUP", &group);
    // Those of the other tests of this program.
    config.variables.set("STARTING_TOPIC", "starting");
    config.variables.set("STARTING_OTHER", "starting-other");
    config.commit_interval = Duration::from_millis(100);
    config.create_topics = Some(true);
    let gate: Gate = Arc::new(Semaphore::new(0));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let narad = Narad::builder().config(config).state(gate.clone()).groups([&group]);
    let narad = runtime.block_on(narad.build()).expect("an application");
    let (stop, stopped) = oneshot::channel::<()>();
    let running = narad.clone();
    let run = runtime.spawn(async move { running.run_until(async { drop(stopped.await) }).await });
    let now = || told(&narad, &cluster, &group, &topics);

    // Held: each partition's first record is with the handler, and nothing moves.
    let mut held = None;
    wait::until("all is told while the handlers are held", || {
        assert!(!run.is_finished(), "it runs on");
        held = now().filter(|views| views.values().all(|view| view.oldest.is_some()));
        held.is_some()
    });
    let held = held.expect("it was told");
    let of = |views: &BTreeMap<(String, i32), LaneView>, topic: &str| views[&(topic.to_owned(), 0)].clone();
    assert_eq!(
        of(&held, transactional).end,
        Some(12),
        "3, 4 and 2 records with three markers; the open one is no end"
    );
    assert_eq!(
        of(&held, plain).lag.zip(held[&(plain.clone(), 1)].lag).map(|(one, other)| one + other),
        Some(20)
    );
    assert!(held.values().all(|view| view.lag_time.is_some_and(|time| time > Duration::ZERO)), "{held:?}");

    // Let through: what is finished is committed, and an open transaction is no lag.
    gate.add_permits(1_000);
    wait::until("nothing is behind", || {
        now().is_some_and(|views| views.values().all(|view| view.lag.is_some_and(|lag| lag <= 1)))
    });
    let through = now();
    drop(open);
    drop(stop);
    let ended = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), run).await });
    ended.expect("an end").expect("no panic").expect("a clean end");
    let seen = SEEN.lock().expect("no panic").clone();
    assert_eq!(seen.iter().filter(|(topic, _)| topic == transactional).count(), 5, "{through:?}");
}
