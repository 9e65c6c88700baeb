//! The properties of a client, by librdkafka's names.

use std::collections::BTreeMap;
use std::fmt;

use crate::login::Tokens;

/// As an address: the broker inside this process.
pub(crate) const EMBEDDED: &str = "embedded";

/// The properties of a client, by librdkafka's names.
#[derive(Clone)]
pub(crate) struct ClientProperties {
    pub(super) values: BTreeMap<String, String>,
    /// What the client logs in with, where that is no password.
    tokens: Option<Tokens>,
    /// Says in the words of whoever set them why librdkafka does not take them.
    worded: fn(&Refusal) -> String,
}

/// Why librdkafka makes no client.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It does not take the value of a property.
    Value { name: String, value: String, reason: String },
    /// What it says of all of them together.
    Client(String),
}

/// What a client is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Consumer,
    Producer,
}

impl ClientProperties {
    pub(crate) fn new(worded: fn(&Refusal) -> String) -> Self {
        Self { values: BTreeMap::new(), tokens: None, worded }
    }

    pub(crate) fn set(&mut self, name: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.values.insert(name.into(), value.into());
        self
    }

    /// Where the client has its tokens from.
    pub(crate) fn set_tokens(&mut self, tokens: Tokens) {
        self.tokens = Some(tokens);
    }

    pub(crate) fn tokens(&self) -> Option<&Tokens> {
        self.tokens.as_ref()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.values.remove(name);
    }

    /// Leaves out all properties whose names begin so.
    pub(crate) fn remove_all(&mut self, prefixes: &[&str]) {
        self.values.retain(|name, _| !prefixes.iter().any(|prefix| name.starts_with(prefix)));
    }

    /// Why there is no client, in the words of whoever set the properties.
    pub(crate) fn worded(&self, refusal: impl Into<Refusal>) -> String {
        (self.worded)(&refusal.into())
    }
}

#[cfg(test)]
impl ClientProperties {
    /// Of a member on the embedded broker, which commits nothing by itself.
    pub(crate) fn of_member(group: &str) -> Self {
        let mut properties = Self::default();
        properties
            .set("bootstrap.servers", EMBEDDED)
            .set("group.id", group)
            .set("enable.auto.commit", "false");
        properties
    }
}

#[cfg(test)]
impl Default for ClientProperties {
    fn default() -> Self {
        Self::new(Refusal::to_string)
    }
}

impl fmt::Display for Refusal {
    /// Without the value, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value { name, .. } => write!(f, "{name}: librdkafka does not take the value"),
            Self::Client(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for ClientProperties {
    /// Names only: a value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}
