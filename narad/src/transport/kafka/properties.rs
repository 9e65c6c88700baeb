//! What librdkafka makes of the properties of a client, and says of them.

use rdkafka::ClientConfig;
use rdkafka::client::{Client, DefaultClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaType;

use super::embedded;
use crate::transport::{ClientProperties, EMBEDDED, Kind, Refusal};

impl ClientProperties {
    /// As rdkafka takes them. The lines of its log that name faults are at level `Info`.
    pub(crate) fn native(&self) -> Result<ClientConfig, Refusal> {
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Info);
        for (name, value) in &self.values {
            config.set(name, value);
        }
        if self.get("bootstrap.servers") == Some(EMBEDDED) {
            config.set(
                "bootstrap.servers",
                embedded::brokers().map_err(|error| Refusal::Client(error.to_string()))?,
            );
        }
        Ok(config)
    }

    /// Checks names and values, each alone.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        self.native()?.create_native_config().map(drop).map_err(Refusal::from)
    }

    /// Checks that the values go together: makes a client, and ends it. One without an address connects to
    /// nobody.
    pub(crate) fn check_client(&self, kind: Kind) -> Result<(), Refusal> {
        let kind = match kind {
            Kind::Consumer => RDKafkaType::RD_KAFKA_CONSUMER,
            Kind::Producer => RDKafkaType::RD_KAFKA_PRODUCER,
        };
        let config = self.native()?;
        Client::new(&config, config.create_native_config()?, kind, DefaultClientContext)?;
        Ok(())
    }
}

impl From<KafkaError> for Refusal {
    fn from(error: KafkaError) -> Self {
        match error {
            KafkaError::ClientConfig(_, reason, name, value) => Self::Value { name, value, reason },
            other => {
                let text = other.to_string();
                Self::Client(text.strip_prefix("Client creation error: ").unwrap_or(&text).to_owned())
            }
        }
    }
}
