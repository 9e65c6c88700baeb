//! The runtime that an application runs on: what it has to have.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::error::{Error, Result};

/// The runtime of the caller.
///
/// # Errors
/// Where there is none, or none with timers: handlers' time-outs and backoffs wait for them.
pub(crate) fn current() -> Result<Handle> {
    let handle = Handle::try_current().map_err(|_| {
        Error::Start(
            "no tokio runtime: call this in an `async fn main` with #[tokio::main], or inside of tokio's \
             Runtime::block_on"
                .to_owned(),
        )
    })?;
    // tokio has no question for it. Its panic says the same to whoever has a hook for that.
    catch_unwind(AssertUnwindSafe(|| drop(tokio::time::sleep(Duration::ZERO))))
        .map_err(|panic| lacks("timers (enable_time)", panic))?;
    Ok(handle)
}

/// Calls what needs the runtime to have I/O.
pub(crate) fn with_io<T>(call: impl FnOnce() -> T) -> Result<T> {
    current()?;
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| lacks("I/O (enable_io)", panic))
}

fn lacks(what: &str, panic: Box<dyn std::any::Any + Send>) -> Error {
    crate::discard::discard(panic);
    Error::Start(format!("this tokio runtime has no {what}: build it with enable_all()"))
}
