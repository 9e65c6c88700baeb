//! The server of `NARAD_HTTP`: what bounds its clients.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::access::{no_other_origin, only_local};
use crate::error::{Error, Result};
use crate::supervision::caught;

/// A connection is for one request, and lasts no longer than this. The answers are in memory: who takes
/// longer is slow, or holds the connection on purpose.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many connections at once. A further one ends the oldest, which is the slowest of them: a flood of slow
/// clients does not keep a probe from its answer.
const CONNECTIONS: usize = 64;
/// So long may a request's head be; 8 KiB is the least that hyper takes.
const HEAD: usize = 8 * 1024;

/// The server; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        // Nothing there waits for the application, so this is a matter of moments; afterwards the address is
        // free.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Binds the address and serves the routes there until the result is dropped.
///
/// # Errors
/// When the address cannot be bound.
pub(crate) fn serve(address: SocketAddr, routes: Router) -> Result<Server> {
    let failed =
        |error: std::io::Error| Error::Start(format!("NARAD_HTTP: {address} cannot be bound: {error}"));
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    // A page in a browser on this machine reaches loopback under any name that its server resolves to it.
    let routes = if bound.ip().is_loopback() { routes.layer(from_fn(only_local)) } else { routes };
    let routes = routes.layer(from_fn(no_other_origin));
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::Builder::new().name("narad-http".to_owned()).spawn(move || {
        let _ = caught(|| runtime.block_on(accept(listener, routes, stopped)));
        // Connections that are open end here.
        runtime.shutdown_background();
    });
    tracing::info!(target: "narad", "health at http://{bound}/health/kafka, metrics at http://{bound}/metrics");
    Ok(Server { stop: Some(stop), thread: Some(thread.map_err(failed)?) })
}

async fn accept(listener: TcpListener, routes: Router, mut stopped: oneshot::Receiver<()>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(target: "narad", %error, "NARAD_HTTP is not served"),
    };
    let mut open = VecDeque::<AbortHandle>::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => return,
        };
        match accepted {
            Ok((stream, _)) => {
                open.retain(|connection| !connection.is_finished());
                if open.len() >= CONNECTIONS
                    && let Some(oldest) = open.pop_front()
                {
                    oldest.abort();
                }
                open.push_back(tokio::spawn(connection(stream, routes.clone())).abort_handle());
                // It runs before many more are taken: whoever came in a burst has its answer.
                tokio::task::yield_now().await;
            }
            Err(error) => {
                // Out of descriptors: the next moment may have one.
                tracing::warn!(target: "narad", %error, "a connection for NARAD_HTTP was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// One request and its answer.
async fn connection(stream: TcpStream, routes: Router) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    // What a client does wrong is the client's.
    let _ = tokio::time::timeout(PATIENCE, served).await;
}
