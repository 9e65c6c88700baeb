//! Whether the application is connected, as a value and as `GET /health/kafka`.

#[cfg(feature = "http")]
pub(crate) mod http;

use std::fmt;

use serde::Serialize;

/// The state of an application. Its `Display` is the JSON of `GET /health/kafka`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    status: &'static str,
    client_id: String,
    brokers: Vec<String>,
    /// Records whose key waits because neither their handler nor their dead letter takes them.
    blocked: usize,
    /// Attempts that have taken longer than `max.poll.interval.ms`: which handler, at which record.
    stuck: Vec<String>,
}

impl Health {
    pub(crate) fn new(connected: bool, client_id: &str, brokers: &[String], blocked: usize, stuck: Vec<String>) -> Self {
        let status = if connected { "connected" } else { "disconnected" };
        Self { status, client_id: client_id.to_owned(), brokers: brokers.to_vec(), blocked, stuck }
    }

    /// Whether a broker answered within the last seconds.
    pub fn is_connected(&self) -> bool {
        self.status == "connected"
    }

    /// Whether the application does its work: connected, and no handler is stuck. `GET /health/kafka` answers 503 where it does not.
    pub fn is_ready(&self) -> bool {
        self.is_connected() && self.stuck.is_empty()
    }

    /// Attempts that have taken longer than `max.poll.interval.ms` (5 minutes, unless `NARAD_KAFKA_MAX_POLL_INTERVAL_MS` says otherwise): which
    /// handler, at which record. The handler of one that holds its thread is not known, only its group.
    pub fn stuck(&self) -> &[String] {
        &self.stuck
    }

    /// The client id.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The configured brokers.
    pub fn brokers(&self) -> &[String] {
        &self.brokers
    }

    /// Records whose key waits because neither their handler nor their dead letter takes them.
    pub fn blocked(&self) -> usize {
        self.blocked
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}
