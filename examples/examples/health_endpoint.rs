//! Narad inside an axum application: one process that serves HTTP, publishes, handles, and tells its health.
//!
//! ```text
//! cargo run --example health_endpoint
//! curl -i localhost:3000/health/kafka
//! curl -i -X POST localhost:3000/logins/ada
//! ```
//!
//! Runs on the embedded broker, or on the cluster of `KAFKA_BROKERS`, until Ctrl-C. `PORT` takes another
//! port.
//!
//! An application without an HTTP server of its own needs none of this: `NARAD_HTTP=127.0.0.1:9464` serves
//! `GET /health/kafka`.

use axum::Router;
use axum::extract::{Path, State as AppState};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use narad::prelude::*;
use narad::{Error, Narad};
use narad_examples::config;

/// A user signed in.
#[derive(Event, Debug)]
#[event(topic = "web-logins", type = "USER_LOGIN", key = user_id)]
#[serde(rename_all = "camelCase")]
struct UserLogin {
    user_id: String,
}

#[kafka_handler(topic = "web-logins", group = "health-endpoint")]
async fn on_login(event: UserLogin) {
    println!("handled the login of {}", event.user_id);
}

/// 200 while a broker answers and no handler is stuck, else 503, as Narad's own endpoint has it.
async fn health(AppState(narad): AppState<Narad>) -> impl IntoResponse {
    let health = narad.health();
    let status = if health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CONTENT_TYPE, "application/json")], health.to_string())
}

async fn login(AppState(narad): AppState<Narad>, Path(user_id): Path<String>) -> (StatusCode, String) {
    match narad.publish(&UserLogin { user_id }).await {
        Ok(sent) => (StatusCode::ACCEPTED, format!("published to {}\n", sent.topic())),
        Err(Error::NotConnected) => {
            (StatusCode::SERVICE_UNAVAILABLE, "Kafka is away, try again\n".to_owned())
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let narad = Narad::builder().config(config()?).build().await?;

    let app = Router::new()
        .route("/health/kafka", get(health))
        .route("/logins/{user_id}", post(login))
        .with_state(narad.clone());
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("try: curl -i http://{}/health/kafka", listener.local_addr()?);

    // `run` ends with SIGINT or SIGTERM, after its drain. The server goes on until then, so that probes see
    // the drain.
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    narad.run().await?;
    server.abort();
    Ok(())
}
