//! What a handler takes beside its event: made from the record and its context at once.

use std::convert::Infallible;

use serde::Deserialize;

use super::rejection::{IntoRejection, Rejected};
use super::takes::Takes;
use crate::codec::{Body, DecodeError};
use crate::context::Context;
use crate::envelope::Meta;
use crate::json::Json;
use crate::record::Record;
use crate::state::{State, Wanted};

/// A value that a handler takes as a parameter, made from the record and its context. Implement it for types
/// of your own. It is made at once. If a value has to wait for something, such as a database, implement
/// [`Extract`](crate::Extract) instead. An error that can be displayed counts like a payload that does not
/// fit: the record goes to the handler's dead letter at once. If the error is an [`Outcome`](crate::Outcome),
/// that says what happens to the record. A handler that takes `Option<Self>` or `Result<Self, Self::Error>`
/// gets the record nevertheless.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of a handler",
    label = "not an event, and implements neither `FromRecord` nor `Extract`",
    note = "a parameter is taken by value, and is one of these: an event (`#[derive(Event)]`), `Option<T>`, \
     `Envelope<T>` or `Batch<T>` of an event, `Meta<'_>`, `Json<V>`, `Record`, `Context`, `State<S>`, a type that \
     implements `FromRecord` or `Extract`, an `Option` or `Result` of such a type, or what `#[header(\"…\")]` gives"
)]
pub trait FromRecord<'r>: Sized {
    /// Why it cannot be made.
    type Error: IntoRejection;

    /// Makes the value.
    ///
    /// # Errors
    /// When the record does not hold what the value needs.
    fn from_record(record: &'r Record, ctx: &Context) -> Result<Self, Self::Error>;

    #[doc(hidden)]
    fn takes() -> Takes {
        Takes::Own
    }

    #[doc(hidden)]
    fn rejection(error: Self::Error) -> Rejected {
        error.into_rejection()
    }
}

impl<'r> FromRecord<'r> for Record {
    type Error = Infallible;

    fn from_record(record: &'r Record, _: &Context) -> Result<Self, Infallible> {
        Ok(record.clone())
    }

    fn takes() -> Takes {
        Takes::Record
    }
}

impl<'r> FromRecord<'r> for Context {
    type Error = Infallible;

    fn from_record(_: &'r Record, ctx: &Context) -> Result<Self, Infallible> {
        Ok(ctx.clone())
    }

    fn takes() -> Takes {
        Takes::Other
    }
}

impl<'r> FromRecord<'r> for Meta<'r> {
    type Error = Infallible;

    fn from_record(record: &'r Record, ctx: &Context) -> Result<Self, Infallible> {
        Ok(Body { record, outline: ctx.outline() }.meta(ctx.shape()))
    }

    fn takes() -> Takes {
        Takes::Other
    }
}

impl<'r, V: Deserialize<'r>> FromRecord<'r> for Json<V> {
    type Error = DecodeError;

    fn from_record(record: &'r Record, ctx: &Context) -> Result<Self, DecodeError> {
        Body { record, outline: ctx.outline() }.value().map(Json)
    }

    fn takes() -> Takes {
        Takes::Json
    }

    fn rejection(error: DecodeError) -> Rejected {
        Rejected::Record(error.into())
    }
}

impl<'r, S: Send + Sync + 'static> FromRecord<'r> for State<S> {
    type Error = String;

    fn from_record(_: &'r Record, ctx: &Context) -> Result<Self, String> {
        // The start checks that it is there.
        ctx.shared_state::<S>().ok_or_else(|| {
            format!("no state of type {} was given to the builder", std::any::type_name::<S>())
        })
    }

    fn takes() -> Takes {
        Takes::State(Wanted::of::<S>())
    }
}
