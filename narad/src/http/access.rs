//! Who may ask what: by the name that a request gives this host, by the page that it comes from, and by the
//! token.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

/// What a request says of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// It has no token, or there is none to have.
    Anonymous,
    /// It has the token.
    Trusted,
    /// It has another one.
    Wrong,
}

/// Who asks, by `Authorization: Bearer …` and the token of `NARAD_HTTP_TOKEN`.
pub(super) fn caller(headers: &HeaderMap, token: Option<&str>) -> Caller {
    let (Some(token), Some(given)) = (token, headers.get(AUTHORIZATION)) else { return Caller::Anonymous };
    let given = given.as_bytes();
    let is_bearer = given.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "));
    // In constant time, so that how long it takes tells nothing of the token.
    match is_bearer && bool::from(given[7..].ct_eq(token.as_bytes())) {
        true => Caller::Trusted,
        false => Caller::Wrong,
    }
}

/// Lets only requests pass that call this host by a name of the machine itself.
///
/// A page in a browser on this machine reaches a server on loopback under any name that the page's own
/// server resolves to it (DNS rebinding), and reads what it answers.
pub(super) async fn only_local(request: Request, next: Next) -> Response {
    match named(request.headers()) {
        Some(host) if !is_local(&host) => {
            let text =
                "NARAD_HTTP is bound to loopback, and answers to localhost, 127.0.0.1 and [::1] only\n";
            (StatusCode::MISDIRECTED_REQUEST, text).into_response()
        }
        _ => next.run(request).await,
    }
}

/// Lets no request pass that a page of another origin makes.
pub(super) async fn no_other_origin(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let Some(origin) = headers.get(ORIGIN) else { return next.run(request).await };
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, of)| of);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    if origin.is_some() && origin == host {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "pages of other origins are not answered\n").into_response()
}

/// The host that a request names; `None` where it names none, as HTTP/1.0 may.
fn named(headers: &HeaderMap) -> Option<String> {
    let named = headers.get(HOST)?;
    let host = named.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
    // What is no host is none of this machine's names either.
    Some(host.map_or_else(String::new, |host| host.host().to_owned()))
}

fn is_local(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    is_loopback || host.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_token_is_known_by_all_of_it() {
        let of = |header: &'static str, token| {
            let mut headers = HeaderMap::new();
            if !header.is_empty() {
                headers.insert(AUTHORIZATION, HeaderValue::from_static(header));
            }
            caller(&headers, token)
        };
        assert_eq!(of("Bearer open sesame", Some("open sesame")), Caller::Trusted);
        assert_eq!(of("bearer open sesame", Some("open sesame")), Caller::Trusted);
        assert_eq!(of("", Some("open sesame")), Caller::Anonymous);
        for wrong in
            ["Bearer open", "Bearer ", "Bearer", "Bearer open sesame ", "Basic open sesame", "open sesame"]
        {
            assert_eq!(of(wrong, Some("open sesame")), Caller::Wrong, "{wrong}");
            assert_eq!(of(wrong, None), Caller::Anonymous, "{wrong}");
        }
    }

    #[test]
    fn a_host_is_local_by_name_or_address() {
        let of = |host: &'static str| {
            let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
            is_local(&named(&headers).expect("a host"))
        };
        for local in ["localhost", "LOCALHOST:9464", "127.0.0.1:9464", "127.1.2.3", "[::1]:9464"] {
            assert!(of(local), "{local}");
        }
        for other in [
            "evil.example",
            "localhost.evil.example:9464",
            "10.0.0.1",
            "[::2]",
            "a b",
            "",
            "127.0.0.1.nip.io",
        ] {
            assert!(!of(other), "{other}");
        }
        assert_eq!(named(&HeaderMap::new()), None);
    }
}
