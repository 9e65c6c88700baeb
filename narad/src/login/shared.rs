//! What the clients and the thread that asks share.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::held::Held;
use super::token::Token;

/// What asking a source for a token gives.
pub(super) type Answer = Result<Token, Box<dyn Error + Send + Sync>>;

pub(super) type Source = dyn Fn() -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync;

/// A client that logs in with tokens. What it is told it keeps; it waits for nobody.
pub(crate) trait Recipient: Send {
    /// Logs in with this one from now on.
    fn take(&self, token: &Token);

    /// There is none, and why.
    fn lacks(&self, why: &str);
}

pub(super) struct Shared {
    /// What the source is in messages: "the token provider".
    pub(super) name: String,
    source: Box<Source>,
    state: Mutex<State>,
    /// A client came or went.
    pub(super) bell: Notify,
}

pub(super) struct State {
    pub(super) held: Held,
    pub(super) clients: Clients,
    /// A thread asks the source. It ends when no client is left.
    pub(super) is_asking: bool,
}

#[derive(Default)]
pub(super) struct Clients {
    joined: u64,
    all: Vec<(u64, Box<dyn Recipient>)>,
}

impl Clients {
    pub(super) fn add(&mut self, client: Box<dyn Recipient>) -> u64 {
        self.joined += 1;
        self.all.push((self.joined, client));
        self.joined
    }

    pub(super) fn remove(&mut self, number: u64) {
        self.all.retain(|(joined, _)| *joined != number);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn take(&self, token: &Token) {
        self.all.iter().for_each(|(_, client)| client.take(token));
    }

    pub(super) fn lack(&self, why: &str) {
        self.all.iter().for_each(|(_, client)| client.lacks(why));
    }
}

impl Shared {
    pub(super) fn new(name: String, source: Box<Source>) -> Self {
        let state = State { held: Held::Nothing, clients: Clients::default(), is_asking: false };
        Self { name, source, state: Mutex::new(state), bell: Notify::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the source, which is code of the application's as a rule.
    pub(super) async fn ask(&self) -> Answer {
        (self.source)().await
    }
}
