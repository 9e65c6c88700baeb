//! Tokens of an OpenID Connect provider, by the program's own client id and secret (OAuth 2.0's client
//! credentials, RFC 6749 section 4.4).
//!
//! librdkafka's own way needs libcurl, and reads the answer with a JSON library whose known faults are mended
//! in later versions only.

mod answer;
mod endpoint;

use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use self::endpoint::Endpoint;
use super::tokens::Tokens;

/// Who asks for tokens, and where.
pub(crate) struct ClientCredentials {
    endpoint: Endpoint,
    client_id: String,
    client_secret: String,
    scope: Option<String>,
}

impl ClientCredentials {
    /// # Errors
    /// What is wrong with the URL.
    pub(crate) fn new(
        url: &str,
        client_id: &str,
        client_secret: &str,
        scope: Option<&str>,
    ) -> Result<Self, String> {
        Ok(Self {
            endpoint: Endpoint::of(url)?,
            client_id: client_id.to_owned(),
            client_secret: client_secret.to_owned(),
            scope: scope.map(str::to_owned),
        })
    }

    /// The source of tokens that this makes.
    pub(crate) fn tokens(self) -> Tokens {
        let name = format!("the token service at {}", self.endpoint.shown());
        let this = Arc::new(self);
        Tokens::new(name, move || {
            let this = this.clone();
            async move {
                let (status, body) = this.endpoint.post(&this.authorization(), this.form()).await?;
                let token = answer::token(status, &body, &this.client_id, SystemTime::now());
                // A service may repeat what it was sent.
                Ok(token.map_err(|cause| cause.replace(&this.client_secret, "***"))?)
            }
        })
    }

    fn authorization(&self) -> String {
        let pair = format!("{}:{}", encoded(&self.client_id), encoded(&self.client_secret));
        format!("Basic {}", STANDARD.encode(pair))
    }

    fn form(&self) -> String {
        let scope = self.scope.as_deref().map(|scope| format!("&scope={}", encoded(scope)));
        format!("grant_type=client_credentials{}", scope.unwrap_or_default())
    }
}

/// As a form has it. What no URL has to escape is left as it is: some services do not decode the client's id
/// and secret.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte as char);
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
