//! The environment, variable by variable.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use narad_syntax::suggest::nearest;

use super::dotenv::{File, Line, in_file};
use super::properties::is_settable_secret;
use super::secret::of_file;
use super::{Config, Describe, Environment, LogFormat, Pem, Profile, SaslMechanism, overrides, value};
use crate::error::{Error, Result};
use crate::transport::EMBEDDED;

/// The variables that Narad knows by its own name.
const KNOWN: [&str; 13] = [
    "NARAD_ENV",
    "NARAD_GROUPS",
    "NARAD_TYPE_HEADERS",
    "NARAD_CREATE_TOPICS",
    "NARAD_SHUTDOWN_TIMEOUT",
    "NARAD_COMMIT_INTERVAL",
    "NARAD_PROFILE",
    "NARAD_LOG",
    "NARAD_HTTP",
    "NARAD_HTTP_TOKEN",
    "NARAD_DESCRIBE",
    "NARAD_HANDLER_<NAME>_<OPTION>",
    "NARAD_KAFKA_<PROPERTY>",
];

/// The process environment over `.env`.
pub(super) fn load() -> Result<Config> {
    let real = real(std::env::vars_os())?;
    let file = match real.get("NARAD_ENV").map(|text| text.trim()) {
        Some("production") => File::default(),
        _ => File::read(Path::new(".env")),
    };
    from_vars(&real, &file)
}

/// The process environment. What others set there may be any bytes.
fn real(vars: impl Iterator<Item = (OsString, OsString)>) -> Result<BTreeMap<String, String>> {
    let mut real = BTreeMap::new();
    for (name, value) in vars {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => drop(real.insert(name, value)),
            (Ok(name), Err(_)) if name.starts_with("KAFKA_") || name.starts_with("NARAD_") => {
                return Err(Error::Config(format!("{name}: the value is not UTF-8")));
            }
            _ => {}
        }
    }
    Ok(real)
}

/// A variable that is set, and where in the file it stands, if it is from there.
struct Variable<'a> {
    text: &'a str,
    line: Option<&'a Line>,
}

/// Variables of the environment, which win, and of a `.env` file.
pub(super) fn from_vars(real: &BTreeMap<String, String>, file: &File) -> Result<Config> {
    let mut config = Config::default();
    config.notes.extend(file.unread.clone());
    let is_set = |text: &str| !text.trim().is_empty();
    let mut vars = BTreeMap::new();
    // One of the environment hides the file's, also where it is empty.
    for (name, line) in file.variables.iter().filter(|(name, _)| !real.contains_key(*name)) {
        config.variables.set(name, &line.value);
        // A secret of the environment wins over the other form of it, too.
        if !forms(name).iter().any(|form| real.get(form).is_some_and(|text| is_set(text))) {
            vars.insert(name.as_str(), Variable { text: &line.value, line: Some(line) });
        }
    }
    vars.extend(real.iter().map(|(name, text)| (name.as_str(), Variable { text, line: None })));
    let mut empty = Vec::new();
    vars.retain(|name, variable| {
        let is_set = is_set(variable.text);
        empty.extend((!is_set && is_narads(name)).then_some(*name));
        is_set
    });
    if !empty.is_empty() {
        config.notes.push(format!("variables that are empty count as not set: {}", empty.join(", ")));
    }
    take(&mut config, &vars).map_err(|error| located(error, &vars))?;
    Ok(config)
}

/// Sets what the variables say, and checks that it goes together.
fn take(config: &mut Config, vars: &BTreeMap<&str, Variable<'_>>) -> Result<()> {
    for (name, variable) in vars {
        if let [value, file] = &forms(name)[..]
            && vars.contains_key(value.as_str())
            && vars.contains_key(file.as_str())
        {
            return Err(Error::Config(format!("{value} and {file} are both set: keep one of them")));
        }
        if is_narads(name) && variable.line.is_some_and(|line| line.is_broken) {
            return Err(Error::Config(format!("{name}: the value is not UTF-8")));
        }
        // Of a secret, as of a file that holds one, line ends at the end are no part, and spaces are.
        let text =
            if is_secret(name) { variable.text.trim_end_matches(['\r', '\n']) } else { variable.text.trim() };
        set(config, name, text).map_err(|why| Error::Config(format!("{name}: {why}")))?;
        if let (Some(handler), Some(line)) = (name.strip_prefix(overrides::PREFIX), variable.line) {
            config.handler_overrides.stands_at(handler, line.number);
        }
    }
    // A client id that was given is a group, also where it is the one that nobody gives.
    if config.group_id.is_none()
        && config.client_id == Config::default().client_id
        && vars.contains_key("KAFKA_CLIENT_ID")
    {
        config.group_id = Some(config.client_id.clone());
    }
    config.check()
}

/// The error with the line of the variable that it begins with, where that is from the file.
fn located(error: Error, vars: &BTreeMap<&str, Variable<'_>>) -> Error {
    let Error::Config(text) = error else { return error };
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let name = text.split(|character| !is_name(character)).next().unwrap_or_default();
    match vars.get(name).and_then(|variable| variable.line) {
        Some(line) => Error::Config(format!("{text}{}", in_file(line.number))),
        None => Error::Config(text),
    }
}

/// The secrets that a file may hold as well, whose path `<NAME>_FILE` has.
const SECRETS: [&str; 8] = [
    "KAFKA_SSL_CA",
    "KAFKA_SSL_CERT",
    "KAFKA_SSL_KEY",
    "KAFKA_SSL_KEY_PASSWORD",
    "KAFKA_SASL_USERNAME",
    "KAFKA_SASL_PASSWORD",
    "KAFKA_OAUTH_CLIENT_SECRET",
    "NARAD_HTTP_TOKEN",
];

/// Those whose value is no secret.
const SHOWN: [&str; 9] = [
    "KAFKA_CLIENT_ID",
    "KAFKA_BROKERS",
    "KAFKA_SSL",
    "KAFKA_SASL_MECHANISM",
    "KAFKA_OAUTH_TOKEN_URL",
    "KAFKA_OAUTH_CLIENT_ID",
    "KAFKA_OAUTH_SCOPE",
    "KAFKA_GROUP_ID",
    "KAFKA_CONNECTION_TIMEOUT",
];

const LIBRDKAFKA: &str = "NARAD_KAFKA_";

/// The two variables that give a secret, itself and its file, where this is one of them; else none.
fn forms(name: &str) -> Vec<String> {
    let is_secret =
        |name: &str| SECRETS.contains(&name) || name.strip_prefix(LIBRDKAFKA).is_some_and(is_settable_secret);
    let value = if is_secret(name) {
        Some(name)
    } else {
        name.strip_suffix("_FILE").filter(|value| is_secret(value))
    };
    value.map_or_else(Vec::new, |value| vec![value.to_owned(), format!("{value}_FILE")])
}

/// Whether a variable means anything to Narad.
fn is_narads(name: &str) -> bool {
    name.starts_with("NARAD_") && !name.starts_with("NARAD_TEST_")
        || SHOWN.contains(&name)
        || !forms(name).is_empty()
}

/// Whether a variable holds a secret itself that is no PEM.
fn is_secret(name: &str) -> bool {
    let is_pem = |name: &str| {
        ["KAFKA_SSL_CA", "KAFKA_SSL_CERT", "KAFKA_SSL_KEY"].contains(&name) || name.ends_with("_PEM")
    };
    forms(name).first().is_some_and(|value| value == name) && !is_pem(name)
}

/// A variable that is not empty.
fn set(config: &mut Config, name: &str, text: &str) -> std::result::Result<(), String> {
    // A key in the wrong variable would be shown as that variable's value, in this or in another error, or in
    // `Debug`.
    let is_shown = name.starts_with("NARAD_") && !name.starts_with(LIBRDKAFKA) || SHOWN.contains(&name);
    if is_shown && text.contains("-----BEGIN") {
        return Err(
            "the value looks like a PEM, which KAFKA_SSL_CA, KAFKA_SSL_CERT and KAFKA_SSL_KEY take; \
         it is not shown"
                .to_owned(),
        );
    }
    match name {
        "KAFKA_CLIENT_ID" => config.client_id = text.to_owned(),
        "KAFKA_BROKERS" => {
            let brokers = value::list(text)?;
            config.brokers = match brokers.as_slice() {
                [only] if only.eq_ignore_ascii_case(EMBEDDED) => vec![EMBEDDED.to_owned()],
                several => several
                    .iter()
                    .map(|broker| value::broker(broker))
                    .collect::<std::result::Result<_, _>>()?,
            };
        }
        "KAFKA_SSL" => config.ssl = value::boolean(text)?,
        "KAFKA_SSL_CA" => config.ssl_ca = Some(Pem::of_variable(text)?),
        "KAFKA_SSL_CERT" => config.ssl_cert = Some(Pem::of_variable(text)?),
        "KAFKA_SSL_KEY" => config.ssl_key = Some(Pem::of_variable(text)?),
        "KAFKA_SSL_CA_FILE" => config.ssl_ca = Some(Pem::file(text)),
        "KAFKA_SSL_CERT_FILE" => config.ssl_cert = Some(Pem::file(text)),
        "KAFKA_SSL_KEY_FILE" => config.ssl_key = Some(Pem::file(text)),
        "KAFKA_SSL_KEY_PASSWORD" => config.ssl_key_password = Some(text.into()),
        "KAFKA_SSL_KEY_PASSWORD_FILE" => config.ssl_key_password = Some(of_file(Path::new(text))?),
        "KAFKA_SASL_MECHANISM" => {
            config.sasl_mechanism = match text.to_ascii_lowercase().as_str() {
                "plain" => SaslMechanism::Plain,
                "scram-sha-256" => SaslMechanism::ScramSha256,
                "scram-sha-512" => SaslMechanism::ScramSha512,
                "oauthbearer" => SaslMechanism::OAuthBearer,
                "aws-msk-iam" => {
                    return Err(
                        "Narad signs nothing for Amazon MSK itself: set it to oauthbearer, and have a \
                                token_provider call aws-msk-iam-sasl-signer, as docs/operations.md shows"
                            .to_owned(),
                    );
                }
                _ => {
                    return Err(format!(
                        "{} is none of plain, scram-sha-256, scram-sha-512, oauthbearer",
                        value::quoted(text)
                    ));
                }
            }
        }
        "KAFKA_SASL_USERNAME" => config.sasl_username = Some(text.into()),
        "KAFKA_SASL_PASSWORD" => config.sasl_password = Some(text.into()),
        "KAFKA_SASL_USERNAME_FILE" => config.sasl_username = Some(of_file(Path::new(text))?),
        "KAFKA_SASL_PASSWORD_FILE" => config.sasl_password = Some(of_file(Path::new(text))?),
        "KAFKA_OAUTH_TOKEN_URL" => config.oauth_token_url = Some(text.to_owned()),
        "KAFKA_OAUTH_CLIENT_ID" => config.oauth_client_id = Some(text.to_owned()),
        "KAFKA_OAUTH_CLIENT_SECRET" => config.oauth_client_secret = Some(text.into()),
        "KAFKA_OAUTH_CLIENT_SECRET_FILE" => config.oauth_client_secret = Some(of_file(Path::new(text))?),
        "KAFKA_OAUTH_SCOPE" => config.oauth_scope = Some(text.to_owned()),
        "KAFKA_GROUP_ID" => config.group_id = Some(text.to_owned()),
        "KAFKA_CONNECTION_TIMEOUT" => config.connection_timeout = value::milliseconds(text)?,
        "NARAD_ENV" => {
            config.environment = match text {
                "production" => Environment::Production,
                "development" => Environment::Development,
                _ => return Err(format!("{} is neither production nor development", value::quoted(text))),
            }
        }
        "NARAD_GROUPS" => config.groups = Some(value::list(text)?),
        // An empty name is an error, not passed over as in other lists: who writes `,` may mean to say more.
        "NARAD_TYPE_HEADERS" => {
            config.type_headers = text.split(',').map(|name| name.trim().to_owned()).collect();
        }
        "NARAD_CREATE_TOPICS" => config.create_topics = Some(value::boolean(text)?),
        "NARAD_SHUTDOWN_TIMEOUT" => config.shutdown_timeout = value::milliseconds(text)?,
        "NARAD_COMMIT_INTERVAL" => config.commit_interval = value::milliseconds(text)?,
        "NARAD_PROFILE" => {
            config.profile = match text {
                "latency" => Profile::Latency,
                "throughput" => Profile::Throughput,
                _ => return Err(format!("{} is neither latency nor throughput", value::quoted(text))),
            }
        }
        "NARAD_LOG" => {
            config.log = match text {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => return Err(format!("{} is neither text nor json", value::quoted(text))),
            }
        }
        "NARAD_HTTP" => config.http = value::http_address(text)?,
        "NARAD_HTTP_TOKEN" => config.http_token = Some(text.into()),
        "NARAD_HTTP_TOKEN_FILE" => config.http_token = Some(of_file(Path::new(text))?),
        "NARAD_DESCRIBE" => {
            config.describe = match text {
                "json" => Some(Describe::Json),
                _ => return Err(format!("{} is not json", value::quoted(text))),
            }
        }
        _ => {
            if let Some(handler) = name.strip_prefix(overrides::PREFIX) {
                config.handler_overrides.set(handler, text);
            } else if let Some(property) = name.strip_prefix(LIBRDKAFKA) {
                match property.strip_suffix("_FILE").filter(|property| is_settable_secret(property)) {
                    Some(secret) => config.librdkafka.set(secret, of_file(Path::new(text))?.reveal())?,
                    None => config.librdkafka.set(property, text)?,
                }
            } else if is_narads(name) {
                return Err(format!(
                    "Narad knows no such variable{}; there are: {}",
                    meant(name),
                    KNOWN.join(", ")
                ));
            }
        }
    }
    Ok(())
}

/// What a misspelt name may have meant, by what follows `NARAD_`: else all would be near. Of a family only
/// the beginning is Narad's.
fn meant(name: &str) -> String {
    let own = |name: &'static str| name.trim_start_matches("NARAD_");
    let name = name.trim_start_matches("NARAD_");
    let beginning = name.find('_').map_or(name, |end| &name[..=end]);
    let is_near = |known: &&&'static str| {
        known.split_once('<').is_some_and(|(family, _)| nearest(beginning, [own(family)]).is_some())
    };
    match KNOWN.iter().find(is_near) {
        Some(family) => format!(", did you mean {family}?"),
        None => nearest(name, KNOWN.map(own))
            .map_or_else(String::new, |near| format!(", did you mean NARAD_{near}?")),
    }
}

#[cfg(test)]
mod tests;
