//! What there is to configure.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::log_format::LogFormat;
use super::overrides::HandlerOverrides;
use super::pem::Pem;
use super::placeholders::Variables;
use super::profile::Profile;
use super::properties::Properties;
use super::secret::Secret;
use crate::login::Tokens;
use crate::record::TypeHeaders;

/// How Narad connects and runs: one field for each variable of the environment.
/// [`Config::from_env`] reads them all. A program with values of its own starts from the default.
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
/// Later versions add fields, so write `..Config::default()` as above, even if you set all fields of today.
///
/// Its `Debug` shows neither secrets nor the values of librdkafka properties.
#[derive(Clone, Debug)]
pub struct Config {
    /// `KAFKA_CLIENT_ID`: the name by which brokers know this program, and the `source` of its events.
    /// Default `narad`.
    pub client_id: String,
    /// `KAFKA_BROKERS`: `host:port` of some brokers, which tell the client about the others; or the one word
    /// `embedded` for a broker inside this process, for a first run, examples and tests: it keeps nothing
    /// after the process, at most 5 MiB or 100,000 batches per partition (older records are dropped
    /// silently), and has no transactions. Empty means the default: `localhost:9092`, or the embedded broker
    /// after [`Config::or_embedded`].
    pub brokers: Vec<String>,
    /// `KAFKA_SSL`: whether connections are encrypted. Certificate and host name are always verified. Default
    /// false.
    pub ssl: bool,
    /// `KAFKA_SSL_CA`: the authorities to trust. Default: the system's.
    pub ssl_ca: Option<Pem>,
    /// `KAFKA_SSL_CERT`: this client's certificate, with its chain if there is one; needs `ssl_key`.
    pub ssl_cert: Option<Pem>,
    /// `KAFKA_SSL_KEY`: the key of `ssl_cert`.
    pub ssl_key: Option<Pem>,
    /// `KAFKA_SSL_KEY_PASSWORD`: the password of `ssl_key`, if that is encrypted.
    pub ssl_key_password: Option<Secret>,
    /// `KAFKA_SASL_MECHANISM`: how the client authenticates; `plain` and `scram-…` are used when there is a
    /// user name.
    pub sasl_mechanism: SaslMechanism,
    /// `KAFKA_SASL_USERNAME`: the user; needs `sasl_password`. None: no authentication.
    pub sasl_username: Option<Secret>,
    /// `KAFKA_SASL_PASSWORD`: the user's password.
    pub sasl_password: Option<Secret>,
    /// Where tokens come from, with the mechanism `oauthbearer`: see
    /// [`token_provider`](Config::token_provider).
    pub tokens: Option<Tokens>,
    /// `KAFKA_OAUTH_TOKEN_URL`: where tokens are asked for, with the mechanism `oauthbearer` (OpenID
    /// Connect's `token_endpoint`): `https://…`, or `http://…` on this machine. Needs the feature `oidc`, and
    /// wants `oauth_client_id` and `oauth_client_secret`.
    pub oauth_token_url: Option<String>,
    /// `KAFKA_OAUTH_CLIENT_ID`: the client that tokens are asked for.
    pub oauth_client_id: Option<String>,
    /// `KAFKA_OAUTH_CLIENT_SECRET`: its secret.
    pub oauth_client_secret: Option<Secret>,
    /// `KAFKA_OAUTH_SCOPE`: the scopes that are asked for, with spaces between them.
    pub oauth_scope: Option<String>,
    /// `KAFKA_GROUP_ID`: the consumer group of handlers without a `group`.
    pub group_id: Option<String>,
    /// `KAFKA_CONNECTION_TIMEOUT`: how long a broker may take to answer, at the start and for a send. Default
    /// 10 s.
    pub connection_timeout: Duration,
    /// `NARAD_ENV`: whether a broker is required. Default production.
    pub environment: Environment,
    /// `NARAD_GROUPS`: start only these consumer groups. None: all.
    pub groups: Option<Vec<String>>,
    /// `NARAD_TYPE_HEADERS`: the headers that other writers put a record's type into, in their order. They
    /// count where the body has no `type` and there is no header `narad-type`. Default `type`, and `ce_type`
    /// of CloudEvents; empty for none of them.
    pub type_headers: Vec<String>,
    /// `NARAD_CREATE_TOPICS`: whether missing topics are created. None: in development and on the embedded
    /// broker.
    pub create_topics: Option<bool>,
    /// `NARAD_SHUTDOWN_TIMEOUT`: how long handlers in flight may take at a stop; also the deadline when a
    /// partition is revoked. Default 25 s.
    pub shutdown_timeout: Duration,
    /// `NARAD_COMMIT_INTERVAL`: how often offsets are committed. Default 1 s.
    pub commit_interval: Duration,
    /// `NARAD_PROFILE`: what the clients are tuned for. Default latency.
    pub profile: Profile,
    /// `NARAD_LOG`: the format of the log, if the application has not set up logging itself. Default text.
    pub log: LogFormat,
    /// `NARAD_HTTP`: where health, probes, metrics and what the application is made of are served over HTTP.
    /// None: nowhere.
    pub http: Option<SocketAddr>,
    /// `NARAD_HTTP_TOKEN`: the token that an HTTP request sends as `Authorization: Bearer …`. Only such a
    /// request may see keys and error texts, and change something. None: no request may.
    pub http_token: Option<Secret>,
    /// `NARAD_DESCRIBE`: a run prints what the program declares and its settings on stdout, and ends before
    /// it connects. None: it runs.
    pub describe: Option<Describe>,
    /// `NARAD_HANDLER_<NAME>_<OPTION>`: options of handlers, changed without a rebuild.
    pub handler_overrides: HandlerOverrides,
    /// `NARAD_KAFKA_<PROPERTY_WITH_UNDERSCORES>`: other properties of librdkafka.
    pub librdkafka: Properties,
    /// Values for `${VAR}` in topics, patterns, groups and dead letters. They win over the process
    /// environment; [`Config::from_env`] puts in those of `.env` that the environment does not have.
    pub variables: Variables,
    /// Lines for the log at the start, found while the environment was read: which variables are empty, or
    /// that `.env` cannot be read. [`Config::from_env`] sets them.
    pub notes: Vec<String>,
}

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SaslMechanism {
    /// `plain`: the password itself is sent, so use it with TLS.
    #[default]
    Plain,
    /// `scram-sha-256`; needs the feature `tls`.
    ScramSha256,
    /// `scram-sha-512`; needs the feature `tls`.
    ScramSha512,
    /// `oauthbearer`: a token, from [`Config::token_provider`] or from `KAFKA_OAUTH_TOKEN_URL`; needs the
    /// feature `tls`.
    OAuthBearer,
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
#[non_exhaustive]
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
            tokens: None,
            oauth_token_url: None,
            oauth_client_id: None,
            oauth_client_secret: None,
            oauth_scope: None,
            group_id: None,
            connection_timeout: Duration::from_secs(10),
            environment: Environment::Production,
            groups: None,
            type_headers: TypeHeaders::DEFAULT.map(str::to_owned).to_vec(),
            create_topics: None,
            shutdown_timeout: Duration::from_secs(25),
            commit_interval: Duration::from_secs(1),
            profile: Profile::Latency,
            log: LogFormat::Text,
            http: None,
            http_token: None,
            describe: None,
            handler_overrides: HandlerOverrides::default(),
            librdkafka: Properties::default(),
            variables: Variables::default(),
            notes: Vec::new(),
        }
    }
}

impl fmt::Display for SaslMechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::OAuthBearer => "OAUTHBEARER",
        })
    }
}
