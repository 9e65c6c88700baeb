//! The settings in force, by the names of their variables, and where each comes from.

use std::time::Duration;

use serde::Serialize;

use super::properties::{is_secret, variable_of};
use super::secret::looks_secret;
use super::{Config, Environment, LogFormat, Pem, Profile, env, overrides};

/// One setting.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Setting {
    /// The name of its variable.
    name: String,
    /// As the variable would have it; `None` where it is not set, and for a secret.
    value: Option<String>,
    from: Origin,
    /// It is set, and not shown.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    secret: bool,
}

/// Where a setting comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Origin {
    Default,
    Environment,
    #[serde(rename = ".env")]
    File,
    /// The program has given it to its builder.
    Program,
}

/// A setting as its variable would have it. It may be a secret, so nothing prints it.
#[derive(PartialEq, Eq)]
struct Text {
    name: String,
    text: Option<String>,
    is_secret: bool,
}

impl Config {
    /// All settings, those that are not set included.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let read = env::load().map_or_else(|_| Vec::new(), |config| config.texts());
        let default = Self::default().texts();
        let place = |setting: Text| {
            let from = match self.origin(&setting.name) {
                Some(origin) if read.contains(&setting) => origin,
                _ if default.contains(&setting) => Origin::Default,
                _ => Origin::Program,
            };
            let Text { name, text, is_secret } = setting;
            let secret = is_secret && text.is_some();
            Setting { name, value: text.filter(|_| !secret), from, secret }
        };
        self.texts().into_iter().map(place).collect()
    }

    /// Where the variable of a setting stands, or that of the file that holds it.
    fn origin(&self, name: &str) -> Option<Origin> {
        let own = self.own_origin(name);
        // A client id that was given is a group, also where it is the one that nobody gives.
        let is_client_id = name == "KAFKA_GROUP_ID" && self.group_id.as_ref() == Some(&self.client_id);
        own.or_else(|| is_client_id.then(|| self.own_origin("KAFKA_CLIENT_ID")).flatten())
    }

    fn own_origin(&self, name: &str) -> Option<Origin> {
        let is_set = |text: &String| !text.trim().is_empty();
        let names = [name.to_owned(), format!("{name}_FILE")];
        // What the environment has empty hides the file's.
        if names.iter().any(|name| std::env::var(name).is_ok_and(|text| is_set(&text))) {
            return Some(Origin::Environment);
        }
        names.iter().any(|name| self.variables.own(name).is_some_and(is_set)).then_some(Origin::File)
    }

    fn texts(&self) -> Vec<Text> {
        let mut texts = Vec::new();
        let mut put = |name: &str, text: Option<String>, is_secret: bool| {
            texts.push(Text { name: name.to_owned(), text, is_secret });
        };
        let mut shown = |name: &str, text: Option<String>| put(name, text, false);
        shown("KAFKA_CLIENT_ID", Some(self.client_id.clone()));
        shown("KAFKA_BROKERS", Some(self.addresses().join(",")));
        shown("KAFKA_SSL", Some(self.ssl.to_string()));
        shown("KAFKA_SASL_MECHANISM", Some(self.sasl_mechanism.to_string().to_ascii_lowercase()));
        shown("KAFKA_OAUTH_TOKEN_URL", self.oauth_token_url.clone());
        shown("KAFKA_OAUTH_CLIENT_ID", self.oauth_client_id.clone());
        shown("KAFKA_OAUTH_SCOPE", self.oauth_scope.clone());
        shown("KAFKA_GROUP_ID", self.group_id.clone());
        shown("KAFKA_CONNECTION_TIMEOUT", Some(milliseconds(self.connection_timeout)));
        shown(
            "NARAD_ENV",
            Some(match self.environment {
                Environment::Production => "production".to_owned(),
                Environment::Development => "development".to_owned(),
            }),
        );
        shown("NARAD_GROUPS", self.groups.as_ref().map(|groups| groups.join(",")));
        shown("NARAD_TYPE_HEADERS", Some(self.type_headers.join(",")));
        shown("NARAD_CREATE_TOPICS", Some(self.creates_topics().to_string()));
        shown("NARAD_SHUTDOWN_TIMEOUT", Some(milliseconds(self.shutdown_timeout)));
        shown("NARAD_COMMIT_INTERVAL", Some(milliseconds(self.commit_interval)));
        shown(
            "NARAD_PROFILE",
            Some(match self.profile {
                Profile::Latency => "latency".to_owned(),
                Profile::Throughput => "throughput".to_owned(),
            }),
        );
        shown(
            "NARAD_LOG",
            Some(match self.log {
                LogFormat::Text => "text".to_owned(),
                LogFormat::Json => "json".to_owned(),
            }),
        );
        shown("NARAD_HTTP", self.http.map(|address| address.to_string()));
        for (name, pem) in [
            ("KAFKA_SSL_CA", &self.ssl_ca),
            ("KAFKA_SSL_CERT", &self.ssl_cert),
            ("KAFKA_SSL_KEY", &self.ssl_key),
        ] {
            put(name, pem.as_ref().map(|pem| pem.property().1), pem.as_ref().is_some_and(Pem::is_secret));
        }
        for (name, secret) in [
            ("KAFKA_SSL_KEY_PASSWORD", &self.ssl_key_password),
            ("KAFKA_SASL_USERNAME", &self.sasl_username),
            ("KAFKA_SASL_PASSWORD", &self.sasl_password),
            ("NARAD_HTTP_TOKEN", &self.http_token),
            ("KAFKA_OAUTH_CLIENT_SECRET", &self.oauth_client_secret),
        ] {
            put(name, secret.as_ref().map(|secret| secret.reveal().to_owned()), true);
        }
        for (property, value) in self.librdkafka.all() {
            let hides = is_secret(property) || looks_secret(value);
            put(&variable_of(property), Some(value.to_owned()), hides);
        }
        for (name, value) in self.handler_overrides.values() {
            put(&format!("{}{name}", overrides::PREFIX), Some(value.to_owned()), false);
        }
        texts.sort_by(|a, b| a.name.cmp(&b.name));
        texts
    }
}

fn milliseconds(time: Duration) -> String {
    time.as_millis().to_string()
}
