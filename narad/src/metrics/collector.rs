//! The figures as a collector of `prometheus-client`.

use std::fmt;
use std::sync::{Arc, Weak};

use prometheus_client::encoding::DescriptorEncoder;

use super::families::Families;
use super::{consumed, sent};
use crate::application::{Application, Narad};

/// The figures of an application, for a registry of `prometheus-client`; see
/// [`Narad::collector`](crate::Narad::collector).
#[derive(Clone)]
pub struct Collector(Weak<Application>);

impl Collector {
    pub(super) fn new(narad: &Narad) -> Self {
        Self(Arc::downgrade(narad.shared()))
    }
}

impl prometheus_client::collector::Collector for Collector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(application) = self.0.upgrade() else { return Ok(()) };
        let mut families = Families(encoder);
        families.gauge(
            ("narad_build_info", None),
            "The versions of Narad and of librdkafka; always 1",
            [(
                [("version", env!("CARGO_PKG_VERSION")), ("librdkafka", &crate::transport::client_version())],
                1.0,
            )],
        )?;
        sent::encode(&application, &mut families)?;
        consumed::encode(&application, &mut families)
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}
