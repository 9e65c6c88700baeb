//! What the application is made of, as arrays of JSON.

use std::cmp::Reverse;

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::access::{Caller, caller};
use crate::application::Narad;

/// The handlers as they are declared, each with what became of its records in `view`; that is `null` where
/// its group does not run here.
pub(super) async fn handlers(State(narad): State<Narad>) -> Response {
    let mut handlers = narad.shared().about.described()["handlers"].clone();
    let views = narad.handlers();
    for handler in handlers.as_array_mut().into_iter().flatten() {
        let is_its = |name: &str, key: &str, handler: &Value| handler[key].as_str() == Some(name);
        let view = views
            .iter()
            .find(|view| is_its(&view.name, "name", handler) && is_its(&view.group, "group", handler));
        handler["view"] = json!(view);
    }
    array(&handlers)
}

/// The events as they are declared.
pub(super) async fn events(State(narad): State<Narad>) -> Response {
    array(&narad.shared().about.described()["events"])
}

pub(super) async fn groups(State(narad): State<Narad>) -> Response {
    array(&narad.groups())
}

pub(super) async fn partitions(State(narad): State<Narad>) -> Response {
    array(&narad.partitions())
}

/// So many failures are shown, the newest first.
const FAILURES: usize = 100;

/// The last failures; keys and texts of errors only to those who have the token.
pub(super) async fn failures(State(narad): State<Narad>, headers: HeaderMap) -> Response {
    let application = narad.shared();
    let is_trusted = match caller(&headers, application.about.http_token.as_deref()) {
        Caller::Trusted => true,
        Caller::Anonymous => false,
        Caller::Wrong => return wrong_token(),
    };
    let mut failures: Vec<_> = application.told().iter().flat_map(|group| group.failures()).collect();
    failures.sort_by_key(|failure| Reverse(failure.at));
    failures.truncate(FAILURES);
    if !is_trusted {
        failures.iter_mut().for_each(|failure| failure.inside = None);
    }
    array(&failures)
}

/// Who sends a token is to learn that it is not the one, and not that there is nothing to see.
fn wrong_token() -> Response {
    let challenge = [(WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, challenge, "this is not the token of NARAD_HTTP_TOKEN\n").into_response()
}

fn array(entries: &impl Serialize) -> Response {
    match serde_json::to_string(entries) {
        Ok(text) => ([(CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
