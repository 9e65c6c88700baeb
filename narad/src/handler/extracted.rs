//! A parameter on its way from a record to a handler.

use std::fmt;
use std::pin::Pin;

use super::reply::Reply;

/// A parameter, made for an attempt.
#[doc(hidden)]
pub enum Extracted<'r, T> {
    Made(T),
    /// It cannot be made.
    Refused(Reply),
    /// It is made by waiting. In a box, so that parameters which are made at once need not know what waits.
    Late(Pin<Box<dyn Future<Output = Result<T, Reply>> + Send + 'r>>),
}

impl<T> Extracted<'_, T> {
    pub(super) fn of(made: Result<T, Reply>) -> Self {
        match made {
            Ok(value) => Self::Made(value),
            Err(reply) => Self::Refused(reply),
        }
    }
}

impl<T> fmt::Debug for Extracted<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Extracted")
    }
}

/// Waits on the thread of a plain `fn`, which is one of Narad's own and has entered the application's
/// runtime.
#[doc(hidden)]
pub fn wait<T>(late: impl Future<Output = T>) -> T {
    tokio::runtime::Handle::current().block_on(late)
}
