//! Where tokens come from, for all clients of a program.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::SystemTime;

use super::asking;
use super::shared::{Answer, Recipient, Shared};

/// Where the tokens of a program come from, for all of its clients: set by
/// [`Config::token_provider`](crate::Config::token_provider), or by the program's settings. Clones share it.
#[derive(Clone)]
pub struct Tokens(Arc<Shared>);

/// A client's place among those that are told. It goes when this is dropped.
pub(crate) struct Joined {
    tokens: Arc<Shared>,
    number: u64,
}

impl Tokens {
    pub(crate) fn new<F, T>(name: impl Into<String>, source: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Answer> + Send + 'static,
    {
        Self(Arc::new(Shared::new(name.into(), Box::new(move || Box::pin(source())))))
    }

    /// What it is in messages.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// The client is told of every token from now on, and at once of the one that there is. While there are
    /// clients, a thread asks the source.
    pub(crate) fn join(&self, client: Box<dyn Recipient>) -> Joined {
        let now = SystemTime::now();
        let mut state = self.0.lock();
        match (state.held.good(now), state.held.cause()) {
            (Some(token), _) => client.take(token),
            (None, Some(cause)) => client.lacks(&format!("{}: {cause}", self.0.name)),
            (None, None) => {}
        }
        let number = state.clients.add(client);
        if !state.is_asking {
            state.is_asking = true;
            asking::begin(&self.0, &mut state);
        }
        Joined { tokens: self.0.clone(), number }
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        // Whoever tells the clients holds the lock: from here on this one is not called any more.
        self.tokens.lock().clients.remove(self.number);
        self.tokens.bell.notify_one();
    }
}

impl PartialEq for Tokens {
    /// The same source, shared.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Tokens {}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tokens").field(&self.0.name).finish()
    }
}

#[cfg(test)]
mod tests;
