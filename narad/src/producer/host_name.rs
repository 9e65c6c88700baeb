//! A certificate that cannot be verified: is it of another CA, or of another host? librdkafka says the same of both.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use rdkafka::types::RDKafkaErrorCode as Code;

use crate::transport::ffi::produce;

/// A handshake has so long.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the handshake succeeds once the host name is left out of it. Blocks.
///
/// The CA is checked as before, and neither a user nor a certificate of the client goes over this connection.
pub(super) fn is_the_only_fault(config: &ClientConfig) -> bool {
    let mut config = config.clone();
    config.set("security.protocol", "ssl").set("ssl.endpoint.identification.algorithm", "none").set_log_level(RDKafkaLogLevel::Info);
    let secrets = ["sasl.", "ssl.certificate.", "ssl.key", "ssl.keystore."];
    let names: Vec<String> = config.config_map().keys().map(|name| (*name).to_owned()).collect();
    names.iter().filter(|name| secrets.iter().any(|secret| name.starts_with(secret))).for_each(|name| {
        config.remove(name);
    });
    let Ok(client) = BaseProducer::from_config_and_context(&config, Handshake::default()) else { return false };
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        // A broker that wants a user closes after the handshake; its answer is as good.
        if produce::ask_any_broker(client.client(), Duration::from_millis(100)).is_ok() {
            return true;
        }
        client.poll(Duration::from_millis(10));
        match client.context().0.load(Ordering::Relaxed) {
            REFUSED => return false,
            PASSED => return true,
            _ => {}
        }
    }
    false
}

/// What came of the handshake.
#[derive(Default)]
struct Handshake(AtomicU8);

const REFUSED: u8 = 1;
const PASSED: u8 = 2;

impl Handshake {
    fn fault(&self, reason: &str) {
        if reason.contains("certificate verify failed") {
            self.0.store(REFUSED, Ordering::Relaxed);
        } else if ["APIVERSION_QUERY", "ApiVersion", "AUTH_", "in state UP"].iter().any(|later| reason.contains(later)) {
            // What fails after the handshake.
            self.0.store(PASSED, Ordering::Relaxed);
        }
    }
}

impl ClientContext for Handshake {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        if facility == "FAIL" {
            self.fault(text);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(Code::AllBrokersDown) {
            self.fault(reason);
        }
    }
}

impl ProducerContext for Handshake {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}
