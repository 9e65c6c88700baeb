//! The broker that everything is measured against, and the topics made on it, which go when the run ends.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;

use crate::data::{Data, ID};

/// How long the broker has to answer.
const ANSWER: Duration = Duration::from_secs(30);

type Result<T> = std::result::Result<T, String>;

/// Topics of this run; what it made, and what was made in its name (dead letters), is removed at the end.
pub(crate) struct Cluster {
    pub(crate) brokers: String,
    admin: AdminClient<DefaultClientContext>,
    runtime: tokio::runtime::Runtime,
    prefix: String,
}

/// A topic with records.
pub(crate) struct Written {
    pub(crate) topic: String,
    /// Those that handlers get.
    pub(crate) records: usize,
    /// What its handlers have to count, to show that all decoded the same.
    pub(crate) sum: i64,
}

impl Cluster {
    /// The broker of `KAFKA_BROKERS`, else of `NARAD_TEST_BROKERS`.
    pub(crate) fn of_env() -> Result<Self> {
        let named =
            ["KAFKA_BROKERS", "NARAD_TEST_BROKERS"].into_iter().filter_map(|name| std::env::var(name).ok());
        let brokers = named.into_iter().find(|brokers| !brokers.is_empty()).ok_or(
            "KAFKA_BROKERS names no broker; `eval \"$(tests/kafka/kafka.sh up)\"` starts one on this machine",
        )?;
        let admin = ClientConfig::new()
            .set("bootstrap.servers", &brokers)
            .create()
            .map_err(|error| error.to_string())?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self { brokers, admin, runtime, prefix: format!("narad-bench-{:x}", since_epoch.as_millis()) })
    }

    /// A name for a topic or a group of this run.
    pub(crate) fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.prefix)
    }

    /// Makes an empty topic, and waits for its leaders.
    pub(crate) fn create(&self, what: &str, partitions: i32) -> Result<String> {
        let name = self.name(what);
        let topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(-1));
        let created = self
            .runtime
            .block_on(self.admin.create_topics([&topic], &options()))
            .map_err(|error| error.to_string())?;
        for result in created {
            result.map_err(|(topic, error)| format!("topic {topic} cannot be made: {error}"))?;
        }
        for _ in 0..300 {
            let metadata =
                self.admin.inner().fetch_metadata(Some(&name), ANSWER).map_err(|error| error.to_string())?;
            let led = metadata
                .topics()
                .iter()
                .flat_map(|topic| topic.partitions())
                .filter(|partition| partition.leader() >= 0);
            if led.count() == partitions as usize {
                return Ok(name);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(format!("topic {name} has no leaders after 15 s"))
    }

    /// Makes a topic with records.
    pub(crate) fn write(&self, what: &str, data: &Data) -> Result<Written> {
        let topic = self.create(what, data.partitions)?;
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("enable.idempotence", "true");
        config.set("linger.ms", "50").set("batch.size", "262144");
        let producer: ThreadedProducer<DefaultProducerContext> =
            config.create().map_err(|error| error.to_string())?;
        let (mut records, mut sum, mut bytes, mut value) = (0, 0, 0, Vec::new());
        for (user, envelope) in data.envelopes() {
            value.clear();
            serde_json::to_writer(&mut value, &envelope).map_err(|error| error.to_string())?;
            if data.types.handles(envelope.r#type) {
                records += 1;
                sum += envelope.data.seq + ID as i64;
            }
            bytes += value.len();
            // Few keys are spread as evenly as many.
            let partition = (user % data.partitions as usize) as i32;
            let mut record =
                BaseRecord::to(&topic).partition(partition).key(&envelope.data.user_id).payload(&value);
            while let Err((error, back)) = producer.send(record) {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                    return Err(error.to_string());
                }
                std::thread::sleep(Duration::from_millis(1));
                record = back;
            }
        }
        producer
            .flush(Duration::from_secs(120))
            .map_err(|error| format!("the records are not acknowledged: {error}"))?;
        eprintln!(
            "{what}: {} records of {} bytes, {} partitions, {} keys",
            data.records,
            bytes / data.records.max(1),
            data.partitions,
            data.keys
        );
        Ok(Written { topic, records, sum })
    }

    /// How many records a topic holds.
    pub(crate) fn count(&self, topic: &str) -> Result<usize> {
        let text = |error: KafkaError| error.to_string();
        let metadata = self.admin.inner().fetch_metadata(Some(topic), ANSWER).map_err(text)?;
        let mut count = 0;
        for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
            let (low, high) =
                self.admin.inner().fetch_watermarks(topic, partition.id(), ANSWER).map_err(text)?;
            count += high - low;
        }
        Ok(count as usize)
    }

    /// Removes the groups of this run, so that their next run reads from the start.
    pub(crate) fn forget_groups(&self) -> Result<()> {
        let groups = self.admin.inner().fetch_group_list(None, ANSWER).map_err(|error| error.to_string())?;
        let ours: Vec<_> = groups
            .groups()
            .iter()
            .map(|group| group.name())
            .filter(|name| name.starts_with(&self.prefix))
            .collect();
        if ours.is_empty() {
            return Ok(());
        }
        let removed = self
            .runtime
            .block_on(self.admin.delete_groups(&ours, &options()))
            .map_err(|error| error.to_string())?;
        removed.into_iter().try_for_each(|result| {
            result.map(drop).map_err(|(group, error)| format!("group {group} stays: {error}"))
        })
    }

    /// Removes a topic, and waits until it is gone, so that its name can be used again.
    pub(crate) fn remove(&self, topic: &str) -> Result<()> {
        self.runtime
            .block_on(self.admin.delete_topics(&[topic], &options()))
            .map_err(|error| error.to_string())?;
        for _ in 0..300 {
            let metadata =
                self.admin.inner().fetch_metadata(None, ANSWER).map_err(|error| error.to_string())?;
            if metadata.topics().iter().all(|known| known.name() != topic) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(format!("topic {topic} is still there 15 s after it was removed"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.forget_groups();
        let Ok(metadata) = self.admin.inner().fetch_metadata(None, ANSWER) else { return };
        let ours: Vec<_> = metadata
            .topics()
            .iter()
            .map(|topic| topic.name())
            .filter(|name| name.starts_with(&self.prefix))
            .collect();
        if !ours.is_empty() {
            let _ = self.runtime.block_on(self.admin.delete_topics(&ours, &options()));
        }
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER))
}
