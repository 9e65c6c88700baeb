//! Another connection beside the producer's.

use std::time::Duration;

use rdkafka::client::{Client, ClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaType;

use crate::transport::kafka::ffi::{Handle, LoggedIn, produce};
use crate::transport::{Asks, ClientProperties, Fault};

struct Second(LoggedIn<Client<Silent>>);

struct Silent;

impl ClientContext for Silent {
    /// Its faults are those of the producer's client, which says them.
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, _: KafkaError, _: &str) {}
}

impl Asks for Second {
    fn ask(&self, patience: Duration) -> Result<Vec<String>, Fault> {
        Ok(produce::ask_any_broker(&self.0, patience)?)
    }
}

pub(super) fn open(properties: &ClientProperties) -> Option<Box<dyn Asks>> {
    let mut properties = properties.clone();
    // It writes nothing.
    properties.set("enable.idempotence", "false");
    let mut config = properties.native().ok()?;
    config.set_log_level(RDKafkaLogLevel::Critical);
    let made = config.create_native_config().ok()?;
    let client = Client::new(&config, made, RDKafkaType::RD_KAFKA_PRODUCER, Silent).ok()?;
    Some(Box::new(Second(LoggedIn::new(client, properties.tokens(), |client| Handle::of(client)))))
}
