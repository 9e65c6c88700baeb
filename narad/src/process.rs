//! `narad::run()` and `Builder::run()`: an application that owns its process, with its log, its signals and
//! its exit status.

use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::logging;
use crate::run::Builder;
use crate::signals::Signals;
use crate::stderr::say;

/// Runs the registered handlers with the configuration of the environment, and owns the process: sets up
/// logging to stderr where the application has not, drains at SIGINT or SIGTERM, exits with status 2 when a
/// stop is not complete (handlers did not end in time, or the last commit was not taken) and at once on a
/// second signal. An error is one line on stderr and exit status 1.
///
/// With states, layers or a configuration of the application's own it is [`Builder::run`].
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
    Builder::default().run().await
}

impl Builder {
    /// Builds the application and runs it, and owns the process as [`narad::run`](crate::run) does: logs to
    /// stderr where the application has set up none, drains at SIGINT or SIGTERM, and ends the process where
    /// something goes wrong. So it is for `main`, and not for tests or for a part of a larger program: these
    /// [`build`](Self::build), and [`run`](crate::Narad::run) what that gives.
    ///
    /// # Errors
    /// None: it exits the process instead, with status 1 where it cannot start or a handler halted it, and 2
    /// where a stop is not complete. The result is for `main` to return.
    ///
    /// ```no_run
    /// # use narad::prelude::*;
    /// # struct Database;
    /// # impl Database { async fn connect() -> Self { Self } }
    /// #[tokio::main]
    /// async fn main() -> narad::Result<()> {
    ///     narad::Narad::builder().state(Database::connect().await).run().await
    /// }
    /// ```
    pub async fn run(self) -> Result<()> {
        match own_the_process(self).await {
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
}

async fn own_the_process(builder: Builder) -> Result<()> {
    let builder = builder.configured()?;
    builder.config_given().into_iter().for_each(logging::init);
    let narad = builder.build().await?;
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
