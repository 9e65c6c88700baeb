//! `narad::run()`: an application that owns its process, with its log, its signals and its exit status.

use tokio::sync::oneshot;

use crate::application::Narad;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::logging;
use crate::signals::Signals;
use crate::stderr::say;

/// Runs the registered handlers with the configuration of the environment, and owns the process: sets up
/// logging to stderr where the application has not, drains at SIGINT or SIGTERM, exits with status 2 when a
/// stop is not complete (handlers did not end in time, or the last commit was not taken) and at once on a
/// second signal. An error is one line on stderr and exit status 1.
///
/// # Errors
/// None: it exits the process instead. The result is for `main` to return.
///
/// ```no_run
/// # use narad::prelude::*;
/// #[tokio::main]
/// async fn main() -> narad::Result<()> {
///     narad::run().await
/// }
/// ```
pub async fn run() -> Result<()> {
    match own_the_process().await {
        Ok(()) => Ok(()),
        Err(Error::DrainTimeout) => {
            say(format_args!("error: {}", Error::DrainTimeout));
            std::process::exit(2)
        }
        Err(error) => {
            say(format_args!("error: {error}"));
            std::process::exit(1)
        }
    }
}

async fn own_the_process() -> Result<()> {
    let config = Config::from_env()?;
    logging::init(config.environment);
    let narad = Narad::builder().config(config).build().await?;
    let mut signals = Signals::listen()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let mut run = std::pin::pin!(narad.run_until(async move { drop(stopped.await) }));
    tokio::select! {
        outcome = &mut run => return outcome,
        () = signals.next() => drop(stop),
    }
    tokio::select! {
        outcome = run => outcome,
        () = signals.next() => {
            say("error: a second signal: stopped at once; what was in flight is not committed");
            std::process::exit(2)
        }
    }
}
