//! The configuration, read once from the environment into types.

mod client;
mod dotenv;
mod env;
mod fields;
mod fit;
mod kind;
mod log_format;
mod login;
mod overrides;
mod pem;
mod placeholders;
mod profile;
mod properties;
mod secret;
mod settings;
mod value;

use crate::error::{Error, Result};
use crate::transport::EMBEDDED;

pub use fields::{Config, Describe, Environment, SaslMechanism};
pub(crate) use kind::ClientKind;
pub use log_format::LogFormat;
pub use overrides::HandlerOverrides;
pub(crate) use overrides::{HandlerKind, Overridden};
pub use pem::Pem;
pub use placeholders::Variables;
pub use profile::Profile;
pub use properties::Properties;
pub use secret::Secret;

impl Config {
    /// The configuration of the environment, and of `.env` in the working directory unless `NARAD_ENV` is
    /// `production` in the environment itself. The environment wins over `.env`. The file is read as the npm
    /// package `dotenv` 17 reads it: nothing is expanded, the last of two lines for one variable counts, and
    /// lines that are not for Narad are ignored. An empty variable counts as not set; in the environment it
    /// hides the one of the file.
    ///
    /// # Errors
    /// A value that is wrong, a file that is missing, or a `NARAD_` variable that does not exist: one line
    /// that names the variable, and its line if it is in `.env`.
    pub fn from_env() -> Result<Self> {
        env::load()
    }

    /// Uses the embedded broker if `KAFKA_BROKERS` is not set.
    ///
    /// ```
    /// use narad::Config;
    /// assert_eq!(Config::default().or_embedded().brokers, ["embedded"]);
    /// ```
    pub fn or_embedded(mut self) -> Self {
        if self.brokers.is_empty() {
            self.brokers = vec![EMBEDDED.to_owned()];
        }
        self
    }

    /// Whether the broker is the one inside this process.
    pub(crate) fn is_embedded(&self) -> bool {
        matches!(self.brokers.as_slice(), [only] if only.eq_ignore_ascii_case(EMBEDDED))
    }

    /// `host:port` of the brokers that are known by configuration.
    pub(crate) fn addresses(&self) -> Vec<String> {
        if self.brokers.is_empty() { vec!["localhost:9092".to_owned()] } else { self.brokers.clone() }
    }

    /// Whether missing topics are created.
    pub(crate) fn creates_topics(&self) -> bool {
        self.create_topics.unwrap_or(self.environment == Environment::Development || self.is_embedded())
    }

    /// The group of a handler that names none.
    ///
    /// # Errors
    /// In production, when neither group nor client id is set.
    pub(crate) fn default_group(&self, handler: &str) -> Result<&str> {
        match &self.group_id {
            Some(group) => Ok(group),
            None if self.client_id != Self::default().client_id
                || self.environment == Environment::Development =>
            {
                Ok(&self.client_id)
            }
            None => Err(Error::Start(format!(
                "handler {handler} has no consumer group: set KAFKA_GROUP_ID (or KAFKA_CLIENT_ID), or write \
                 group = \"…\" in #[kafka_handler]"
            ))),
        }
    }

    /// Checks what no single field can: that fields go together, and that files are there.
    ///
    /// # Errors
    /// One line that names the variables of the fields.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |text: String| Err(Error::Config(text));
        if !self.is_embedded() {
            for broker in &self.brokers {
                value::broker(broker).map_err(|why| Error::Config(format!("KAFKA_BROKERS: {why}")))?;
            }
        }
        if self.client_id.is_empty() {
            return wrong("KAFKA_CLIENT_ID is empty".to_owned());
        }
        if let Some(why) = value::odd_header(&self.type_headers) {
            return wrong(format!("NARAD_TYPE_HEADERS: {why}"));
        }
        if self.commit_interval.is_zero() {
            return wrong(
                "NARAD_COMMIT_INTERVAL is 0: commits need a while between them, such as 1000 (ms)".to_owned(),
            );
        }
        self.check_login().map_err(Error::Config)?;
        match (&self.ssl_cert, &self.ssl_key) {
            (Some(_), None) => return wrong("KAFKA_SSL_CERT is set and KAFKA_SSL_KEY is not".to_owned()),
            (None, Some(_)) => return wrong("KAFKA_SSL_KEY is set and KAFKA_SSL_CERT is not".to_owned()),
            _ => {}
        }
        self.check_certificates().map_err(Error::Config)?;
        if cfg!(not(feature = "tls")) && self.ssl {
            return wrong(
                "KAFKA_SSL needs Narad's feature tls, which this program was built without".to_owned(),
            );
        }
        if cfg!(not(feature = "http")) && self.http.is_some() {
            return wrong(
                "NARAD_HTTP needs Narad's feature http, which this program was built without".to_owned(),
            );
        }
        self.check_properties()
    }

    /// Checks that certificates and keys are there and can be what they are for.
    ///
    /// # Errors
    /// One line that names the variable, with nothing of the content.
    fn check_certificates(&self) -> std::result::Result<(), String> {
        use pem::{Encryption, Holds};
        let named = |variable: &'static str| move |why: String| format!("{variable}: {why}");
        for (variable, pem) in [("KAFKA_SSL_CA", &self.ssl_ca), ("KAFKA_SSL_CERT", &self.ssl_cert)] {
            if let Some(pem) = pem {
                pem.check(Holds::Certificates).map_err(named(variable))?;
            }
        }
        match (&self.ssl_key, &self.ssl_key_password) {
            (None, Some(_)) => Err("KAFKA_SSL_KEY_PASSWORD is set and KAFKA_SSL_KEY is not".to_owned()),
            // librdkafka writes past its buffer.
            (Some(_), Some(password)) if password.reveal().len() >= 1024 => {
                Err("KAFKA_SSL_KEY_PASSWORD has more than 1023 bytes, which TLS libraries do not take"
                    .to_owned())
            }
            (Some(key), password) => match key.check(Holds::Key).map_err(named("KAFKA_SSL_KEY"))? {
                Encryption::Encrypted if password.is_none() => {
                    Err("KAFKA_SSL_KEY: the key is encrypted; set KAFKA_SSL_KEY_PASSWORD".to_owned())
                }
                Encryption::Encrypted | Encryption::Open => Ok(()),
            },
            (None, None) => Ok(()),
        }
    }

    /// What works and is likely not meant, a line each, to be logged once at the start.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = self.login_warnings();
        if !self.ssl && [&self.ssl_ca, &self.ssl_cert, &self.ssl_key].into_iter().any(Option::is_some) {
            warnings.push(
                "KAFKA_SSL_CA, KAFKA_SSL_CERT and KAFKA_SSL_KEY do nothing without KAFKA_SSL=true".to_owned(),
            );
        }
        if let Some(address) = self.http
            && !address.ip().is_loopback()
            && self.http_token.is_none()
        {
            warnings.push(format!(
                "NARAD_HTTP: whoever reaches {address} sees health, metrics and what the application is made \
                 of; NARAD_HTTP_TOKEN is not set, so nobody can be shown more or change anything"
            ));
        }
        warnings.extend(self.librdkafka.warnings());
        warnings
    }

    /// `${VAR}` and `${VAR:-default}` in a topic or a group, resolved; `place` says in an error where the
    /// text stands.
    ///
    /// # Errors
    /// When a variable without a default is not set.
    pub(crate) fn resolve(&self, text: &str, place: &str) -> Result<String> {
        placeholders::resolve_placeholders(text, place, |name| self.variables.lookup(name))
    }
}
