//! What the producer has to know of the configuration.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::events::Events;
use crate::clock::Clock;
use crate::error::Result;
use crate::supervision::Supervision;
#[cfg(test)]
use crate::transport::EMBEDDED;
use crate::transport::{ClientProperties, Producers};

/// Puts values in the place of `${VAR}`.
pub(crate) type Resolve = Arc<dyn Fn(&str) -> Result<String> + Send + Sync>;

/// What the producer has to know of the configuration.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Everything that librdkafka takes, security included.
    pub(crate) client: ClientProperties,
    pub(crate) client_id: String,
    pub(crate) brokers: Vec<String>,
    pub(crate) connection_timeout: Duration,
    pub(crate) development: bool,
    pub(crate) create_topics: bool,
    /// The brokers are the mock cluster inside this process, which makes a topic when it is asked about it.
    pub(crate) embedded: bool,
    /// Resolves the placeholders of a topic that stands in an attribute.
    pub(crate) resolve: Resolve,
    /// What watches the producer's threads.
    pub(crate) supervision: Arc<Supervision>,
    pub(crate) clock: Clock,
    /// How it gets at brokers.
    pub(crate) transport: Arc<dyn Producers<Events>>,
}

impl Settings {
    /// Without a broker, and nothing to be resolved.
    #[cfg(test)]
    pub(crate) fn of_tests() -> Self {
        Self {
            client: ClientProperties::default(),
            client_id: "test".to_owned(),
            brokers: Vec::new(),
            connection_timeout: Duration::ZERO,
            development: false,
            create_topics: false,
            embedded: false,
            resolve: Arc::new(|topic| Ok(topic.to_owned())),
            supervision: Arc::default(),
            clock: Clock::real(),
            transport: Arc::new(crate::transport::Kafka),
        }
    }

    /// With the embedded broker.
    #[cfg(test)]
    pub(crate) fn of_embedded() -> Self {
        let mut client = ClientProperties::default();
        client.set("bootstrap.servers", EMBEDDED);
        Self {
            client,
            brokers: vec![EMBEDDED.to_owned()],
            connection_timeout: Duration::from_secs(30),
            embedded: true,
            ..Self::of_tests()
        }
    }

    /// The topic that an event's attribute names, without placeholders. Those that a call names have none:
    /// they may come from anywhere, and the environment is nobody's to read.
    pub(crate) fn attribute_topic(&self, text: &'static str) -> Result<Cow<'static, str>> {
        if text.contains("${") { (self.resolve)(text).map(Cow::Owned) } else { Ok(Cow::Borrowed(text)) }
    }
}

/// Resolves each text once: what an attribute says means the same as long as the application runs.
pub(crate) fn once(resolve: impl Fn(&str) -> Result<String> + Send + Sync + 'static) -> Resolve {
    let resolved = Mutex::<HashMap<String, String>>::default();
    Arc::new(move |text| {
        let mut resolved = resolved.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = resolved.get(text) {
            return Ok(known.clone());
        }
        let topic = resolve(text)?;
        resolved.insert(text.to_owned(), topic.clone());
        Ok(topic)
    })
}

impl fmt::Debug for Settings {
    /// Without the client's properties, which hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("client_id", &self.client_id)
            .field("brokers", &self.brokers)
            .finish_non_exhaustive()
    }
}
