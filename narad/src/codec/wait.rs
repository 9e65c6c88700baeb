//! What cannot be read or written yet.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// What a payload cannot be read or written without, and is on its way: a schema, say.
///
/// It is no fault of the record's: whoever gets one waits, and then goes on where it was. Nothing is counted
/// as an attempt meanwhile, and nothing is given up.
pub(crate) struct Wait<T = ()> {
    /// What is waited for, for people.
    what: String,
    until: Pin<Box<dyn Future<Output = T> + Send>>,
}

impl<T> Wait<T> {
    /// Only the encodings say that something is not there yet; JSON never does.
    #[cfg_attr(not(test), expect(dead_code))]
    pub(crate) fn new(what: String, until: impl Future<Output = T> + Send + 'static) -> Self {
        Self { what, until: Box::pin(until) }
    }

    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// Resolves when it is there.
    pub(crate) async fn over(self) -> T {
        self.until.await
    }
}

impl<T> fmt::Debug for Wait<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wait").field(&self.what).finish()
    }
}
