//! A mock cluster of a test's own.

use std::time::Duration;

use narad_tests::cluster::{Cluster, Stored};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::mocking::{MockCluster, MockCoordinator};
use rdkafka::producer::{BaseProducer, DefaultProducerContext, Producer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

/// As many partitions as the topics of these tests have.
pub(crate) const PARTITIONS: i32 = 2;

/// The topic of the records to be handled.
pub(crate) const TOPIC: &str = "work";

/// A mock cluster, in which groups form at once.
pub(crate) struct Mock {
    /// The cluster lives inside of it.
    client: BaseProducer<DefaultProducerContext>,
    /// The way in for others.
    pub(crate) cluster: Cluster,
}

impl Mock {
    /// A cluster of so many brokers, with the topic of the records.
    pub(crate) fn start(brokers: u32) -> Self {
        Self::start_with(brokers, PARTITIONS)
    }

    /// The same, the topic with so many partitions.
    pub(crate) fn start_with(brokers: u32, partitions: i32) -> Self {
        let client: BaseProducer<DefaultProducerContext> = ClientConfig::new()
            .set_log_level(RDKafkaLogLevel::Critical)
            .set("test.mock.num.brokers", brokers.to_string())
            .create()
            .expect("a mock cluster");
        let brokers = narad::__private::begin_mock_cluster(client.client()).expect("its address");
        let mock = Self { client, cluster: Cluster { brokers } };
        mock.create_topic(TOPIC, partitions);
        mock.create_topic("done", 1);
        mock
    }

    fn mock(&self) -> MockCluster<'_, DefaultProducerContext> {
        self.client.client().mock_cluster().expect("the cluster of the client")
    }

    pub(crate) fn create_topic(&self, name: &str, partitions: i32) {
        self.mock().create_topic(name, partitions, 1).expect("a topic");
    }

    /// One partition, for dead letters and returned events.
    pub(crate) fn create_topic_if_missing(&self, name: &str) {
        // The cluster refuses one that exists, which is as well.
        let _ = self.mock().create_topic(name, 1, 1);
    }

    /// The next requests of this kind get these answers, one each; `_TRANSPORT` breaks the connection.
    pub(crate) fn fail(&self, api: RDKafkaApiKey, errors: &[RDKafkaRespErr]) {
        self.mock().request_errors(api, errors);
    }

    /// No more requests of this kind are failed.
    pub(crate) fn heal(&self, api: RDKafkaApiKey) {
        self.mock().clear_request_errors(api);
    }

    /// Which broker coordinates a group, and which leads all partitions of the records' topic.
    pub(crate) fn place(&self, group: &str, coordinator: i32, leader: i32) {
        self.place_all(group, coordinator, leader, PARTITIONS);
    }

    /// The same for a topic of so many partitions.
    pub(crate) fn place_all(&self, group: &str, coordinator: i32, leader: i32, partitions: i32) {
        self.mock()
            .coordinator(MockCoordinator::Group(group.to_owned()), coordinator)
            .expect("a coordinator");
        for partition in 0..partitions {
            self.mock().partition_leader(TOPIC, partition, Some(leader)).expect("a leader");
        }
    }

    /// Which broker leads the topic of the returned events.
    pub(crate) fn lead_done(&self, leader: i32) {
        self.mock().partition_leader("done", 0, Some(leader)).expect("a leader");
    }

    /// Which broker leads a topic of one partition, or none.
    pub(crate) fn lead(&self, topic: &str, leader: Option<i32>) {
        self.mock().partition_leader(topic, 0, leader).expect("a leader, or none");
    }

    /// All that metadata say of a topic is this error.
    pub(crate) fn break_topic(&self, topic: &str, error: RDKafkaRespErr) {
        self.mock().topic_error(topic, error).expect("an error");
    }

    /// A broker ends its connections and takes no new ones.
    pub(crate) fn take_down(&self, broker: i32) {
        self.mock().broker_down(broker).expect("a broker");
    }

    pub(crate) fn take_up(&self, broker: i32) {
        self.mock().broker_up(broker).expect("a broker");
    }

    pub(crate) fn delay(&self, broker: i32, round_trip: Duration) {
        self.mock().broker_round_trip_time(broker, round_trip).expect("a broker");
    }

    /// Everything that is in the topic of the records.
    pub(crate) fn records(&self) -> Vec<Stored> {
        self.cluster.records(TOPIC)
    }

    /// Next offsets that a group has committed, the partitions without one left out.
    pub(crate) fn committed(&self, group: &str) -> Vec<(i32, i64)> {
        let committed = self.cluster.committed(group, TOPIC, PARTITIONS);
        committed.into_iter().map(|sample| (sample.partition, sample.committed)).collect()
    }
}
