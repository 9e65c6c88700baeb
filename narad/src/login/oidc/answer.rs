//! What a token service answers.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::login::token::Token;
use crate::outcome::bounded;

/// So long a token is taken to be good at most, whatever its service says.
const LONGEST_LIFE: u64 = 10 * 365 * 24 * 3_600;

/// The token that an answer holds.
///
/// # Errors
/// What is wrong with it, and what to look at; nothing of a token.
pub(super) fn token(status: u16, body: &[u8], client: &str, now: SystemTime) -> Result<Token, String> {
    let object: Option<Map<String, Value>> = serde_json::from_slice(body).ok();
    if status != 200 {
        return Err(refusal(status, object.as_ref()));
    }
    let Some(object) = object else {
        return Err("the answer is no JSON object: is KAFKA_OAUTH_TOKEN_URL the address for tokens \
                    (token_endpoint), and not that of a page?"
            .to_owned());
    };
    let Some(Value::String(value)) = object.get("access_token") else {
        return Err("the answer has no access_token: is KAFKA_OAUTH_TOKEN_URL the address for tokens \
                    (token_endpoint)?"
            .to_owned());
    };
    let claims = claims(value);
    let claim = |name| claims.as_ref().and_then(|claims| claims.get(name));
    let ends = match object.get("expires_in").and_then(number) {
        Some(seconds) => now + Duration::from_secs(seconds.min(LONGEST_LIFE)),
        None => match claim("exp").and_then(number) {
            Some(seconds) => SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.min(u64::from(u32::MAX))),
            None => {
                return Err("the answer does not say when the token ends (no expires_in, and no exp in the \
                            token): have the token service say it"
                    .to_owned());
            }
        },
    };
    let principal =
        claim("sub").and_then(Value::as_str).filter(|name| !name.contains('\0')).unwrap_or(client);
    Ok(Token::new(value, ends).principal(principal))
}

/// Why there is no token.
fn refusal(status: u16, object: Option<&Map<String, Value>>) -> String {
    let said = |name| object.and_then(|object| object.get(name)).and_then(Value::as_str);
    let said = match (said("error"), said("error_description")) {
        (Some(error), Some(description)) => format!(" ({}: {})", bounded(&error), bounded(&description)),
        (Some(error), None) => format!(" ({})", bounded(&error)),
        _ => String::new(),
    };
    let what = match status {
        300..=399 => {
            "it sends the client elsewhere, which is not followed: set KAFKA_OAUTH_TOKEN_URL to the \
                      address itself"
        }
        400 => "check KAFKA_OAUTH_SCOPE, and that the client may use the grant client_credentials",
        401 | 403 => "check KAFKA_OAUTH_CLIENT_ID and KAFKA_OAUTH_CLIENT_SECRET",
        404 | 405 => "check the path of KAFKA_OAUTH_TOKEN_URL",
        429 => "it is asked too often",
        _ => "it does not work as it should",
    };
    format!("it answers {status}{said}: {what}")
}

/// A number, which some services write as a text.
fn number(value: &Value) -> Option<u64> {
    let seconds = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
    (seconds >= 0.0).then_some(seconds as u64)
}

/// What a JWT claims; `None` for a token that is none.
fn claims(token: &str) -> Option<Map<String, Value>> {
    let claims = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000);

    fn of(status: u16, body: &str) -> Result<Token, String> {
        token(status, body.as_bytes(), "billing", SystemTime::UNIX_EPOCH + NOW)
    }

    fn jwt(claims: &str) -> String {
        format!("e30.{}.canary", URL_SAFE_NO_PAD.encode(claims))
    }

    fn ends(token: &Token) -> u64 {
        token.expires_at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
    }

    #[test]
    fn a_token_ends_when_the_service_says_or_the_token_itself() {
        let opaque = of(200, r#"{"access_token":"opaque","expires_in":60,"token_type":"Bearer"}"#).unwrap();
        assert_eq!((ends(&opaque), &*opaque.principal, &*opaque.value), (1_060, "billing", "opaque"));
        assert_eq!(ends(&of(200, r#"{"access_token":"a","expires_in":"60"}"#).unwrap()), 1_060);
        let claims = jwt(r#"{"sub":"alice","exp":1500}"#);
        let token = of(200, &format!(r#"{{"access_token":"{claims}"}}"#)).unwrap();
        assert_eq!((ends(&token), &*token.principal), (1_500, "alice"));
        let token = of(200, &format!(r#"{{"access_token":"{claims}","expires_in":1e300}}"#)).unwrap();
        assert_eq!(ends(&token), 1_000 + LONGEST_LIFE);
        let token = of(200, &format!(r#"{{"access_token":"{}"}}"#, jwt(r#"{"exp":1e300}"#))).unwrap();
        assert!(ends(&token) > 1_000);
    }

    #[test]
    fn what_is_no_token_says_what_to_look_at() {
        let told = r#"{"error":"invalid_client","error_description":"wrong\nsecret"}"#;
        for (status, body, says) in [
            (200, "<html>", "no JSON object: is KAFKA_OAUTH_TOKEN_URL"),
            (200, "[]", "no JSON object"),
            (200, "{}", "no access_token: is KAFKA_OAUTH_TOKEN_URL"),
            (200, r#"{"access_token":1}"#, "no access_token"),
            (200, r#"{"access_token":"canary"}"#, "no expires_in, and no exp"),
            (200, r#"{"access_token":"canary","expires_in":-1}"#, "no expires_in, and no exp"),
            (302, "", "answers 302: it sends the client elsewhere"),
            (400, r#"{"error":"invalid_scope"}"#, "400 (invalid_scope): check KAFKA_OAUTH_SCOPE"),
            (401, told, r"401 (invalid_client: wrong\nsecret): check KAFKA_OAUTH_CLIENT_ID"),
            (404, "", "404: check the path of KAFKA_OAUTH_TOKEN_URL"),
            (500, "oops", "answers 500"),
        ] {
            let said = of(status, body).unwrap_err();
            assert!(said.contains(says) && !said.contains("canary") && !said.contains('\n'), "{said}");
        }
    }
}
