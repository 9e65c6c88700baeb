//! Layers: what goes around every attempt of a handler.

use std::pin::Pin;

use crate::context::Context;
use crate::outcome::Outcome;

/// What goes around every attempt of a handler: metrics, traces, limits.
pub trait Layer: Send + Sync + 'static {
    /// Runs around one attempt; `next.run().await` runs what is inside.
    fn call<'a>(&'a self, ctx: &'a Context, next: Next<'a>) -> impl Future<Output = Outcome> + Send + 'a;
}

/// The rest of the attempt: further layers, then the handler.
#[allow(missing_debug_implementations)]
pub struct Next<'a> {
    #[allow(dead_code)]
    inner: Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>,
}

impl Next<'_> {
    /// Runs the rest of the attempt.
    pub async fn run(self) -> Outcome {
        self.inner.await
    }
}
