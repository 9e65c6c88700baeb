//! Where an attempt runs.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use tokio_util::sync::ReusableBoxFuture;

use super::reply::Reply;

/// Room for one running handler, reused from record to record: a handler that does not wait costs no
/// allocation.
#[doc(hidden)]
pub struct Slot(ReusableBoxFuture<'static, Reply>);

impl Slot {
    pub(crate) fn new() -> Self {
        Self(ReusableBoxFuture::new(std::future::pending()))
    }

    /// Puts an attempt into the slot; it runs when the slot is polled.
    pub fn set(&mut self, attempt: impl Future<Output = Reply> + Send + 'static) {
        self.0.set(attempt);
    }

    pub(crate) fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Reply> {
        self.0.poll(cx)
    }

    /// Drops the attempt that is in the slot.
    pub(crate) fn clear(&mut self) {
        self.0.set(std::future::pending());
    }
}

impl Future for Slot {
    type Output = Reply;
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Reply> {
        self.0.poll(cx)
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Slot")
    }
}
