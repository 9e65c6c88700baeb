//! Texts of variables, parsed into types. An error says what is accepted; the caller puts the variable's name
//! before it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::secret::looks_secret;

/// A wrong value as an error repeats it. One that looks like a secret, set for the wrong variable, it does
/// not.
pub(crate) fn quoted(text: &str) -> String {
    if looks_secret(text) {
        "the value, which looks like a secret and is not shown,".to_owned()
    } else {
        format!("{text:?}")
    }
}

/// `true` and `false`, as shells and other services write them.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("{} is neither true nor false", quoted(text))),
    }
}

/// A number of milliseconds.
pub(crate) fn milliseconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u32>() {
        Ok(number) => Ok(Duration::from_millis(number.into())),
        Err(_) => Err(format!("{} is not a number of milliseconds, such as 10000", quoted(text))),
    }
}

/// Comma-separated names, at least one. Between two commas and at an end there may be none.
pub(crate) fn list(text: &str) -> Result<Vec<String>, String> {
    let names: Vec<_> =
        text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if names.is_empty() { Err(format!("{} has no name in its list", quoted(text))) } else { Ok(names) }
}

/// What is odd about names of headers that hold a record's type; `None` where nothing is.
pub(crate) fn odd_header(names: &[String]) -> Option<String> {
    for (place, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Some("a header's name is empty; write names with commas between them".to_owned());
        }
        if name.contains(char::is_control) {
            return Some(format!("{} has control characters, which no header's name has", quoted(name)));
        }
        if name == "narad-type" {
            return Some("narad-type always counts, before all others: leave it out".to_owned());
        }
        if names[..place].contains(name) {
            return Some(format!("{} stands there twice; write each header once", quoted(name)));
        }
    }
    None
}

/// One broker, `host:port` or `host`; with the port in the answer.
pub(crate) fn broker(text: &str) -> Result<String, String> {
    // Not repeated in the error: what stands before an `@` is a password.
    if text.contains('@') {
        return Err(
            "a broker is host:port; credentials belong into KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"
                .to_owned(),
        );
    }
    if text.contains("://") {
        return Err(format!(
            "{} is not host:port; leave out the protocol (KAFKA_SSL=true turns TLS on)",
            quoted(text)
        ));
    }
    if text.eq_ignore_ascii_case("embedded") {
        return Err(
            "embedded, the broker inside the process, stands alone: no other broker goes with it".to_owned()
        );
    }
    let wrong =
        |why: &str| format!("{} {why}; write host:port, several with commas, or embedded", quoted(text));
    if text.is_empty() {
        return Err("a broker's name is empty; write host:port, several with commas, or embedded".to_owned());
    }
    let (host, port) = match text.rfind(':') {
        Some(colon) if !text.ends_with(']') => (&text[..colon], Some(&text[colon + 1..])),
        _ => (text, None),
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let odd =
        |character: char| character.is_whitespace() || character.is_control() || "/?#,\\".contains(character);
    if host.is_empty() || host.contains(odd) {
        return Err(wrong("has no host"));
    }
    if host.contains(':') && !bracketed {
        return Err(wrong("is not clear; an IPv6 address stands in brackets, [::1]:9092"));
    }
    match port.map(str::parse::<u16>) {
        None => Ok(format!("{host}:9092")),
        Some(Ok(port)) if port > 0 => Ok(format!("{host}:{port}")),
        Some(_) => Err(wrong("has a port that is not a number from 1 to 65535")),
    }
}

/// `127.0.0.1:8080`, `0.0.0.0:8080`, `localhost:8080`, or a port on 127.0.0.1; `None` for `off`.
pub(crate) fn http_address(text: &str) -> Result<Option<SocketAddr>, String> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if let Some(port) = text.strip_prefix("localhost:").or(Some(text)).and_then(|port| port.parse().ok()) {
        return Ok(Some(local(port)));
    }
    text.parse().map(Some).map_err(|_| {
        format!(
            "{} is not an address, such as 127.0.0.1:8080, 0.0.0.0:8080 for all interfaces, or off",
            quoted(text)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn brokers_get_their_port() {
        for (text, wanted) in [
            ("kafka", "kafka:9092"),
            ("kafka:9093", "kafka:9093"),
            ("[::1]:9092", "[::1]:9092"),
            ("[::1]", "[::1]:9092"),
            ("10.0.0.1:1", "10.0.0.1:1"),
        ] {
            assert_eq!(broker(text).as_deref(), Ok(wanted));
        }
    }

    #[test]
    fn brokers_that_cannot_be() {
        for text in [
            "",
            ":9092",
            "kafka:",
            "kafka:0",
            "kafka:65536",
            "kafka:port",
            "a b:1",
            "::1:9092",
            "kafka://a:1",
            "http://a:1/x",
            "a/b:1",
        ] {
            assert!(broker(text).is_err(), "{text}");
        }
        assert!(!broker("user:hunter2@kafka:9092").unwrap_err().contains("hunter2"));
    }

    #[test]
    fn http_addresses() {
        let at = |text: &str| http_address(text).unwrap().map(|address| address.to_string());
        assert_eq!(at("8080").as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(at("localhost:8080").as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(at("0.0.0.0:0").as_deref(), Some("0.0.0.0:0"));
        assert_eq!(at("[::1]:80").as_deref(), Some("[::1]:80"));
        assert_eq!(at("off"), None);
        for text in ["", ":8080", "host:8080", "127.0.0.1", "127.0.0.1:99999"] {
            assert!(http_address(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in ".{0,40}") {
            let _ = (boolean(&text), milliseconds(&text), list(&text), broker(&text), http_address(&text));
        }

        #[test]
        fn whatever_milliseconds_are_written_are_read(number: u32) {
            prop_assert_eq!(milliseconds(&number.to_string()), Ok(Duration::from_millis(number.into())));
        }
    }
}
