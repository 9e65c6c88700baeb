//! The broker inside the process: librdkafka's mock cluster, for a first run, examples and tests.
//!
//! Its limits: at most 5 MiB or 100,000 batches a partition, older records are dropped without a sign;
//! nothing is kept after the process; no transactions, no TLS, no ACLs.

use std::collections::HashSet;
use std::sync::{Mutex, OnceLock, PoisonError};

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::producer::{BaseProducer, DefaultProducerContext, Producer};

use super::ffi::mock;
use crate::error::{Error, Result};

/// As many partitions as a broker's default of the day.
const PARTITIONS: i32 = 4;

/// The one of the process, started at its first use; it lives until the process ends.
struct Embedded {
    client: BaseProducer<DefaultProducerContext>,
    address: String,
    topics: Mutex<HashSet<String>>,
}

fn embedded() -> Result<&'static Embedded> {
    static EMBEDDED: OnceLock<std::result::Result<Embedded, String>> = OnceLock::new();
    let embedded = EMBEDDED.get_or_init(|| {
        let client: BaseProducer<DefaultProducerContext> = ClientConfig::new()
            .set_log_level(RDKafkaLogLevel::Critical)
            .set("test.mock.num.brokers", "1")
            .create()
            .map_err(|error| error.to_string())?;
        let address = mock::begin(client.client()).ok_or("librdkafka gives no mock cluster")?;
        tracing::info!(
            address,
            "embedded broker: for a first run, examples and tests; it keeps at most 5 MiB or 100,000 \
             batches a partition, and nothing after the process"
        );
        Ok(Embedded { client, address, topics: Mutex::default() })
    });
    embedded.as_ref().map_err(|error| Error::Start(format!("the embedded broker does not start: {error}")))
}

/// Where it is.
pub(crate) fn brokers() -> Result<String> {
    embedded().map(|embedded| embedded.address.clone())
}

/// Makes a topic that is not there yet.
pub(crate) fn create_topic(name: &str) -> Result<()> {
    let embedded = embedded()?;
    let mut topics = embedded.topics.lock().unwrap_or_else(PoisonError::into_inner);
    // One that exists is refused, and may have been made by librdkafka itself when it was asked about it.
    if topics.insert(name.to_owned()) && !mock::create_topic(embedded.client.client(), name, PARTITIONS) {
        tracing::debug!(topic = name, "the embedded broker had the topic already");
    }
    Ok(())
}
