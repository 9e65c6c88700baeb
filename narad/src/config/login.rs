//! How the program logs in: with a user and a password, or with tokens.

use std::error::Error;
use std::future::Future;

use super::{Config, SaslMechanism, Secret};
use crate::login::{Token, Tokens};
use crate::transport::ClientProperties;

/// One line that names the variables.
type Wrong = String;

impl Config {
    /// Sets the function that gives the tokens for the brokers; with the mechanism `oauthbearer`
    /// (`KAFKA_SASL_MECHANISM`, [`SaslMechanism::OAuthBearer`]).
    ///
    /// It is called before the first connection, again when four fifths of the token's life are over, and
    /// after a failure in 1 s, 2 s, up to 10 s, while the token from before stays in use. All clients of the
    /// configuration and of its clones share the token. It runs on a thread and a tokio runtime of Narad's
    /// own, so that a function that is slow, fails or panics delays nothing else; after 30 s without an
    /// answer it counts as failed. The log shows the text of its error: keep secrets out of it.
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

    /// The same with a source of tokens, where the settings describe one. It asks nobody before there are
    /// clients.
    ///
    /// # Errors
    /// What [`check`](Self::check) finds as well.
    pub(crate) fn with_tokens(self) -> Result<Self, Wrong> {
        match (&self.tokens, self.described_tokens()?) {
            (None, Some(tokens)) => Ok(Self { tokens: Some(tokens), ..self }),
            _ => Ok(self),
        }
    }

    /// The source of tokens that the variables `KAFKA_OAUTH_…` describe; `None` where the mechanism needs
    /// none, or the broker knows no users.
    fn described_tokens(&self) -> Result<Option<Tokens>, Wrong> {
        if self.sasl_mechanism != SaslMechanism::OAuthBearer || self.is_embedded() {
            return Ok(None);
        }
        let secret = self.oauth_client_secret.as_ref().map(Secret::reveal);
        let given = (self.oauth_token_url.as_deref(), self.oauth_client_id.as_deref(), secret);
        let (url, id, secret) = match given {
            (Some(url), Some(id), Some(secret)) => (url, id, secret),
            (None, None, None) => return Ok(None),
            (None, ..) => return Err(format!("{} KAFKA_OAUTH_TOKEN_URL is not", self.oauth_set())),
            (_, None, _) => return Err(format!("{} KAFKA_OAUTH_CLIENT_ID is not", self.oauth_set())),
            (.., None) => return Err(format!("{} KAFKA_OAUTH_CLIENT_SECRET is not", self.oauth_set())),
        };
        oidc(url, id, secret, self.oauth_scope.as_deref())
            .map(Some)
            .map_err(|why| format!("KAFKA_OAUTH_TOKEN_URL: {why}"))
    }

    /// The first of the variables for tokens that is set.
    fn oauth_set(&self) -> String {
        let names = [
            ("URL", self.oauth_token_url.is_some()),
            ("CLIENT_ID", self.oauth_client_id.is_some()),
            ("CLIENT_SECRET", self.oauth_client_secret.is_some()),
            ("SCOPE", self.oauth_scope.is_some()),
        ];
        let set = names.into_iter().find(|(_, is_set)| *is_set).map_or("", |(name, _)| name);
        format!("KAFKA_OAUTH_{}{set} is set and", if set == "URL" { "TOKEN_" } else { "" })
    }

    fn has_oauth(&self) -> bool {
        self.oauth_token_url.is_some()
            || self.oauth_client_id.is_some()
            || self.oauth_client_secret.is_some()
            || self.oauth_scope.is_some()
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
    pub(super) fn check_login(&self) -> Result<(), Wrong> {
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
        let described = self.described_tokens()?.is_some();
        match (&self.tokens, mechanism) {
            (None, SaslMechanism::OAuthBearer) if !described && !self.is_embedded() => Err(
                "KAFKA_SASL_MECHANISM is oauthbearer, and nothing gives tokens: set KAFKA_OAUTH_TOKEN_URL, \
                 KAFKA_OAUTH_CLIENT_ID and KAFKA_OAUTH_CLIENT_SECRET, or give the configuration a \
                 token_provider"
                    .to_owned(),
            ),
            (Some(tokens), _) if described => {
                Err(format!("KAFKA_OAUTH_TOKEN_URL is set, and there is {}: keep one of them", tokens.name()))
            }
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
        if self.has_oauth() && self.sasl_mechanism != SaslMechanism::OAuthBearer {
            warnings.push(
                "KAFKA_OAUTH_… variables do nothing without KAFKA_SASL_MECHANISM=oauthbearer".to_owned(),
            );
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

#[cfg(feature = "oidc")]
fn oidc(url: &str, id: &str, secret: &str, scope: Option<&str>) -> Result<Tokens, Wrong> {
    Ok(crate::login::ClientCredentials::new(url, id, secret, scope)?.tokens())
}

#[cfg(not(feature = "oidc"))]
fn oidc(_: &str, _: &str, _: &str, _: Option<&str>) -> Result<Tokens, Wrong> {
    Err("it needs Narad's feature oidc, which this program was built without".to_owned())
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
    fn a_token_service_wants_all_of_its_variables_and_no_provider_beside_it() {
        let oidc = |change: fn(&mut Config)| {
            let mut config = Config {
                sasl_mechanism: SaslMechanism::OAuthBearer,
                oauth_token_url: Some("https://login.example/token".to_owned()),
                oauth_client_id: Some("billing".to_owned()),
                oauth_client_secret: Some("canary".into()),
                ..Config::default()
            };
            change(&mut config);
            config.check().map_err(|error| error.to_string())
        };
        let url = "KAFKA_OAUTH_TOKEN_URL";
        let says = |checked: Result<(), String>, says: &str| {
            let said = checked.unwrap_err();
            assert!(said.contains(says) && !said.contains("canary"), "{said}");
        };
        says(
            oidc(|config| config.oauth_token_url = None),
            "KAFKA_OAUTH_CLIENT_ID is set and KAFKA_OAUTH_TOKEN_URL",
        );
        says(oidc(|config| config.oauth_client_id = None), "KAFKA_OAUTH_CLIENT_ID is not");
        says(oidc(|config| config.oauth_client_secret = None), "KAFKA_OAUTH_CLIENT_SECRET is not");
        if cfg!(feature = "oidc") {
            assert_eq!(oidc(|_| {}), Ok(()));
            says(oidc(|config| config.oauth_token_url = Some("http://login.example/".to_owned())), url);
            let both = oidc(|config| *config = config.clone().token_provider(|| async { Err("no".into()) }));
            says(both, "KAFKA_OAUTH_TOKEN_URL is set, and there is the token provider");
        } else if cfg!(feature = "tls") {
            says(oidc(|_| {}), "KAFKA_OAUTH_TOKEN_URL: it needs Narad's feature oidc");
        }
        let unused = Config { oauth_scope: Some("kafka".to_owned()), ..Config::default() };
        assert!(unused.warnings()[0].contains("KAFKA_SASL_MECHANISM=oauthbearer"));
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
