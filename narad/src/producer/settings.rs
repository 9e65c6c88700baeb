//! What the producer has to know of the configuration.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;

use crate::error::Result;
use crate::supervision::Supervision;

/// Puts values in the place of `${VAR}`.
pub(crate) type Resolve = Arc<dyn Fn(&str) -> Result<String> + Send + Sync>;

/// What the producer has to know of the configuration.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Everything that librdkafka takes, security included.
    pub(crate) client: ClientConfig,
    pub(crate) client_id: String,
    pub(crate) brokers: Vec<String>,
    pub(crate) connection_timeout: Duration,
    pub(crate) development: bool,
    pub(crate) create_topics: bool,
    /// The brokers are the mock cluster inside this process, which makes a topic when it is asked about it.
    pub(crate) embedded: bool,
    /// Resolves the placeholders of a topic.
    pub(crate) resolve: Resolve,
    /// What watches the producer's threads.
    pub(crate) supervision: Arc<Supervision>,
}

impl Settings {
    /// A topic's name without placeholders.
    pub(crate) fn topic(&self, name: &str) -> Result<Arc<str>> {
        if name.contains("${") { (self.resolve)(name).map(Arc::from) } else { Ok(Arc::from(name)) }
    }
}

impl fmt::Debug for Settings {
    /// Without the client's properties, which hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("client_id", &self.client_id).field("brokers", &self.brokers).finish_non_exhaustive()
    }
}
