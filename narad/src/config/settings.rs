//! The settings in force, by the names of their variables, and where each comes from.

use std::time::Duration;

use serde::Serialize;

use super::properties::{is_secret, variable_of};
use super::secret::looks_secret;
use super::{Config, Environment, Pem, Profile, Secret, env, overrides};

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

/// A value to show; `Err` is one that is set and not shown.
type Shown = Result<Option<String>, ()>;

impl Config {
    /// All settings, those that are not set included.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let read = env::load().ok().map(|config| config.values()).unwrap_or_default();
        let default = Self::default().values();
        let same = |values: &[(String, Shown, Compared)], name: &str, value: &Compared| {
            values.iter().any(|(other, _, text)| other == name && text == value)
        };
        self.values()
            .into_iter()
            .map(|(name, shown, value)| {
                let from = match self.origin(&name) {
                    Some(origin) if same(&read, &name, &value) => origin,
                    _ if same(&default, &name, &value) => Origin::Default,
                    _ => Origin::Program,
                };
                Setting { from, secret: shown.is_err(), value: shown.ok().flatten(), name }
            })
            .collect()
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

    fn values(&self) -> Vec<(String, Shown, Compared)> {
        let mut values = Vec::new();
        let mut put = |name: &str, shown: Shown, compared: Option<String>| {
            values.push((name.to_owned(), shown, Compared(compared)));
        };
        let mut shown = |name: &str, value: Option<String>| put(name, Ok(value.clone()), value);
        shown("KAFKA_CLIENT_ID", Some(self.client_id.clone()));
        shown("KAFKA_BROKERS", Some(self.addresses().join(",")));
        shown("KAFKA_SSL", Some(self.ssl.to_string()));
        shown("KAFKA_SASL_MECHANISM", Some(self.sasl_mechanism.to_string().to_ascii_lowercase()));
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
        shown("NARAD_HTTP", self.http.map(|address| address.to_string()));
        for (name, pem) in [
            ("KAFKA_SSL_CA", &self.ssl_ca),
            ("KAFKA_SSL_CERT", &self.ssl_cert),
            ("KAFKA_SSL_KEY", &self.ssl_key),
        ] {
            let path = |pem: &Pem| pem.path().map(str::to_owned).ok_or(());
            let compared = pem.as_ref().map(|pem| pem.property().1.to_owned());
            put(name, pem.as_ref().map(path).transpose(), compared);
        }
        for (name, secret) in [
            ("KAFKA_SSL_KEY_PASSWORD", &self.ssl_key_password),
            ("KAFKA_SASL_USERNAME", &self.sasl_username),
            ("KAFKA_SASL_PASSWORD", &self.sasl_password),
        ] {
            let text = secret.as_ref().map(|secret: &Secret| secret.reveal().to_owned());
            put(name, if text.is_some() { Err(()) } else { Ok(None) }, text);
        }
        for property in self.librdkafka.names() {
            let value = self.librdkafka.get(property).unwrap_or_default().to_owned();
            let hides = is_secret(property) || looks_secret(&value);
            put(&own_variable(property), if hides { Err(()) } else { Ok(Some(value.clone())) }, Some(value));
        }
        for (name, value) in self.handler_overrides.values() {
            let value = value.to_owned();
            put(&format!("{}{name}", overrides::PREFIX), Ok(Some(value.clone())), Some(value));
        }
        values.sort_by(|a, b| a.0.cmp(&b.0));
        values
    }
}

/// The value itself, for comparing two of them: it may be a secret, so nothing shows it.
#[derive(PartialEq, Eq)]
struct Compared(Option<String>);

/// The variable by which an application sets a property of librdkafka.
fn own_variable(property: &str) -> String {
    let name = variable_of(property);
    if name.starts_with("NARAD_KAFKA_") {
        return name;
    }
    format!("NARAD_KAFKA_{}", property.replace('.', "_").to_ascii_uppercase())
}

fn milliseconds(time: Duration) -> String {
    time.as_millis().to_string()
}
