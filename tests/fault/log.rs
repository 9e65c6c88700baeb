//! The log itself: transactions, compaction, partitions that are added, a topic that is made anew, a log that
//! is cut off.

use std::collections::BTreeMap;
use std::time::Duration;

use narad_tests::cluster::{Cluster, Stored, fresh};
use narad_tests::deployment::{Deployment, work_of};
use narad_tests::ledger::Step;
use narad_tests::wait;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::brokers::on_nodes;
use super::{APP, once, stop, with_seeds};

const ANSWER: Duration = Duration::from_secs(30);

/// How often each record was handled, by key and sequence number.
fn handled(deployment: &Deployment) -> BTreeMap<(String, u64), usize> {
    let mut handled = BTreeMap::new();
    for entry in deployment.ledger().into_iter().filter(|entry| entry.step == Step::Ok) {
        *handled.entry((entry.key, entry.seq)).or_default() += 1;
    }
    handled
}

/// One record of each of so many keys.
fn round(kind: &str, seq: usize, keys: usize) -> Vec<Stored> {
    (0..keys).map(|key| work_of(&format!("{kind}-{key}"), seq)).collect()
}

/// What is to be handled, each once.
#[derive(Default)]
struct Expected(BTreeMap<(String, u64), usize>);

impl Expected {
    fn add(&mut self, kind: &str, seq: usize, keys: usize) {
        self.0.extend((0..keys).map(|key| ((format!("{kind}-{key}"), seq as u64), 1)));
    }

    fn await_handled(&self, deployment: &Deployment) {
        wait::until(&format!("{} records are handled", self.0.len()), || {
            handled(deployment).len() >= self.0.len()
        });
    }
}

/// Waits until what is committed is the end of each partition: no lag is shown.
fn await_no_lag(deployment: &Deployment, partitions: i32) {
    let ends = deployment.cluster.ends(&deployment.topic);
    let mut last = Vec::new();
    wait::until(&format!("the ends are committed: {ends:?}"), || {
        last = deployment.cluster.committed(&deployment.group, &deployment.topic, partitions);
        last.len() == ends.len()
            && last.iter().all(|sample| sample.committed == ends[sample.partition as usize])
    });
}

fn transactional(cluster: &Cluster) -> BaseProducer {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &cluster.brokers)
        .set("transactional.id", fresh("transactions"))
        .set("partitioner", "murmur2_random");
    let producer: BaseProducer = config.create().expect("a producer");
    producer.init_transactions(ANSWER).expect("transactions");
    producer
}

fn write_within(producer: &BaseProducer, topic: &str, records: Vec<Stored>) {
    for record in &records {
        let mut outgoing = BaseRecord::<[u8], [u8]>::to(topic);
        outgoing.key = record.key.as_deref();
        outgoing.payload = record.value.as_deref();
        producer.send(outgoing).map_err(|(error, _)| error).expect("room");
    }
    producer.flush(ANSWER).expect("all is acknowledged");
}

#[test]
fn open_committed_and_aborted_transactions() {
    with_seeds(|cluster, rng| {
        let (partitions, keys) = (2, 40);
        let deployment = Deployment::new(cluster, APP, partitions);
        let first = deployment.start(&[]);
        let mut second = None;
        let producer = transactional(cluster);
        let mut expected = Expected::default();
        let mut commits = [true, true, false, false];
        rng.shuffle(&mut commits);
        // The last one leaves nothing but what is no record.
        for (seq, commits) in commits.into_iter().chain([true, false]).enumerate() {
            let stable = cluster.ends(&deployment.topic);
            producer.begin_transaction().expect("a transaction");
            write_within(
                &producer,
                &deployment.topic,
                round(if commits { "kept" } else { "undone" }, seq, keys),
            );
            cluster.write(&deployment.topic, round("plain", seq, keys));
            std::thread::sleep(Duration::from_millis(rng.u64(0..1_000)));
            for sample in cluster.committed(&deployment.group, &deployment.topic, partitions) {
                let stable = stable[sample.partition as usize];
                assert!(sample.committed <= stable, "a transaction is open from {stable} on: {sample:?}");
            }
            if commits {
                producer.commit_transaction(ANSWER).expect("it is committed");
                expected.add("kept", seq, keys);
            } else {
                producer.abort_transaction(ANSWER).expect("it is aborted");
            }
            expected.add("plain", seq, keys);
            expected.await_handled(&deployment);
            await_no_lag(&deployment, partitions);
            // Members come and go while every partition is read up to its end.
            match seq {
                1 => {
                    let process = deployment.start(&[]);
                    wait::until("it has a partition", || process.log().contains(": assigned"));
                    second = Some(process);
                }
                3 => stop(second.take().expect("it was started")),
                _ => {}
            }
        }
        // No lag in a group that begins with nothing but what is no record.
        stop(first);
        let process = deployment.start(&[]);
        await_no_lag(&deployment, partitions);
        stop(process);
        assert_eq!(
            handled(&deployment),
            expected.0,
            "what was committed, each record once, and nothing else"
        );
    });
}

#[test]
fn a_compacted_topic() {
    once(|cluster| {
        let deployment = Deployment::new(cluster, APP, 1);
        let compacted =
            [("cleanup.policy", "compact"), ("segment.ms", "100"), ("min.cleanable.dirty.ratio", "0.01")];
        cluster.delete_topic(&deployment.topic);
        cluster.create_topic(&deployment.topic, 1, &compacted);
        let (rounds, keys) = (8, 50);
        for seq in 0..rounds {
            // Compaction takes out what has a later record of its key, but for what was written last. The end
            // is no record.
            let producer = transactional(cluster);
            producer.begin_transaction().expect("a transaction");
            write_within(&producer, &deployment.topic, round("user", seq, keys));
            producer.commit_transaction(ANSWER).expect("it is committed");
            std::thread::sleep(Duration::from_millis(150));
        }
        wait::until("records are compacted away", || {
            cluster.stable_records(&deployment.topic).len() < (rounds - 2) * keys
        });
        let process = deployment.start(&[]);
        await_no_lag(&deployment, 1);
        stop(process);
        let handled = handled(&deployment);
        assert!(
            (0..keys).all(|key| handled.get(&(format!("user-{key}"), rounds as u64 - 1)) == Some(&1)),
            "the last of each key: {handled:?}"
        );
    });
}

#[test]
fn partitions_are_added() {
    once(|cluster| {
        let deployment = Deployment::new(cluster, APP, 2);
        let process = deployment.start(&[("NARAD_KAFKA_TOPIC_METADATA_REFRESH_INTERVAL_MS", "500")]);
        let mut expected = Expected::default();
        cluster.write(&deployment.topic, round("user", 0, 60));
        expected.add("user", 0, 60);
        expected.await_handled(&deployment);
        await_no_lag(&deployment, 2);
        cluster.add_partitions(&deployment.topic, 5);
        // Written before the group has the new partitions.
        cluster.write(&deployment.topic, round("user", 1, 60));
        expected.add("user", 1, 60);
        expected.await_handled(&deployment);
        await_no_lag(&deployment, 5);
        stop(process);
        assert_eq!(handled(&deployment), expected.0, "each record once");
    });
}

#[test]
fn a_topic_is_made_anew() {
    once(|cluster| {
        let deployment = Deployment::new(cluster, APP, 2);
        let process = deployment.start(&[("NARAD_KAFKA_TOPIC_METADATA_REFRESH_INTERVAL_MS", "500")]);
        let mut expected = Expected::default();
        cluster.write(&deployment.topic, (0..5).flat_map(|seq| round("old", seq, 40)));
        (0..5).for_each(|seq| expected.add("old", seq, 40));
        expected.await_handled(&deployment);
        await_no_lag(&deployment, 2);
        cluster.delete_topic(&deployment.topic);
        cluster.create_topic(&deployment.topic, 2, &[]);
        cluster.write(&deployment.topic, round("new", 0, 40));
        expected.add("new", 0, 40);
        expected.await_handled(&deployment);
        await_no_lag(&deployment, 2);
        cluster.write(&deployment.topic, round("new", 1, 40));
        expected.add("new", 1, 40);
        expected.await_handled(&deployment);
        stop(process);
        let handled = handled(&deployment);
        assert!(
            expected.0.keys().all(|record| handled.contains_key(record)),
            "nothing of either log is lost: {handled:?}"
        );
    });
}

/// A replica that did not have the newest records becomes the leader: one group reads all the while, another
/// one is away meanwhile.
#[test]
fn a_log_that_was_cut_off_goes_on_where_it_parts() {
    on_nodes(3, |kafka, _| {
        let cluster = &kafka.cluster;
        let mut expected = Expected::default();
        let deployments = [Deployment::new(cluster, APP, 1), Deployment::new(cluster, APP, 1)];
        for deployment in &deployments {
            cluster.delete_topic(&deployment.topic);
            cluster.create_topic_on(
                &deployment.topic,
                &[1, 2],
                &[("min.insync.replicas", "1"), ("unclean.leader.election.enable", "true")],
            );
            cluster.write(&deployment.topic, round("both", 0, 100));
        }
        expected.add("both", 0, 100);
        let [reads, is_away] = deployments;
        let (process, leaves) = (reads.start(&[]), is_away.start(&[]));
        for deployment in [&reads, &is_away] {
            expected.await_handled(deployment);
        }
        // Only the first node has these.
        kafka.stop(2);
        expected.add("cut", 0, 50);
        for deployment in [&reads, &is_away] {
            cluster.write(&deployment.topic, round("cut", 0, 50));
            expected.await_handled(deployment);
            await_no_lag(deployment, 1);
        }
        stop(leaves);
        kafka.kill(1);
        kafka.restart(2);
        wait::until("the other replica leads", || {
            cluster.partitions(&reads.topic) + cluster.partitions(&is_away.topic) == 2
        });
        // More than were cut off: by its offsets alone the log does not look any different.
        expected.add("new", 0, 80);
        for deployment in [&reads, &is_away] {
            cluster.write(&deployment.topic, round("new", 0, 80));
        }
        let comes_back = is_away.start(&[]);
        for (deployment, process) in [(reads, process), (is_away, comes_back)] {
            expected.await_handled(&deployment);
            await_no_lag(&deployment, 1);
            let log = process.log();
            stop(process);
            assert_eq!(
                handled(&deployment),
                expected.0,
                "each record once, and no more of the log than what was cut off is read again"
            );
            assert!(log.contains("the log was cut off below what was read"), "it is said");
        }
    });
}
