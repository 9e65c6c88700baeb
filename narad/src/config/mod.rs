//! The configuration, read once from the environment into types.

mod client;
mod dotenv;
mod env;
mod fit;
mod overrides;
mod pem;
mod placeholders;
mod profile;
mod properties;
mod secret;
mod settings;
mod value;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::transport::EMBEDDED;

pub(crate) use client::ClientKind;
pub use overrides::HandlerOverrides;
pub(crate) use overrides::{HandlerKind, Overridden};
pub use pem::Pem;
pub use placeholders::Variables;
pub use profile::Profile;
pub use properties::Properties;
pub use secret::Secret;

/// How Narad connects and runs: one field for each variable of the environment.
///
/// [`Config::from_env`] reads them all; a program that brings its own values starts from the default.
///
/// ```
/// use narad::Config;
///
/// let config = Config {
///     client_id: "billing".into(),
///     brokers: vec!["kafka-1:9092".into(), "kafka-2:9092".into()],
///     ..Config::default()
/// };
/// assert!(!config.ssl);
/// ```
///
/// Its `Debug` shows neither secrets nor the values of librdkafka properties.
#[derive(Clone, Debug)]
pub struct Config {
    /// `KAFKA_CLIENT_ID`: the name by which brokers know this program, and the `source` of its events.
    /// Default `narad`.
    pub client_id: String,
    /// `KAFKA_BROKERS`: `host:port` of some brokers, which tell the client about the others; or the one word
    /// `embedded` for a broker inside this process, for a first run, examples and tests: it keeps nothing
    /// after the process, at most 5 MiB or 100,000 batches a partition (older records are dropped without a
    /// sign), and knows no transactions. Empty where nothing was said: `localhost:9092`, or the embedded
    /// broker after [`Config::or_embedded`].
    pub brokers: Vec<String>,
    /// `KAFKA_SSL`: whether connections are encrypted. Certificate and host name are always verified. Default
    /// false.
    pub ssl: bool,
    /// `KAFKA_SSL_CA`: the authorities to trust. Default: the system's.
    pub ssl_ca: Option<Pem>,
    /// `KAFKA_SSL_CERT`: this client's certificate, and the chain above it where there is one; wants
    /// `ssl_key`.
    pub ssl_cert: Option<Pem>,
    /// `KAFKA_SSL_KEY`: the key of `ssl_cert`.
    pub ssl_key: Option<Pem>,
    /// `KAFKA_SSL_KEY_PASSWORD`: what opens `ssl_key`, where that is encrypted.
    pub ssl_key_password: Option<Secret>,
    /// `KAFKA_SASL_MECHANISM`: how the client authenticates; used when there is a user name.
    pub sasl_mechanism: SaslMechanism,
    /// `KAFKA_SASL_USERNAME`: the user; wants `sasl_password`. None: no authentication.
    pub sasl_username: Option<Secret>,
    /// `KAFKA_SASL_PASSWORD`: the user's password.
    pub sasl_password: Option<Secret>,
    /// `KAFKA_GROUP_ID`: the consumer group of handlers that name none.
    pub group_id: Option<String>,
    /// `KAFKA_CONNECTION_TIMEOUT`: how long a broker may take to answer, at the start and for a send. Default
    /// 10 s.
    pub connection_timeout: Duration,
    /// `NARAD_ENV`: whether a broker is required. Default production.
    pub environment: Environment,
    /// `NARAD_GROUPS`: start only these consumer groups. None: all.
    pub groups: Option<Vec<String>>,
    /// `NARAD_CREATE_TOPICS`: whether missing topics are created. None: in development and on the embedded
    /// broker.
    pub create_topics: Option<bool>,
    /// `NARAD_SHUTDOWN_TIMEOUT`: how long handlers in flight may take at a stop; also the deadline when a
    /// partition is taken away. Default 25 s.
    pub shutdown_timeout: Duration,
    /// `NARAD_COMMIT_INTERVAL`: how often offsets are committed. Default 1 s.
    pub commit_interval: Duration,
    /// `NARAD_PROFILE`: what the clients are tuned for. Default latency.
    pub profile: Profile,
    /// `NARAD_HTTP`: where `GET /health/kafka` is served. None: nowhere.
    pub http: Option<SocketAddr>,
    /// `NARAD_DESCRIBE`: a run prints what the program declares and its settings on stdout, and ends before
    /// it connects. None: it runs.
    pub describe: Option<Describe>,
    /// `NARAD_HANDLER_<NAME>_<OPTION>`: options of handlers, changed without a rebuild.
    pub handler_overrides: HandlerOverrides,
    /// `NARAD_KAFKA_<PROPERTY_WITH_UNDERSCORES>`: other properties of librdkafka.
    pub librdkafka: Properties,
    /// Values for `${VAR}` in topics, patterns, groups and dead letters. They come before the process
    /// environment; [`Config::from_env`] puts in those of `.env` that the environment does not have.
    pub variables: Variables,
    /// What reading the environment found that the log is to say at the start, a line each: which variables
    /// are there and empty, or that `.env` cannot be read. [`Config::from_env`] puts it in.
    pub notes: Vec<String>,
}

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SaslMechanism {
    /// `plain`: the password itself is sent, so use it with TLS.
    #[default]
    Plain,
    /// `scram-sha-256`; needs the feature `tls`.
    ScramSha256,
    /// `scram-sha-512`; needs the feature `tls`.
    ScramSha512,
}

/// How a program describes itself instead of running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Describe {
    /// `json`: as one line of JSON: the [`Registry`](crate::Registry) with all names resolved (`null` where a
    /// variable is missing), and the settings in force with where each comes from. Secrets are not in it.
    Json,
}

/// Whether a broker is required.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Environment {
    /// `production`: no broker within the connection time-out is an error.
    #[default]
    Production,
    /// `development`: runs without a broker, logs what it would send, and connects once one appears.
    Development,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            client_id: "narad".to_owned(),
            brokers: Vec::new(),
            ssl: false,
            ssl_ca: None,
            ssl_cert: None,
            ssl_key: None,
            ssl_key_password: None,
            sasl_mechanism: SaslMechanism::Plain,
            sasl_username: None,
            sasl_password: None,
            group_id: None,
            connection_timeout: Duration::from_secs(10),
            environment: Environment::Production,
            groups: None,
            create_topics: None,
            shutdown_timeout: Duration::from_secs(25),
            commit_interval: Duration::from_secs(1),
            profile: Profile::Latency,
            http: None,
            describe: None,
            handler_overrides: HandlerOverrides::default(),
            librdkafka: Properties::default(),
            variables: Variables::default(),
            notes: Vec::new(),
        }
    }
}

impl Config {
    /// The configuration of the environment, and of `.env` in the working directory unless `NARAD_ENV` is
    /// `production` in the environment itself. What the environment says wins over `.env`. The file is read
    /// as the npm package `dotenv` 17 reads it: nothing is expanded, of two lines of one variable the last
    /// counts, and a line that says nothing to Narad is passed over. A variable that is empty counts as one
    /// that is not set; in the environment it hides the file's.
    ///
    /// # Errors
    /// A value that is wrong, a file that is missing, or a `NARAD_` variable that does not exist: one line
    /// that names the variable, and the line of `.env` where it stands there.
    pub fn from_env() -> Result<Self> {
        env::load()
    }

    /// The embedded broker where `KAFKA_BROKERS` is not set.
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
        if self.commit_interval.is_zero() {
            return wrong(
                "NARAD_COMMIT_INTERVAL is 0: commits need a while between them, such as 1000 (ms)".to_owned(),
            );
        }
        match (&self.sasl_username, &self.sasl_password) {
            (Some(_), None) => {
                return wrong("KAFKA_SASL_USERNAME is set and KAFKA_SASL_PASSWORD is not".to_owned());
            }
            (None, Some(_)) => {
                return wrong("KAFKA_SASL_PASSWORD is set and KAFKA_SASL_USERNAME is not".to_owned());
            }
            _ => {}
        }
        match (&self.ssl_cert, &self.ssl_key) {
            (Some(_), None) => return wrong("KAFKA_SSL_CERT is set and KAFKA_SSL_KEY is not".to_owned()),
            (None, Some(_)) => return wrong("KAFKA_SSL_KEY is set and KAFKA_SSL_CERT is not".to_owned()),
            _ => {}
        }
        self.check_certificates().map_err(Error::Config)?;
        if cfg!(not(feature = "tls")) {
            if self.ssl {
                return wrong(
                    "KAFKA_SSL needs Narad's feature tls, which this program was built without".to_owned(),
                );
            }
            if self.sasl_username.is_some() && self.sasl_mechanism != SaslMechanism::Plain {
                return wrong(
                    "KAFKA_SASL_MECHANISM: SCRAM needs Narad's feature tls, which this program was \
                 built without"
                        .to_owned(),
                );
            }
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
        let mut warnings = Vec::new();
        if self.is_embedded() && (self.ssl || self.sasl_username.is_some()) {
            warnings.push(
                "KAFKA_SSL and KAFKA_SASL_USERNAME do nothing with the embedded broker: it knows \
             no TLS and no users"
                    .to_owned(),
            );
        } else if self.sasl_username.is_some() && !self.ssl {
            let sent = match self.sasl_mechanism {
                SaslMechanism::Plain => "the password crosses the network unencrypted",
                SaslMechanism::ScramSha256 | SaslMechanism::ScramSha512 => {
                    "records cross the network unencrypted"
                }
            };
            warnings.push(format!("KAFKA_SASL_USERNAME is set without KAFKA_SSL=true: {sent}"));
        }
        if !self.ssl && [&self.ssl_ca, &self.ssl_cert, &self.ssl_key].into_iter().any(Option::is_some) {
            warnings.push(
                "KAFKA_SSL_CA, KAFKA_SSL_CERT and KAFKA_SSL_KEY do nothing without KAFKA_SSL=true".to_owned(),
            );
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

impl fmt::Display for SaslMechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        })
    }
}
