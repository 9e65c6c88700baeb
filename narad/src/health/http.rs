//! `GET /health/kafka`: 200 while the application does its work ([`Health::is_ready`]), else 503.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::Health;
use crate::error::{Error, Result};

/// A client has so long for its request's head.
const HEAD: Duration = Duration::from_secs(5);
/// So many connections at once; further ones wait.
const CONNECTIONS: usize = 64;

/// The server; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server(JoinHandle<()>);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Binds the address and serves it until the result is dropped.
///
/// # Errors
/// When the address cannot be bound.
pub(crate) async fn serve(
    address: SocketAddr,
    health: impl Fn() -> Health + Send + Sync + 'static,
) -> Result<Server> {
    let failed =
        |error: std::io::Error| Error::Start(format!("NARAD_HTTP: {address} cannot be bound: {error}"));
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = crate::runtime::with_io(|| TcpListener::from_std(listener))?.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    tracing::info!(target: "narad", "health at http://{bound}/health/kafka");
    let health = Arc::new(health);
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    Ok(Server(tokio::spawn(async move {
        loop {
            let Ok(place) = room.clone().acquire_owned().await else { return };
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors: the next moment may have one.
                    tracing::warn!(target: "narad", %error, "a connection for the health endpoint was not \
                     accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let health = health.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let answer = answer(&request, &*health);
                    async move { Ok::<_, Infallible>(answer) }
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD)
                    .serve_connection(TokioIo::new(stream), service);
                // What a client does wrong is the client's.
                let _ = connection.await;
                drop(place);
            });
        }
    })))
}

fn answer<B>(request: &Request<B>, health: &dyn Fn() -> Health) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    if request.uri().path() != "/health/kafka" {
        *response.status_mut() = StatusCode::NOT_FOUND;
    } else if !matches!(*request.method(), Method::GET | Method::HEAD) {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
    } else {
        let health = health();
        if !health.is_ready() {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        response
            .headers_mut()
            .insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
        *response.body_mut() = Full::new(Bytes::from(health.to_string()));
    }
    response
}
