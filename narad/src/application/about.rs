//! What is known of an application from its building on.

use std::fmt;
use std::sync::LazyLock;

use serde_json::Value;

/// What its configuration and its registry say of an application, for those who ask it.
pub(crate) struct About {
    pub(crate) client_id: String,
    pub(crate) brokers: Vec<String>,
    /// What who asks over HTTP proves to be trusted with; no `Debug` shows it.
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "asked over HTTP"))]
    pub(crate) http_token: Option<String>,
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "asked over HTTP"))]
    described: LazyLock<Value, Box<dyn FnOnce() -> Value + Send>>,
}

impl About {
    /// `describe` gives the registry as JSON, with all names resolved.
    pub(crate) fn new(
        client_id: String,
        brokers: Vec<String>,
        http_token: Option<String>,
        describe: impl FnOnce() -> Value + Send + 'static,
    ) -> Self {
        Self { client_id, brokers, http_token, described: LazyLock::new(Box::new(describe)) }
    }

    #[cfg(test)]
    pub(crate) fn of_tests() -> Self {
        Self::new("test".to_owned(), Vec::new(), None, || Value::Null)
    }

    /// The events and handlers of the program with all names resolved, as JSON.
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "asked over HTTP"))]
    pub(crate) fn described(&self) -> &Value {
        &self.described
    }
}

impl fmt::Debug for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("About")
            .field("client_id", &self.client_id)
            .field("brokers", &self.brokers)
            .finish_non_exhaustive()
    }
}
