//! Logs, where the application has not set them up itself.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

use crate::config::Environment;

/// Sends logs to stderr by `RUST_LOG`; info, in development debug. Does nothing where the application has a subscriber.
pub(crate) fn init(environment: Environment) {
    let default = match environment {
        Environment::Production => "info",
        Environment::Development => "info,narad=debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let colours = stderr().is_terminal();
    // The error says that there is a subscriber, which is the application's.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(stderr).try_init();
}
