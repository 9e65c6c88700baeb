//! A token.

use std::fmt;
use std::time::SystemTime;

/// A token by which this program proves to the brokers who it is (SASL `OAUTHBEARER`), as a JWT is one.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use narad::Token;
///
/// let token = Token::new("eyJhbGciOi…", SystemTime::now() + Duration::from_secs(3600)).principal("billing");
/// assert!(!format!("{token:?}").contains("eyJ"));
/// ```
///
/// `Debug` does not show the token itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub(crate) value: String,
    pub(crate) expires_at: SystemTime,
    pub(crate) principal: String,
    pub(crate) extensions: Vec<(String, String)>,
}

impl Token {
    /// A token, and when it ends. It is asked for anew when four fifths of its life are over.
    pub fn new(value: impl Into<String>, expires_at: SystemTime) -> Self {
        Self { value: value.into(), expires_at, principal: String::new(), extensions: Vec::new() }
    }

    /// Whom the token is for. Brokers take the name from the token itself; this one is for the messages of
    /// the client.
    pub fn principal(mut self, principal: impl Into<String>) -> Self {
        self.principal = principal.into();
        self
    }

    /// A SASL extension (RFC 7628) that goes to the brokers with the token, as some services want them:
    /// `.extension("logicalCluster", "lkc-…")`. The name is of letters only.
    pub fn extension(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.extensions.push((name.into(), value.into()));
        self
    }

    /// Why no broker can take it, without anything of its content.
    pub(super) fn flaw(&self, now: SystemTime) -> Option<String> {
        let is_visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if self.value.is_empty() {
            return Some("the token is empty".to_owned());
        }
        if !is_visible(&self.value) {
            return Some(
                "the token has spaces, line ends or characters that are not ASCII, which no token has"
                    .to_owned(),
            );
        }
        if self.principal.contains('\0') {
            return Some("the principal of the token holds a NUL character".to_owned());
        }
        for (name, value) in &self.extensions {
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic());
            if !is_name || name == "auth" {
                return Some(format!(
                    "{name:?} cannot be the name of an extension: it is of letters, and not \"auth\""
                ));
            }
            if !value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
                return Some(format!("the extension {name} holds characters that are not visible ASCII"));
            }
        }
        match now.duration_since(self.expires_at) {
            Ok(ago) => Some(format!(
                "the token ended {} s before it came: is the clock of this machine wrong?",
                ago.as_secs()
            )),
            Err(_) => None,
        }
    }

    /// Whether it is still good.
    pub(super) fn is_good(&self, now: SystemTime) -> bool {
        now < self.expires_at
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("value", &"***")
            .field("expires_at", &self.expires_at)
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_no_broker_takes_is_said_without_the_token() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let later = now + Duration::from_secs(1);
        assert_eq!(Token::new("canary", later).extension("logicalCluster", "lkc-1").flaw(now), None);
        for (token, says) in [
            (Token::new("", later), "is empty"),
            (Token::new("canary\n", later), "line ends"),
            (Token::new("canary\0", later), "characters"),
            (Token::new("canary", later).principal("a\0"), "NUL"),
            (Token::new("canary", later).extension("auth", "x"), "name of an extension"),
            (Token::new("canary", later).extension("a-b", "x"), "name of an extension"),
            (Token::new("canary", later).extension("ab", "canary\n"), "extension ab"),
            (Token::new("canary", now), "ended 0 s before it came"),
            (Token::new("canary", now - Duration::from_secs(7)), "ended 7 s before it came"),
        ] {
            let flaw = token.flaw(now).expect("a flaw");
            assert!(flaw.contains(says) && !flaw.contains("canary"), "{flaw}");
            assert!(!format!("{token:?}").contains("canary"), "{token:?}");
        }
    }
}
