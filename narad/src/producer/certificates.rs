//! A certificate that cannot be verified: has it expired, is it for another host, or of an unknown CA?
//! librdkafka says the same of all of them.

use std::time::{Duration, SystemTime};

use super::settings::Settings;
use crate::codec::Stamp;
use crate::connection::{Cause, not_after, not_after_of_pem};
use crate::transport::BadCertificate;

/// A handshake has so long.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is wrong with a broker's certificate, beyond that it cannot be verified. Blocks.
pub(super) fn examine(settings: &Settings) -> Option<Cause> {
    settings.transport.bad_certificate(&settings.client, PATIENCE).as_ref().and_then(cause)
}

/// `None` where it is no more than was known.
fn cause(bad: &BadCertificate) -> Option<Cause> {
    match bad.error {
        // `X509_V_ERR_CERT_NOT_YET_VALID`
        9 => Some(Cause::NotYetValid),
        // `X509_V_ERR_CERT_HAS_EXPIRED`
        10 => Some(Cause::Expired { own: bad.depth == 0, end: not_after(&bad.der).unwrap_or_default() }),
        // `X509_V_ERR_HOSTNAME_MISMATCH`, `X509_V_ERR_IP_ADDRESS_MISMATCH`
        62 | 64 => Some(Cause::HostName),
        _ => None,
    }
}

/// When the client's own certificate expired, if it did.
pub(super) fn own_expired(settings: &Settings) -> Option<String> {
    let properties = &settings.client;
    let pem = match properties.get("ssl.certificate.pem") {
        Some(pem) => pem.to_owned(),
        None => std::fs::read_to_string(properties.get("ssl.certificate.location")?).ok()?,
    };
    let now = Stamp::of(settings.clock.wall().duration_since(SystemTime::UNIX_EPOCH).ok()?);
    // Both are in UTC and begin with the year: their texts stand in the order of time.
    not_after_of_pem(&pem).filter(|end| end.as_str() < now.as_str())
}
