//! How the program logs in: with a user and a password, or with tokens.

use std::error::Error;
use std::future::Future;

use super::{Config, SaslMechanism};
use crate::login::{Token, Tokens};
use crate::transport::ClientProperties;

impl Config {
    /// Has the brokers shown tokens that this function gives; with the mechanism `oauthbearer`
    /// (`KAFKA_SASL_MECHANISM`, [`SaslMechanism::OAuthBearer`]).
    ///
    /// It is called before the first connection, again when four fifths of the token's life are over, and
    /// after a failure in 1 s, 2 s, up to 10 s, while the token from before stays in use. All clients of the
    /// configuration and of its clones share the token. It runs on a thread and a tokio runtime of Narad's
    /// own, so that one that is slow, fails or panics holds up nothing; after 30 s without an answer it
    /// counts as failed. What its error says stands in the log: keep secrets out of it.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// use narad::{Config, SaslMechanism, Token};
    ///
    /// # async fn fetch() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// let config = Config { ssl: true, sasl_mechanism: SaslMechanism::OAuthBearer, ..Config::default() };
    /// let config = config.token_provider(|| async {
    ///     let jwt = fetch().await?;
    ///     Ok(Token::new(jwt, SystemTime::now() + Duration::from_secs(300)).principal("billing"))
    /// });
    /// # let _ = config;
    /// ```
    #[must_use]
    pub fn token_provider<F, T>(self, provider: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<Token, Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        Self { tokens: Some(Tokens::new("the token provider", provider)), ..self }
    }

    /// Whether the brokers are told who this is, other than by a certificate.
    pub(crate) fn has_login(&self) -> bool {
        self.sasl_mechanism.takes_tokens() || self.sasl_username.is_some()
    }

    /// Sets what a client logs in with, and nothing where that is not to be.
    pub(super) fn log_in(&self, client: &mut ClientProperties) {
        if self.sasl_mechanism.takes_tokens() {
            client.set("sasl.mechanisms", "OAUTHBEARER");
            if let Some(tokens) = &self.tokens {
                client.set_tokens(tokens.clone());
            }
        } else if let (Some(username), Some(password)) = (&self.sasl_username, &self.sasl_password) {
            client.set("sasl.mechanisms", self.sasl_mechanism.to_string());
            client.set("sasl.username", username.reveal()).set("sasl.password", password.reveal());
        }
    }

    /// How it logs in, for the start of the log.
    pub(crate) fn login_shown(&self) -> Option<String> {
        let mechanism = self.sasl_mechanism;
        match &self.tokens {
            Some(tokens) if mechanism.takes_tokens() => Some(format!("SASL {mechanism} ({})", tokens.name())),
            _ => self.has_login().then(|| format!("SASL {mechanism}")),
        }
    }

    /// Checks that a mechanism has what it takes, and nothing has no use.
    ///
    /// # Errors
    /// One line that names the variables.
    pub(super) fn check_login(&self) -> Result<(), String> {
        let (username, password) = (self.sasl_username.is_some(), self.sasl_password.is_some());
        if username != password {
            let (is, is_not) = if username { ("USERNAME", "PASSWORD") } else { ("PASSWORD", "USERNAME") };
            return Err(format!("KAFKA_SASL_{is} is set and KAFKA_SASL_{is_not} is not"));
        }
        let mechanism = self.sasl_mechanism;
        let named = mechanism.to_string().to_ascii_lowercase();
        if cfg!(not(feature = "tls")) && mechanism != SaslMechanism::Plain && self.has_login() {
            return Err(format!(
                "KAFKA_SASL_MECHANISM: {named} needs Narad's feature tls, which this program was built without"
            ));
        }
        match (&self.tokens, mechanism) {
            (None, SaslMechanism::OAuthBearer) => Err(
                "KAFKA_SASL_MECHANISM is oauthbearer, and nothing gives tokens: give the configuration a \
                 token_provider"
                    .to_owned(),
            ),
            (Some(tokens), mechanism) if !mechanism.takes_tokens() => Err(format!(
                "KAFKA_SASL_MECHANISM is {named}, which takes no tokens, and there is {}: set it to \
                 oauthbearer",
                tokens.name()
            )),
            _ => Ok(()),
        }
    }

    /// What of the login works and is likely not meant.
    pub(super) fn login_warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.sasl_mechanism.takes_tokens() && self.sasl_username.is_some() {
            warnings.push(format!(
                "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD do nothing with KAFKA_SASL_MECHANISM={}, which \
                 logs in with tokens",
                self.sasl_mechanism.to_string().to_ascii_lowercase()
            ));
        }
        if self.is_embedded() && (self.ssl || self.has_login()) {
            let login = if self.sasl_mechanism.takes_tokens() { "MECHANISM" } else { "USERNAME" };
            warnings.push(format!(
                "KAFKA_SSL and KAFKA_SASL_{login} do nothing with the embedded broker: it knows no TLS and \
                 no users"
            ));
        } else if self.has_login() && !self.ssl {
            let (variable, sent) = match self.sasl_mechanism {
                SaslMechanism::Plain => ("USERNAME", "the password crosses the network unencrypted"),
                SaslMechanism::ScramSha256 | SaslMechanism::ScramSha512 => {
                    ("USERNAME", "records cross the network unencrypted")
                }
                SaslMechanism::OAuthBearer => ("MECHANISM", "the token crosses the network unencrypted"),
            };
            warnings.push(format!("KAFKA_SASL_{variable} is set without KAFKA_SSL=true: {sent}"));
        }
        warnings
    }
}

impl SaslMechanism {
    /// Whether it logs in with tokens, and without a user name.
    pub(crate) fn takes_tokens(self) -> bool {
        self == Self::OAuthBearer
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    fn with_tokens(mechanism: SaslMechanism) -> Config {
        let config = Config { sasl_mechanism: mechanism, ..Config::default() };
        let ends = SystemTime::now() + Duration::from_secs(60);
        config.token_provider(move || async move { Ok(Token::new("canary", ends)) })
    }

    #[test]
    fn tokens_and_their_mechanism_go_together() {
        let bare = Config { sasl_mechanism: SaslMechanism::OAuthBearer, ..Config::default() };
        let said = bare.check().unwrap_err().to_string();
        assert!(said.contains("KAFKA_SASL_MECHANISM") && said.contains("token_provider"), "{said}");
        let said = with_tokens(SaslMechanism::ScramSha256).check().unwrap_err().to_string();
        assert!(said.contains("KAFKA_SASL_MECHANISM is scram-sha-256"), "{said}");
        if cfg!(feature = "tls") {
            with_tokens(SaslMechanism::OAuthBearer).check().unwrap();
        }
    }

    #[test]
    fn what_a_login_with_tokens_makes_useless_or_unsafe_is_a_line_each() {
        let mut config = with_tokens(SaslMechanism::OAuthBearer);
        assert_eq!(
            config.warnings(),
            ["KAFKA_SASL_MECHANISM is set without KAFKA_SSL=true: the token crosses the network unencrypted"]
        );
        config.ssl = true;
        assert_eq!(config.warnings(), [""; 0]);
        (config.sasl_username, config.sasl_password) = (Some("u".into()), Some("p".into()));
        assert!(config.warnings()[0].starts_with("KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD do nothing"));
        let embedded = Config { brokers: vec!["embedded".to_owned()], ..config };
        assert!(embedded.warnings()[1].contains("KAFKA_SASL_MECHANISM do nothing with the embedded broker"));
    }

    #[test]
    fn the_start_says_how_it_logs_in_and_nothing_shows_a_token() {
        let config = with_tokens(SaslMechanism::OAuthBearer);
        assert_eq!(config.login_shown().as_deref(), Some("SASL OAUTHBEARER (the token provider)"));
        assert!(!format!("{config:?}").contains("canary"));
        assert_eq!(Config::default().login_shown(), None);
        let client = config.properties(crate::config::ClientKind::Admin);
        assert_eq!(client.get("sasl.mechanisms"), Some("OAUTHBEARER"));
        assert_eq!(client.get("security.protocol"), Some("sasl_plaintext"));
        assert!(client.tokens() == config.tokens.as_ref());
    }
}
