//! Properties of librdkafka that the application sets itself: which there are, and which are Narad's own.

use std::collections::BTreeMap;
use std::fmt;

use narad_syntax::suggest::hint;

use super::secret::looks_secret;
use crate::transport::Refusal;

/// Other properties of librdkafka, by their names with dots.
#[derive(Clone, Default)]
pub struct Properties(BTreeMap<String, String>);

/// Which clients know a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Consumer,
    Producer,
    /// Each of them, and those that only ask.
    Both,
}

/// What Narad sets itself, and what to use instead.
const OWNED: &[(&str, &str)] = &[
    ("enable.auto.commit", "Narad commits what is handled, and nothing else"),
    ("auto.commit.enable", "Narad commits what is handled, and nothing else"),
    ("auto.commit.interval.ms", "use NARAD_COMMIT_INTERVAL"),
    ("enable.auto.offset.store", "Narad commits what is handled, and nothing else"),
    ("auto.offset.reset", "use start = \"earliest\" or \"latest\" in #[kafka_handler]"),
    ("enable.partition.eof", "Narad commits a drained partition up to its end, always"),
    ("group.id", "use KAFKA_GROUP_ID, or group = \"…\" in #[kafka_handler]"),
    ("client.id", "use KAFKA_CLIENT_ID"),
    ("bootstrap.servers", "use KAFKA_BROKERS"),
    ("metadata.broker.list", "use KAFKA_BROKERS"),
    ("acks", "Narad waits for all replicas, always"),
    ("request.required.acks", "Narad waits for all replicas, always"),
    ("enable.idempotence", "Narad's producer is idempotent, always"),
    ("partitioner", "Narad uses murmur2_random, as Java's and KafkaJS's clients do"),
    ("security.protocol", "use KAFKA_SSL and KAFKA_SASL_USERNAME"),
    ("ssl.ca.location", "use KAFKA_SSL_CA"),
    ("ssl.certificate.location", "use KAFKA_SSL_CERT"),
    ("ssl.ca.pem", "use KAFKA_SSL_CA, which takes a PEM too"),
    ("ssl.certificate.pem", "use KAFKA_SSL_CERT, which takes a PEM too"),
    ("ssl.key.location", "use KAFKA_SSL_KEY"),
    ("ssl.key.pem", "use KAFKA_SSL_KEY, which takes a PEM too"),
    ("ssl.key.password", "use KAFKA_SSL_KEY_PASSWORD"),
    ("enable.ssl.certificate.verification", "certificates are always verified"),
    ("ssl.endpoint.identification.algorithm", "host names are always verified"),
    ("sasl.mechanism", "use KAFKA_SASL_MECHANISM"),
    ("sasl.mechanisms", "use KAFKA_SASL_MECHANISM"),
    ("sasl.username", "use KAFKA_SASL_USERNAME"),
    ("enable.sasl.oauthbearer.unsecure.jwt", "tokens come from the configuration's token_provider"),
    ("sasl.password", "use KAFKA_SASL_PASSWORD"),
    ("allow.auto.create.topics", "use NARAD_CREATE_TOPICS"),
    ("delivery.report.only.error", "Narad tells each send of its acknowledgement"),
    ("queuing.strategy", "records of a key keep their order, always"),
    ("offset.store.method", "Narad commits to the broker"),
    ("offset.store.path", "Narad commits to the broker"),
    ("offset.store.sync.interval.ms", "Narad commits to the broker"),
    ("transactional.id", "Narad's producer has no transactions"),
];

/// The table beside this file: name, scope, alias.
fn known() -> impl Iterator<Item = (&'static str, Scope, &'static str)> {
    include_str!("librdkafka_properties.txt").lines().filter(|line| !line.starts_with('#')).filter_map(
        |line| {
            let mut words = line.split(' ');
            let (name, scope, alias) = (words.next()?, words.next()?, words.next()?);
            let scope = match scope {
                "C" => Scope::Consumer,
                "P" => Scope::Producer,
                _ => Scope::Both,
            };
            (alias != "api").then_some((name, scope, alias))
        },
    )
}

/// All names of a property, this one among them.
pub(super) fn same(name: &str) -> impl Iterator<Item = &'static str> {
    let known_as =
        |(name, _, alias): (&'static str, Scope, &'static str)| if alias == "-" { name } else { alias };
    let wanted = known().find(|(known, ..)| *known == name).map(known_as);
    known().filter(move |known| Some(known_as(*known)) == wanted).map(|(name, ..)| name)
}

/// The properties that one of librdkafka's texts names.
pub(super) fn named(text: &str) -> impl Iterator<Item = &str> {
    let words =
        text.split(|character: char| !(character.is_ascii_alphanumeric() || "._".contains(character)));
    // A property of one word, such as `retries`, is one only where it is marked as such.
    let marked = text.split('`').skip(1).step_by(2);
    marked
        .chain(words.filter(|word| word.contains('.')))
        .filter(|word| known().any(|(name, ..)| name == *word))
}

/// The variable by which a property is set.
pub(super) fn variable_of(property: &str) -> String {
    match property {
        "bootstrap.servers" => "KAFKA_BROKERS".to_owned(),
        "ssl.ca.location" | "ssl.ca.pem" => "KAFKA_SSL_CA".to_owned(),
        "ssl.certificate.location" | "ssl.certificate.pem" => "KAFKA_SSL_CERT".to_owned(),
        "ssl.key.location" | "ssl.key.pem" => "KAFKA_SSL_KEY".to_owned(),
        "ssl.key.password" => "KAFKA_SSL_KEY_PASSWORD".to_owned(),
        "sasl.username" => "KAFKA_SASL_USERNAME".to_owned(),
        "sasl.password" => "KAFKA_SASL_PASSWORD".to_owned(),
        name => format!("NARAD_KAFKA_{}", name.replace('.', "_").to_uppercase()),
    }
}

/// Properties whose value is a secret: each is also read from a file, and none is shown.
const SECRETS: &[&str] = &[
    "ssl.ca.pem",
    "ssl.certificate.pem",
    "ssl.key.pem",
    "ssl.key.password",
    "ssl.keystore.password",
    "sasl.username",
    "sasl.password",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.client.credentials.client.secret",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
];

/// Whether the value of a property is a secret.
pub(super) fn is_secret(property: &str) -> bool {
    SECRETS.contains(&property)
}

/// Whether this is the name of a property, with dots or underscores, whose value is a secret that an
/// application may set.
pub(super) fn is_settable_secret(name: &str) -> bool {
    let plain = name.replace('_', ".").to_ascii_lowercase();
    is_secret(&plain) && !OWNED.iter().any(|(owned, _)| *owned == plain)
}

/// What librdkafka refuses, by the variable of the property, and without its value where that may be a
/// secret.
pub(crate) fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Value { name, value, reason } => {
            // Most of its reasons repeat the value, or a part of it.
            let hides =
                is_secret(name) && !reason.contains("not supported in this build") || looks_secret(value);
            let reason = if hides { "it is not shown" } else { reason };
            format!("{}: librdkafka refuses the value: {reason}", variable_of(name))
        }
        Refusal::Client(text) => refused_together(text),
    }
}

/// Why librdkafka makes no client, by the variable of the first property that it names.
fn refused_together(text: &str) -> String {
    // With what OpenSSL says of a key it names the file, if any, and not what is wrong.
    if text.contains("key values mismatch") || text.contains("key type mismatch") {
        return "KAFKA_SSL_KEY: the key does not belong to the certificate in KAFKA_SSL_CERT".to_owned();
    }
    if text.starts_with("ssl.key.") && text.contains("PEM lib") {
        return "KAFKA_SSL_KEY: TLS cannot read the key; where it is encrypted, KAFKA_SSL_KEY_PASSWORD may \
         be another key's"
            .to_owned();
    }
    if text.starts_with("ssl.key.")
        && ["bad decrypt", "bad password", "password read", "wrong password"]
            .iter()
            .any(|why| text.contains(why))
    {
        return "KAFKA_SSL_KEY_PASSWORD: it does not open the key in KAFKA_SSL_KEY".to_owned();
    }
    let property = named(text).next();
    // A value that is not taken may be a secret for another variable.
    let text = if text.contains("-----") { "it does not take a value that looks like a PEM" } else { text };
    match property {
        Some(property) => format!("{}: librdkafka refuses it: {text}", variable_of(property)),
        None => format!("librdkafka makes no client: {text}"),
    }
}

impl Properties {
    /// Sets one property, by its name with dots or underscores.
    ///
    /// # Errors
    /// When there is no such property, or Narad sets it itself: what to use instead.
    pub fn set(&mut self, name: &str, value: impl Into<String>) -> Result<(), String> {
        let plain = |text: &str| text.replace(['.', '_'], ".").to_ascii_lowercase();
        let wanted = plain(name);
        if let Some((owned, reason)) = OWNED.iter().find(|(owned, _)| *owned == wanted) {
            return Err(format!("{owned} is Narad's own: {reason}"));
        }
        match known().find(|(known, ..)| plain(known) == wanted) {
            Some((known, ..)) => {
                self.0.insert(known.to_owned(), value.into());
                Ok(())
            }
            None => Err(format!(
                "librdkafka has no property {wanted}{}",
                hint(&wanted, known().map(|(name, ..)| name))
            )),
        }
    }

    /// The properties that a client knows.
    pub(super) fn of(&self, scope: Scope) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(move |(name, value)| {
            let (_, known, _) = known().find(|(known, ..)| known == name)?;
            (known == Scope::Both || known == scope).then_some((name.as_str(), value.as_str()))
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that are set, with their values.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The names of those that are set.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Two names of one property that are both set.
    pub(super) fn twice(&self) -> Option<(&str, &str)> {
        self.names().find_map(|name| {
            Some((name, self.names().find(|other| *other > name && same(name).any(|same| same == *other))?))
        })
    }

    /// The value of one property.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The names of all that an application may set.
    #[cfg(test)]
    pub(super) fn settable() -> impl Iterator<Item = &'static str> {
        known().map(|(name, ..)| name).filter(|name| !OWNED.iter().any(|(owned, _)| owned == name))
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let new_protocol = self.0.get("group.protocol").is_some_and(|value| value == "consumer");
        let dropped: Vec<_> =
            CLASSIC_ONLY.iter().filter(|name| new_protocol && self.0.contains_key(**name)).copied().collect();
        if dropped.is_empty() {
            return Vec::new();
        }
        vec![format!(
            "group.protocol=consumer takes {} from the broker: what is set here is not used",
            dropped.join(", ")
        )]
    }
}

/// What librdkafka refuses beside `group.protocol=consumer`.
pub(super) const CLASSIC_ONLY: &[&str] =
    &["partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms", "group.protocol.type"];

impl fmt::Debug for Properties {
    /// Names only: a value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_is_found_by_its_name_with_underscores() {
        let mut properties = Properties::default();
        properties.set("FETCH_MIN_BYTES", "5").unwrap();
        properties.set("LOG_LEVEL", "7").unwrap();
        assert_eq!(
            properties.of(Scope::Consumer).collect::<Vec<_>>(),
            [("fetch.min.bytes", "5"), ("log_level", "7")]
        );
        assert_eq!(properties.of(Scope::Producer).collect::<Vec<_>>(), [("log_level", "7")]);
    }

    #[test]
    fn what_librdkafka_finds_out_late_names_the_variable() {
        let said = |text: &str| refused(&Refusal::Client(text.to_owned()));
        assert!(
            said("ssl.ca.location failed: error:05800088:no certificate or crl found")
                .starts_with("KAFKA_SSL_CA: ")
        );
        assert!(
            said("`max.in.flight` must be set <= 5 when `enable.idempotence` is true")
                .starts_with("NARAD_KAFKA_MAX_IN_FLIGHT: ")
        );
        assert!(
            said("`retries` must be set >= 1 when `enable.idempotence` is true")
                .starts_with("NARAD_KAFKA_RETRIES: ")
        );
        assert!(said("No provider for SASL mechanism").starts_with("librdkafka makes no client: "));
    }

    #[test]
    fn what_is_unknown_or_narads_own_is_refused_with_the_reason() {
        let mut properties = Properties::default();
        assert!(
            properties.set("FETCH_MIN_BITES", "5").unwrap_err().contains("did you mean fetch.min.bytes?")
        );
        assert!(properties.set("ENABLE_AUTO_COMMIT", "true").unwrap_err().contains("Narad commits"));
        assert!(properties.set("SASL_PASSWORD", "x").unwrap_err().contains("KAFKA_SASL_PASSWORD"));
    }
}
