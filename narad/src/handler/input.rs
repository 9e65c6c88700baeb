//! What one attempt works on.

use std::sync::Arc;

use crate::context::Context;

/// What one attempt works on: a record, or for a batch handler several of one partition.
#[doc(hidden)]
#[derive(Debug)]
pub enum Input {
    One(Context),
    Many(Arc<[Context]>),
}

impl Input {
    /// The context of the first record.
    pub fn first(&self) -> &Context {
        &self.all()[0]
    }

    /// The same as [`all`](Self::all), to be kept.
    pub(super) fn shared(&self) -> Arc<[Context]> {
        match self {
            Self::One(ctx) => Arc::new([ctx.clone()]),
            Self::Many(all) => all.clone(),
        }
    }

    /// The contexts of all records, in order; never empty.
    pub fn all(&self) -> &[Context] {
        match self {
            Self::One(ctx) => std::slice::from_ref(ctx),
            Self::Many(all) => all,
        }
    }
}
