//! The environment, variable by variable.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Config, Environment, Profile, SaslMechanism, overrides, value};
use crate::config::suggest::hint;
use crate::error::{Error, Result};

/// The variables that Narad knows by its own name.
const KNOWN: [&str; 8] = [
    "NARAD_ENV",
    "NARAD_GROUPS",
    "NARAD_CREATE_TOPICS",
    "NARAD_SHUTDOWN_TIMEOUT",
    "NARAD_COMMIT_INTERVAL",
    "NARAD_PROFILE",
    "NARAD_HTTP",
    "NARAD_HANDLER_<NAME>_<OPTION>",
];

/// The process environment over `.env`.
pub(super) fn load() -> Result<Config> {
    let real: BTreeMap<String, String> =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
    let file = match real.get("NARAD_ENV").map(String::as_str) {
        Some("production") => BTreeMap::new(),
        _ => dotenv(Path::new(".env"))?,
    };
    from_vars(real, file)
}

/// What stands in a `.env` file, if there is one.
fn dotenv(path: &Path) -> Result<BTreeMap<String, String>> {
    let wrong = |error: dotenvy::Error| match error {
        dotenvy::Error::LineParse(_, at) => {
            Error::Config(format!("{}: a line cannot be read, near its character {at}: write NAME=value", path.display()))
        }
        other => Error::Config(format!("{}: {other}", path.display())),
    };
    match dotenvy::from_path_iter(path) {
        Ok(lines) => lines.map(|line| line.map_err(wrong)).collect(),
        Err(error) if error.not_found() => Ok(BTreeMap::new()),
        Err(error) => Err(wrong(error)),
    }
}

/// Variables of the environment, which win, and of a `.env` file.
pub(super) fn from_vars(real: BTreeMap<String, String>, file: BTreeMap<String, String>) -> Result<Config> {
    let mut config = Config::default();
    for (name, value) in &file {
        if !real.contains_key(name) {
            config.variables.set(name, value);
        }
    }
    let mut vars = file;
    vars.extend(real);
    for (name, text) in &vars {
        set(&mut config, name, text.trim()).map_err(|why| Error::Config(format!("{name}: {why}")))?;
    }
    config.check()?;
    Ok(config)
}

fn set(config: &mut Config, name: &str, text: &str) -> std::result::Result<(), String> {
    let filled = || if text.is_empty() { Err("is empty: give it a value or unset it".to_owned()) } else { Ok(text.to_owned()) };
    match name {
        "KAFKA_CLIENT_ID" => config.client_id = filled()?,
        "KAFKA_BROKERS" if text.eq_ignore_ascii_case("embedded") => config.brokers = vec![super::EMBEDDED.to_owned()],
        "KAFKA_BROKERS" => {
            filled()?;
            config.brokers = value::list(text)?.iter().map(|broker| value::broker(broker)).collect::<std::result::Result<_, _>>()?;
        }
        "KAFKA_SSL" => config.ssl = value::boolean(text)?,
        "KAFKA_SSL_CA" => config.ssl_ca = Some(PathBuf::from(filled()?)),
        "KAFKA_SSL_CERT" => config.ssl_cert = Some(PathBuf::from(filled()?)),
        "KAFKA_SSL_KEY" => config.ssl_key = Some(PathBuf::from(filled()?)),
        "KAFKA_SASL_MECHANISM" => {
            config.sasl_mechanism = match text.to_ascii_lowercase().as_str() {
                "plain" => SaslMechanism::Plain,
                "scram-sha-256" => SaslMechanism::ScramSha256,
                "scram-sha-512" => SaslMechanism::ScramSha512,
                _ => return Err(format!("{text:?} is none of plain, scram-sha-256, scram-sha-512")),
            }
        }
        "KAFKA_SASL_USERNAME" => config.sasl_username = Some(filled()?.into()),
        "KAFKA_SASL_PASSWORD" => config.sasl_password = Some(filled()?.into()),
        "KAFKA_GROUP_ID" => config.group_id = Some(filled()?),
        "KAFKA_CONNECTION_TIMEOUT" => config.connection_timeout = value::milliseconds(text)?,
        "NARAD_ENV" => {
            config.environment = match text {
                "production" => Environment::Production,
                "development" => Environment::Development,
                _ => return Err(format!("{text:?} is neither production nor development")),
            }
        }
        "NARAD_GROUPS" => config.groups = Some(value::list(text)?),
        "NARAD_CREATE_TOPICS" => config.create_topics = Some(value::boolean(text)?),
        "NARAD_SHUTDOWN_TIMEOUT" => config.shutdown_timeout = value::milliseconds(text)?,
        "NARAD_COMMIT_INTERVAL" => config.commit_interval = value::milliseconds(text)?,
        "NARAD_PROFILE" => {
            config.profile = match text {
                "latency" => Profile::Latency,
                "throughput" => Profile::Throughput,
                _ => return Err(format!("{text:?} is neither latency nor throughput")),
            }
        }
        "NARAD_HTTP" => config.http = value::http_address(text)?,
        _ => {
            if let Some(handler) = name.strip_prefix(overrides::PREFIX) {
                config.handler_overrides.set(handler, text);
            } else if let Some(property) = name.strip_prefix("NARAD_KAFKA_") {
                config.librdkafka.set(property, text)?;
            } else if name.starts_with("NARAD_") && !name.starts_with("NARAD_TEST_") {
                return Err(format!(
                    "Narad knows no such variable{}; there are: {}, NARAD_KAFKA_<PROPERTY>",
                    hint(name, KNOWN),
                    KNOWN.join(", ")
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Config> {
        from_vars(vars.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(), BTreeMap::new())
    }

    #[test]
    fn each_wrong_value_is_one_line_that_names_its_variable() {
        for (name, value) in [
            ("KAFKA_BROKERS", ""),
            ("KAFKA_BROKERS", "kafka:port"),
            ("KAFKA_SSL", "maybe"),
            ("KAFKA_SSL_CA", "no/such/file.pem"),
            ("KAFKA_SASL_MECHANISM", "kerberos"),
            ("KAFKA_SASL_USERNAME", "alice"),
            ("KAFKA_CONNECTION_TIMEOUT", "soon"),
            ("NARAD_ENV", "staging"),
            ("NARAD_CREATE_TOPIC", "true"),
            ("NARAD_SHUTDOWN_TIMEOUT", "-1"),
            ("NARAD_PROFILE", "fast"),
            ("NARAD_HTTP", "nowhere"),
            ("NARAD_KAFKA_FETCH_MIN_BITES", "1"),
            ("NARAD_KAFKA_ENABLE_AUTO_COMMIT", "true"),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name) && !error.contains('\n'), "{name}={value}: {error}");
        }
    }

    #[test]
    fn what_others_set_is_ignored_and_a_misspelt_variable_is_not() {
        read(&[("KAFKA_PORT_9092_TCP_ADDR", "10.0.0.1"), ("NARAD_TEST_LEDGER", "x")]).unwrap();
        assert!(read(&[("NARAD_GROUP", "a")]).unwrap_err().to_string().contains("did you mean NARAD_GROUPS?"));
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let one = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let config = from_vars(one("KAFKA_CLIENT_ID", "real"), one("KAFKA_CLIENT_ID", "file")).unwrap();
        assert_eq!(config.client_id, "real");
        let config = from_vars(BTreeMap::new(), one("REGION", "eu")).unwrap();
        assert_eq!(config.resolve("orders.${REGION}", "topic").unwrap(), "orders.eu");
    }

    #[test]
    fn no_secret_shows() {
        let canary = "hunter2-canary";
        let config =
            read(&[("KAFKA_SASL_USERNAME", canary), ("KAFKA_SASL_PASSWORD", canary), ("NARAD_KAFKA_SSL_KEY_PASSWORD", canary)]).unwrap();
        assert!(!format!("{config:?}").contains(canary));
    }
}
