//! The figures of an application, as Prometheus and its kin read them.
//!
//! Nothing is counted for this alone: when somebody asks, the [views](crate::view) are asked in turn.

mod collector;
mod consumed;
mod families;
mod sent;
#[cfg(test)]
mod tests;

use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;

pub use self::collector::Collector;
use crate::application::Narad;

/// What is answered where OpenMetrics is asked for.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl Narad {
    /// The figures of the application in Prometheus' text format: what `GET /metrics` answers (feature
    /// `http`). No I/O. Each has its place in the operations page of the documentation.
    ///
    /// ```
    /// # fn push(narad: &narad::Narad) -> String {
    /// narad.metrics()
    /// # }
    /// ```
    pub fn metrics(&self) -> String {
        let mut out = String::new();
        // Writing into a string does not fail.
        let _ = prometheus_text::encode(&mut out, &self.registry());
        out
    }

    /// The same figures for a registry of the crate `prometheus-client` 0.26 that the application has
    /// (feature `http`). It keeps nothing running: after the end of the application it has no figures.
    ///
    /// ```
    /// # fn register(narad: &narad::Narad) {
    /// let mut registry = prometheus_client::registry::Registry::default();
    /// registry.register_collector(Box::new(narad.collector()));
    /// # }
    /// ```
    pub fn collector(&self) -> Collector {
        Collector::new(self)
    }

    /// The figures in the format that a request accepts, and its name.
    pub(crate) fn exposition(&self, accepts: &str) -> (&'static str, String) {
        if !accepts.contains("application/openmetrics-text") {
            return (prometheus_text::CONTENT_TYPE, self.metrics());
        }
        let mut out = String::new();
        let _ = text::encode(&mut out, &self.registry());
        (OPEN_METRICS, out)
    }

    fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self.collector()));
        registry
    }
}
