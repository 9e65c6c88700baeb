//! `narad::run()` and `Builder::run()`: an application that owns its process, with its log, its signals and
//! its exit status.

use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::logging;
use crate::run::Builder;
use crate::signals::Signals;
use crate::stderr::say;

/// Runs the registered handlers with the configuration of the environment, and owns the process: it sets up
/// logging to stderr if the application has not, drains at SIGINT or SIGTERM, exits with status 2 if a stop
/// is not complete (handlers did not end in time, or the last commit was not accepted), and exits at once on
/// a second signal. An error is one line on stderr and exit status 1. For states, layers or a configuration
/// of your own use [`Builder::run`].
///
/// # Errors
/// None: it exits the process instead. The `Result` is for `main` to return.
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
    /// Builds the application and runs it, and owns the process as [`narad::run`](crate::run) does: it logs
    /// to stderr if the application has not set up logging, drains at SIGINT or SIGTERM, and ends the process
    /// if something goes wrong. So it is for `main`. In tests and in larger programs call
    /// [`build`](Self::build), and [`run`](crate::Narad::run) on the result.
    ///
    /// # Errors
    /// None: it exits the process instead, with status 1 if it cannot start or a handler halted it, and 2 if
    /// a stop is not complete. The `Result` is for `main` to return.
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
