//! A certificate that cannot be verified: has it expired, is it for another host, or of an unknown CA?
//! librdkafka says the same of all of them.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use crate::codec::Stamp;
use crate::connection::{Cause, not_after, not_after_of_pem};
use crate::transport::ClientProperties;
use crate::transport::ffi::produce;
use crate::transport::ffi::tls::{Examines, examining_client};

/// A handshake has so long.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is wrong with a broker's certificate, beyond that it cannot be verified. Blocks.
///
/// It is verified as before, and neither a user nor a certificate of the client goes over this connection.
pub(super) fn examine(properties: &ClientProperties) -> Option<Cause> {
    let mut properties = properties.clone();
    properties.set("security.protocol", "ssl");
    properties.remove_all(&["sasl.", "ssl.certificate.", "ssl.key", "ssl.keystore."]);
    let mut config = properties.native().ok()?;
    config.set_log_level(RDKafkaLogLevel::Critical);
    let client = examining_client(&config, Handshake::default()).ok()?;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if produce::ask_any_broker(&client, Duration::from_millis(100)).is_ok() {
            return None;
        }
        if let Some(found) = client.context().0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return found;
        }
    }
    None
}

/// When the client's own certificate expired, if it did.
pub(super) fn own_expired(properties: &ClientProperties) -> Option<String> {
    let pem = match properties.get("ssl.certificate.pem") {
        Some(pem) => pem.to_owned(),
        None => std::fs::read_to_string(properties.get("ssl.certificate.location")?).ok()?,
    };
    let now = Stamp::of(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?);
    // Both are in UTC and begin with the year: their texts stand in the order of time.
    not_after_of_pem(&pem).filter(|end| end.as_str() < now.as_str())
}

/// What is wrong with the first certificate that cannot be verified; the inner is `None` where that is no
/// more than was known.
#[derive(Default)]
struct Handshake(Mutex<Option<Option<Cause>>>);

impl ClientContext for Handshake {
    /// Its faults are known already.
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, _: KafkaError, _: &str) {}
}

impl Examines for Handshake {
    fn certificate(&self, error: i32, depth: i32, der: &[u8]) {
        let found = match error {
            // `X509_V_OK`
            0 => return,
            // `X509_V_ERR_CERT_NOT_YET_VALID`
            9 => Some(Cause::NotYetValid),
            // `X509_V_ERR_CERT_HAS_EXPIRED`
            10 => Some(Cause::Expired { own: depth == 0, end: not_after(der).unwrap_or_default() }),
            // `X509_V_ERR_HOSTNAME_MISMATCH`, `X509_V_ERR_IP_ADDRESS_MISMATCH`
            62 | 64 => Some(Cause::HostName),
            _ => None,
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(found);
    }
}
