//! What a handler takes of one record: by itself, or as an item of a batch.

use super::rejection::Rejection;
use super::takes::{EventKind, Takes};
use crate::context::Context;
use crate::envelope::Envelope;
use crate::event::DecodeEvent;
use crate::record::Record;

/// An event in some form, or the record itself: what a [`Batch`](crate::Batch) may be of.
#[doc(hidden)]
pub trait Item<'r>: Sized + Send {
    /// What it takes.
    fn takes() -> Takes;

    /// Makes it from a record.
    fn of(ctx: &'r Context) -> Result<Self, Rejection>;
}

impl<'r, T: DecodeEvent<'r> + Send> Item<'r> for T {
    fn takes() -> Takes {
        Takes::Event(EventKind::Plain, &T::SHAPE)
    }

    fn of(ctx: &'r Context) -> Result<Self, Rejection> {
        Ok(T::decode(&ctx.body())?)
    }
}

impl<'r, T: DecodeEvent<'r> + Send> Item<'r> for Option<T> {
    fn takes() -> Takes {
        Takes::Event(EventKind::Optional, &T::SHAPE)
    }

    fn of(ctx: &'r Context) -> Result<Self, Rejection> {
        match ctx.record().payload() {
            None => Ok(None),
            Some(_) => Ok(Some(T::decode(&ctx.body())?)),
        }
    }
}

impl<'r, T: DecodeEvent<'r> + Send> Item<'r> for Envelope<T> {
    fn takes() -> Takes {
        Takes::Event(EventKind::Envelope, &T::SHAPE)
    }

    fn of(ctx: &'r Context) -> Result<Self, Rejection> {
        let body = ctx.body();
        let data = T::decode(&body)?;
        Ok(body.meta(&T::SHAPE).envelope(data))
    }
}

impl<'r> Item<'r> for Record {
    fn takes() -> Takes {
        Takes::Record
    }

    fn of(ctx: &'r Context) -> Result<Self, Rejection> {
        Ok(ctx.record().clone())
    }
}
