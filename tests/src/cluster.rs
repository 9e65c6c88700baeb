//! The real broker, seen by a client that is not Narad's: it says what really is in a topic and what really
//! is committed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::ledger::now;
use crate::verifier::Sample;

/// How long the broker has to answer.
const ANSWER: Duration = Duration::from_secs(30);

/// The broker that `NARAD_TEST_BROKERS` names.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its addresses, plaintext.
    pub brokers: String,
}

/// One record as it stands in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value; `None` for a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its headers, in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Stored {
    /// One to write: without headers, and to the partition that its key takes.
    pub fn to_write(key: &str, value: impl Into<Vec<u8>>) -> Self {
        Self {
            partition: -1,
            offset: 0,
            key: Some(key.into()),
            value: Some(value.into()),
            headers: Vec::new(),
        }
    }

    /// The text of a header, empty where there is none.
    pub fn header(&self, name: &str) -> String {
        let value =
            self.headers.iter().rfind(|(header, _)| header == name).and_then(|(_, value)| value.as_deref());
        String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
    }
}

/// The value of a variable that `tests/kafka/kafka.sh` exports.
///
/// # Panics
/// When it is not set.
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: tests/kafka/kafka.sh exports it"))
}

/// A name that no other test and no earlier run used.
pub fn fresh(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Two processes may ask within one microsecond.
    format!("{name}-{:x}-{}-{}", since_epoch.as_micros(), std::process::id(), COUNT.fetch_add(1, Relaxed))
}

impl Cluster {
    /// The cluster of the environment; `None`, and a line that says so, where there is none.
    pub fn of_env() -> Option<Self> {
        match std::env::var("NARAD_TEST_BROKERS") {
            Ok(brokers) if !brokers.is_empty() => Some(Self { brokers }),
            _ => {
                eprintln!("skipped: NARAD_TEST_BROKERS names no broker (see CONTRIBUTING.md)");
                None
            }
        }
    }

    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    /// Gives a topic more partitions: so many in all.
    ///
    /// # Panics
    /// When the broker refuses.
    pub fn grow(&self, topic: &str, partitions: usize) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().expect("an admin client");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (options, wanted) =
            (AdminOptions::new().request_timeout(Some(ANSWER)), [NewPartitions::new(topic, partitions)]);
        let grown = runtime.block_on(admin.create_partitions(&wanted, &options)).expect("an answer");
        grown.into_iter().for_each(|grown| drop(grown.expect("more partitions")));
    }

    /// Creates a topic, and waits until all its partitions have leaders.
    ///
    /// # Panics
    /// When the broker refuses.
    pub fn create_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        self.create(NewTopic::new(name, partitions, TopicReplication::Fixed(-1)), settings);
        crate::wait::until("the topic's partitions have leaders", || {
            self.partitions(name) == partitions as usize
        });
    }

    /// Creates a topic of one partition on these nodes, the first its leader, and waits until it has one.
    ///
    /// # Panics
    /// When the broker refuses.
    pub fn create_topic_on(&self, name: &str, nodes: &[i32], settings: &[(&str, &str)]) {
        self.create(NewTopic::new(name, 1, TopicReplication::Variable(&[nodes])), settings);
        crate::wait::until("the topic's partition has a leader", || self.partitions(name) == 1);
    }

    fn create<'a>(&self, mut topic: NewTopic<'a>, settings: &[(&'a str, &'a str)]) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().expect("an admin client");
        let name = topic.name;
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let created = runtime
            .block_on(admin.create_topics([&topic], &AdminOptions::new().request_timeout(Some(ANSWER))))
            .expect("an answer");
        created
            .into_iter()
            .for_each(|result| drop(result.unwrap_or_else(|error| panic!("topic {name}: {error:?}"))));
    }

    /// Sets one setting of a topic, and resets its others.
    ///
    /// # Panics
    /// When the broker refuses.
    pub fn configure_topic(&self, name: &str, key: &str, value: &str) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().expect("an admin client");
        let setting = AlterConfig::new(ResourceSpecifier::Topic(name)).set(key, value);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let altered = runtime
            .block_on(admin.alter_configs([&setting], &AdminOptions::new().request_timeout(Some(ANSWER))))
            .expect("an answer");
        altered
            .into_iter()
            .for_each(|result| drop(result.unwrap_or_else(|error| panic!("topic {name}: {error:?}"))));
    }

    /// Adds partitions to a topic, so that it has so many, and waits until they have leaders.
    ///
    /// # Panics
    /// When the broker refuses.
    pub fn add_partitions(&self, name: &str, partitions: usize) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().expect("an admin client");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let options = AdminOptions::new().request_timeout(Some(ANSWER));
        let added = runtime
            .block_on(admin.create_partitions([&NewPartitions::new(name, partitions)], &options))
            .expect("an answer");
        added
            .into_iter()
            .for_each(|result| drop(result.unwrap_or_else(|error| panic!("topic {name}: {error:?}"))));
        crate::wait::until("the topic's partitions have leaders", || self.partitions(name) == partitions);
    }

    /// Deletes a topic, and waits until no broker knows it any more.
    ///
    /// # Panics
    /// When the broker refuses.
    pub fn delete_topic(&self, name: &str) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().expect("an admin client");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let deleted = runtime
            .block_on(admin.delete_topics(&[name], &AdminOptions::new().request_timeout(Some(ANSWER))))
            .expect("an answer");
        deleted
            .into_iter()
            .for_each(|result| drop(result.unwrap_or_else(|error| panic!("topic {name}: {error:?}"))));
        crate::wait::until("the topic is gone", || self.partitions(name) == 0);
    }

    /// The end of each partition of a topic: one past what stands last in it, be it a record or not.
    ///
    /// # Panics
    /// When a leader does not answer.
    pub fn ends(&self, topic: &str) -> Vec<i64> {
        let consumer = self.consumer();
        let partitions = self.partitions(topic) as i32;
        (0..partitions)
            .map(|partition| consumer.fetch_watermarks(topic, partition, ANSWER).expect("watermarks").1)
            .collect()
    }

    /// How many partitions a topic has that can be read.
    pub fn partitions(&self, topic: &str) -> usize {
        let consumer = self.consumer();
        let metadata = consumer.fetch_metadata(Some(topic), ANSWER).expect("metadata");
        metadata
            .topics()
            .iter()
            .flat_map(|topic| topic.partitions())
            .filter(|partition| partition.leader() >= 0)
            .count()
    }

    /// Waits until all replicas of these topics are in sync.
    ///
    /// # Panics
    /// When that takes too long.
    pub fn await_in_sync(&self, topics: &[&str]) {
        let consumer = self.consumer();
        crate::wait::until("all replicas are in sync", || {
            topics.iter().all(|topic| {
                let Ok(metadata) = consumer.fetch_metadata(Some(topic), ANSWER) else { return false };
                let mut partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
                partitions.all(|partition| partition.isr().len() == partition.replicas().len())
            })
        });
    }

    /// How many members a group has.
    ///
    /// # Panics
    /// When no coordinator answers.
    pub fn members(&self, group: &str) -> usize {
        let groups = self.consumer().fetch_group_list(Some(group), ANSWER).expect("the group");
        groups.groups().iter().map(|group| group.members().len()).sum()
    }

    fn consumer(&self) -> BaseConsumer {
        let mut config = self.client();
        config
            .set("group.id", "narad-tests-reader")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest");
        config
            .set("fetch.queue.backoff.ms", "10")
            .set("fetch.message.max.bytes", "33554432")
            .set("receive.message.max.bytes", "100000000");
        config.create().expect("a consumer")
    }

    /// Writes records, and waits until all are acknowledged.
    ///
    /// # Panics
    /// When one is refused.
    pub fn write(&self, topic: &str, records: impl IntoIterator<Item = Stored>) {
        self.write_compressed("none", topic, records);
    }

    /// The same in compressed batches.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write_compressed(
        &self,
        compression: &str,
        topic: &str,
        records: impl IntoIterator<Item = Stored>,
    ) {
        let mut config = self.client();
        config.set("compression.type", compression);
        config
            .set("partitioner", "murmur2_random")
            .set("message.max.bytes", "33554432")
            .set("enable.idempotence", "true");
        let producer: ThreadedProducer<DefaultProducerContext> = config.create().expect("a producer");
        for record in records {
            let mut headers = OwnedHeaders::new();
            for (key, value) in &record.headers {
                headers = headers.insert(Header { key, value: value.as_ref() });
            }
            let mut outgoing = BaseRecord::<[u8], [u8]>::to(topic).headers(headers);
            outgoing.key = record.key.as_deref();
            outgoing.payload = record.value.as_deref();
            outgoing.partition = (record.partition >= 0).then_some(record.partition);
            while let Err((error, back)) = producer.send(outgoing) {
                assert_eq!(
                    error.rdkafka_error_code(),
                    Some(rdkafka::types::RDKafkaErrorCode::QueueFull),
                    "a record is refused"
                );
                std::thread::sleep(Duration::from_millis(5));
                outgoing = back;
            }
        }
        producer.flush(ANSWER).expect("all is acknowledged");
        assert_eq!(producer.in_flight_count(), 0);
    }

    /// Everything that is in a topic now, in the order of partition and offset.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn records(&self, topic: &str) -> Vec<Stored> {
        let consumer = self.consumer();
        let mut ends = BTreeMap::new();
        let mut list = TopicPartitionList::new();
        for partition in 0..self.partitions(topic) as i32 {
            let (low, high) = consumer.fetch_watermarks(topic, partition, ANSWER).expect("watermarks");
            if high > low {
                ends.insert(partition, high);
                list.add_partition_offset(topic, partition, Offset::Beginning).expect("an offset");
            }
        }
        consumer.assign(&list).expect("an assignment");
        let mut records = Vec::new();
        while !ends.is_empty() {
            let message = consumer.poll(ANSWER).expect("a record before the deadline").expect("a record");
            let headers = message.headers().map(|headers| {
                headers
                    .iter()
                    .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
                    .collect::<Vec<_>>()
            });
            if ends.get(&message.partition()).is_some_and(|end| message.offset() + 1 >= *end) {
                ends.remove(&message.partition());
            }
            records.push(Stored {
                partition: message.partition(),
                offset: message.offset(),
                key: message.key().map(<[u8]>::to_vec),
                value: message.payload().map(<[u8]>::to_vec),
                headers: headers.unwrap_or_default(),
            });
        }
        records.sort_by_key(|record| (record.partition, record.offset));
        records
    }

    /// The same for a topic of which the end of a partition may be no record.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn stable_records(&self, topic: &str) -> Vec<(i32, i64)> {
        let mut config = self.client();
        config
            .set("group.id", "narad-tests-reader")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let partitions = self.partitions(topic) as i32;
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition_offset(topic, partition, Offset::Beginning).expect("an offset");
        }
        consumer.assign(&list).expect("an assignment");
        let (mut records, mut ended) = (Vec::new(), 0);
        while ended < partitions {
            match consumer.poll(ANSWER).expect("a record before the deadline") {
                Ok(message) => records.push((message.partition(), message.offset())),
                Err(KafkaError::PartitionEOF(_)) => ended += 1,
                Err(error) => panic!("{topic} cannot be read: {error}"),
            }
        }
        records
    }

    /// What a group has committed for each partition of a topic; partitions without a commit are left out.
    ///
    /// # Panics
    /// When the coordinator does not answer.
    pub fn committed(&self, group: &str, topic: &str, partitions: i32) -> Vec<Sample> {
        let consumer: BaseConsumer = self.client().set("group.id", group).create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition(topic, partition);
        }
        let mut committed = consumer.committed_offsets(list.clone(), ANSWER);
        let deadline = Instant::now() + ANSWER;
        // A coordinator that has just come back is not one yet.
        while committed.is_err() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(100));
            committed = consumer.committed_offsets(list.clone(), ANSWER);
        }
        let committed = committed.expect("committed offsets");
        let at = now();
        let elements = committed.elements();
        let known = elements.iter().filter_map(|element| match element.offset() {
            Offset::Offset(committed) => Some(Sample { at, partition: element.partition(), committed }),
            _ => None,
        });
        known.collect()
    }

    /// What a group has committed for a partition with the note beside it; `None` where it has not.
    ///
    /// # Panics
    /// When the coordinator does not answer.
    pub fn committed_with_note(&self, group: &str, topic: &str, partition: i32) -> Option<(i64, String)> {
        let consumer: BaseConsumer = self.client().set("group.id", group).create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, partition);
        let committed = consumer.committed_offsets(list, ANSWER).expect("committed offsets");
        committed.elements().iter().find_map(|element| match element.offset() {
            Offset::Offset(committed) => Some((committed, element.metadata().to_owned())),
            _ => None,
        })
    }

    /// Commits for a group that has no member, as tools do.
    ///
    /// # Panics
    /// When the coordinator refuses.
    pub fn commit(&self, group: &str, topic: &str, partition: i32, next: i64, note: &str) {
        let consumer: BaseConsumer = self.client().set("group.id", group).create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        let mut element = list.add_partition(topic, partition);
        element.set_offset(Offset::Offset(next)).expect("an offset");
        element.set_metadata(note);
        consumer.commit(&list, CommitMode::Sync).expect("the commit is taken");
    }

    /// Writes records to one partition, each in a transaction of its own: a marker stands behind each.
    ///
    /// # Panics
    /// When one is refused.
    pub fn write_in_transactions(&self, topic: &str, records: impl IntoIterator<Item = Stored>) {
        let producer: ThreadedProducer<DefaultProducerContext> =
            self.client().set("transactional.id", fresh("transactional")).create().expect("a producer");
        producer.init_transactions(ANSWER).expect("transactions");
        for record in records {
            producer.begin_transaction().expect("a transaction");
            let mut outgoing = BaseRecord::<[u8], [u8]>::to(topic).partition(0);
            outgoing.key = record.key.as_deref();
            outgoing.payload = record.value.as_deref();
            producer.send(outgoing).map_err(|(error, _)| error).expect("a record is taken");
            producer.commit_transaction(ANSWER).expect("the transaction is committed");
        }
    }
}
