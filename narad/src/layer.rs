//! Layers: what goes around every attempt of a handler.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use crate::context::Context;
use crate::handler::Reply;
use crate::outcome::Outcome;

/// Code around every attempt of a handler: metrics, traces, limits. Layers run in the order in which they
/// were given to the builder; the first one is the outermost. The outcome that a layer returns is the outcome
/// of the attempt.
///
/// ```
/// use narad::prelude::*;
/// use narad::{Layer, Next};
///
/// struct Timing;
///
/// impl Layer for Timing {
///     async fn call<'a>(&'a self, ctx: &'a Context, next: Next<'a>) -> Outcome {
///         let start = std::time::Instant::now();
///         let outcome = next.run().await;
///         println!("{}: {:?} after {:?}", ctx.handler(), outcome.kind(), start.elapsed());
///         outcome
///     }
/// }
/// ```
pub trait Layer: Send + Sync + 'static {
    /// Runs around one attempt; `next.run().await` runs the inner layers and the handler. If a layer does not
    /// run `next`, the handler is not called.
    fn call<'a>(&'a self, ctx: &'a Context, next: Next<'a>) -> impl Future<Output = Outcome> + Send + 'a;
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// [`Layer`] as an object.
trait DynLayer: Send + Sync {
    fn call<'a>(&'a self, ctx: &'a Context, next: Next<'a>) -> Boxed<'a, Outcome>;
}

impl<L: Layer> DynLayer for L {
    fn call<'a>(&'a self, ctx: &'a Context, next: Next<'a>) -> Boxed<'a, Outcome> {
        Box::pin(Layer::call(self, ctx, next))
    }
}

/// The layers of an application, the outermost first.
#[derive(Clone, Default)]
pub(crate) struct Layers(Arc<[Arc<dyn DynLayer>]>);

impl Layers {
    pub(crate) fn with(&self, layer: impl Layer) -> Self {
        Self(self.0.iter().cloned().chain([Arc::new(layer) as Arc<dyn DynLayer>]).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Layers({})", self.0.len())
    }
}

/// The rest of the attempt: further layers, then the handler.
pub struct Next<'a> {
    layers: &'a [Arc<dyn DynLayer>],
    ctx: &'a Context,
    attempt: Boxed<'a, Reply>,
    /// Where the reply is left, since layers see its outcome only.
    reply: &'a Mutex<Option<Reply>>,
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("layers", &self.layers.len()).finish_non_exhaustive()
    }
}

impl Next<'_> {
    /// Runs the rest of the attempt.
    pub async fn run(self) -> Outcome {
        match self.layers.split_first() {
            Some((layer, layers)) => layer.call(self.ctx, Next { layers, ..self }).await,
            None => {
                let reply = self.attempt.await;
                let outcome = reply.seen();
                *self.reply.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply);
                outcome
            }
        }
    }
}

/// Runs an attempt inside the layers.
pub(crate) async fn around(
    layers: &Layers,
    ctx: &Context,
    attempt: impl Future<Output = Reply> + Send,
) -> Reply {
    if layers.is_empty() {
        return attempt.await;
    }
    let reply = Mutex::new(None);
    let outcome = Next { layers: &layers.0, ctx, attempt: Box::pin(attempt), reply: &reply }.run().await;
    match reply.into_inner().unwrap_or_else(PoisonError::into_inner) {
        // Where the layers let the outcome be, events are published, each record of a batch has its own
        // outcome, and one that does not fit goes to the dead letter that its fault asks for.
        Some(reply)
            if outcome.kind() == reply.seen().kind()
                && (outcome.is_done() || reply.each.is_some() || !reply.unfit.is_empty()) =>
        {
            reply
        }
        _ => Reply::new(outcome),
    }
}
