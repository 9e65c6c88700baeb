//! What is asked over HTTP: health and the probes of an orchestrator, metrics, and what the application is
//! made of.
//!
//! The server of `NARAD_HTTP` has a thread and a runtime of its own, so that it answers while the
//! application's runtime is busy, and so that who asks takes nothing from handlers.

mod access;
mod api;
mod router;
mod server;

pub(crate) use server::serve;
