//! Logs, where the application has not set them up itself.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Config, Environment, LogFormat};

mod json;

/// Sends logs to stderr by `RUST_LOG` and `NARAD_LOG`; info, in development debug. Does nothing where the
/// application has a subscriber.
pub(crate) fn init(config: &Config) {
    let default = match config.environment {
        Environment::Production => "info",
        // The application's debug lines and Narad's; those of the libraries below are for those who ask for
        // them.
        Environment::Development => "debug,librdkafka=info,hyper=info,hyper_util=info,mio=info",
    };
    let (filter, wrong) = match std::env::var(EnvFilter::DEFAULT_ENV).map(EnvFilter::try_new) {
        Ok(Ok(filter)) => (filter, None),
        Ok(Err(error)) => (EnvFilter::new(default), Some(error)),
        Err(_) => (EnvFilter::new(default), None),
    };
    let colours = stderr().is_terminal();
    // The error says that there is a subscriber, which is the application's.
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        // It would say so on stderr, which panics where that cannot be written either.
        .log_internal_errors(false);
    let set_up = match config.log {
        LogFormat::Text => log.with_ansi(colours).finish().try_init(),
        LogFormat::Json => log.with_ansi(false).event_format(json::Json).finish().try_init(),
    };
    if let (Ok(()), Some(error)) = (set_up, wrong) {
        tracing::warn!(target: "narad", "RUST_LOG is not a valid log filter: {error}; using {default}");
    }
}
