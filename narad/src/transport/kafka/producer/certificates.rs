//! A second handshake, watched certificate by certificate: librdkafka says the same of each that it refuses.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use crate::transport::kafka::ffi::produce;
use crate::transport::kafka::ffi::tls::{Examines, examining_client};
use crate::transport::{BadCertificate, ClientProperties};

/// The first certificate that is not accepted. It is verified as before, and neither a user nor a certificate
/// of the client goes over this connection.
pub(super) fn examine(properties: &ClientProperties, patience: Duration) -> Option<BadCertificate> {
    let mut properties = properties.clone();
    properties.set("security.protocol", "ssl");
    properties.remove_all(&["sasl.", "ssl.certificate.", "ssl.key", "ssl.keystore."]);
    let mut config = properties.native().ok()?;
    config.set_log_level(RDKafkaLogLevel::Critical);
    let client = examining_client(&config, Handshake::default()).ok()?;
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if produce::ask_any_broker(&client, Duration::from_millis(100)).is_ok() {
            return None;
        }
        let found = client.context().0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if found.is_some() {
            return found;
        }
    }
    None
}

#[derive(Default)]
struct Handshake(Mutex<Option<BadCertificate>>);

impl ClientContext for Handshake {
    /// Its faults are known already.
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, _: KafkaError, _: &str) {}
}

impl Examines for Handshake {
    fn certificate(&self, error: i32, depth: i32, der: &[u8]) {
        // `X509_V_OK`
        if error == 0 {
            return;
        }
        let found = || BadCertificate { error, depth, der: der.to_vec() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(found);
    }
}
