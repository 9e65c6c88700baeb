//! The routes.

use axum::Router;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::api;
use crate::application::Narad;

impl Narad {
    /// The routes of `NARAD_HTTP`, for a server of the application's own (feature `http`): health and probes,
    /// metrics, and what the application is made of. Which there are stands in the operations page of the
    /// documentation.
    ///
    /// It is for axum 0.8. Who may reach the routes is what the application's server decides; what acts and
    /// what shows something of records wants the token of `NARAD_HTTP_TOKEN` also there.
    ///
    /// ```
    /// # fn routes(narad: narad::Narad, own: axum::Router) -> axum::Router {
    /// own.nest("/narad", narad.router())
    /// # }
    /// ```
    pub fn router(&self) -> Router {
        Router::new()
            .route("/health/kafka", get(health))
            .route("/health/ready", get(ready))
            .route("/health/live", get(live))
            .route("/metrics", get(metrics))
            .route("/api/v1/handlers", get(api::handlers))
            .route("/api/v1/events", get(api::events))
            .route("/api/v1/groups", get(api::groups))
            .route("/api/v1/partitions", get(api::partitions))
            .route("/api/v1/failures", get(api::failures))
            .with_state(self.clone())
    }
}

async fn health(State(narad): State<Narad>) -> Response {
    let health = narad.health();
    let status = if health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(CONTENT_TYPE, "application/json")], health.to_string()).into_response()
}

async fn ready(State(narad): State<Narad>) -> Response {
    probe(narad.health().causes())
}

async fn live(State(narad): State<Narad>) -> Response {
    probe(dead(&narad))
}

fn probe(causes: Vec<String>) -> Response {
    match causes.is_empty() {
        true => (StatusCode::OK, "ok\n".to_owned()).into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, causes.join("\n") + "\n").into_response(),
    }
}

async fn metrics(State(narad): State<Narad>, headers: HeaderMap) -> Response {
    let (kind, text) =
        narad.exposition(headers.get(ACCEPT).and_then(|accepts| accepts.to_str().ok()).unwrap_or_default());
    ([(CONTENT_TYPE, kind)], text).into_response()
}

/// Why only a restart would mend it, a line each; empty where none would.
///
/// A restart mends no broker that is away, no coordinator that refuses, and no handler that takes its time:
/// a probe that failed for these would restart all processes of a service at once, when a cluster is down
/// already.
fn dead(narad: &Narad) -> Vec<String> {
    narad.shared().supervision.failures()
}
