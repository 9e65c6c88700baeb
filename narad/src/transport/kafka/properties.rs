//! What librdkafka makes of the properties of a client, and says of them.

use rdkafka::ClientConfig;
use rdkafka::client::{Client, DefaultClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaType;

use super::embedded;
use crate::transport::{ClientProperties, EMBEDDED, Kind, Refusal};

impl ClientProperties {
    /// As rdkafka takes them.
    pub(crate) fn native(&self) -> Result<ClientConfig, Refusal> {
        let mut config = ClientConfig::new();
        config.set_log_level(self.log_level());
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

    /// What the client lets through to the log. The lines that name faults are at level `Info`, so it is no
    /// less than that. rdkafka sets it as soon as the client is there, whatever librdkafka made of `debug`.
    fn log_level(&self) -> RDKafkaLogLevel {
        let debugs =
            self.get("debug").is_some_and(|what| !what.is_empty()) || self.get("log_level") == Some("7");
        if debugs { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info }
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::time::Duration;

    use rdkafka::ClientContext;
    use rdkafka::consumer::{BaseConsumer, ConsumerContext};

    use super::*;

    struct Lines(Sender<RDKafkaLogLevel>);

    impl ClientContext for Lines {
        fn log(&self, level: RDKafkaLogLevel, _: &str, _: &str) {
            let _ = self.0.send(level);
        }
    }

    impl ConsumerContext for Lines {}

    #[test]
    fn what_is_asked_for_with_debug_is_logged_for_as_long_as_the_client_lives() {
        let mut properties = ClientProperties::new(|refusal| format!("{refusal:?}"));
        properties.set("bootstrap.servers", "127.0.0.1:1").set("group.id", "g").set("debug", "broker");
        let (lines, logged) = channel();
        let config = properties.native().unwrap();
        let client: BaseConsumer<Lines> = config.create_with_context(Lines(lines)).unwrap();
        let said = |time| {
            client.poll(Duration::from_millis(time));
            logged.try_iter().any(|level| matches!(level, RDKafkaLogLevel::Debug))
        };
        // What it said while it was made is not asked for; it tries to connect again and again.
        for _ in 0..10 {
            said(100);
        }
        assert!((0..300).any(|_| said(100)), "no line is of level debug");
    }
}
