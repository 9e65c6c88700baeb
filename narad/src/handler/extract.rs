//! What a handler takes that is made by waiting for something; and parameters that need not be there.

use std::convert::Infallible;

use super::from_record::FromRecord;
use super::rejection::{Rejected, is_absence};
use super::takes::Takes;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::record::Record;

/// A value that a handler takes as a parameter, made by waiting for something, such as a database: implement
/// it for types of your own. What needs nothing but the record implements [`FromRecord`](crate::FromRecord).
///
/// The outcome of an `Err` is what it would be if the handler returned it: `Outcome::retry` is a failed
/// attempt, and the value is made anew in the next one; `Outcome::dead_letter`, `skip` and `halt` are final.
/// In a function that returns `Result<_, Outcome>`, `?` makes a retry of any error that can be displayed.
///
/// It is part of the attempt: the handler's `timeout` is over both, layers are around both, and it is dropped
/// with the attempt where the partition is taken away. Parameters are made in the order in which they are
/// written; where one is not made, those after it are not. On a plain `fn` it runs on the thread of the
/// call, which waits for it.
///
/// A handler that takes `Option<Self>` gets `None` where the outcome is a dead letter or a skip; a retry or a
/// halt stays what it is. One that takes `Result<Self, Outcome>` gets every outcome.
///
/// ```
/// use narad::prelude::*;
/// use narad::{Extract, Outcome};
///
/// #[derive(Event)]
/// struct OrderPlaced { order_id: String }
///
/// struct Customers;
/// impl Customers {
///     async fn find(&self, id: &str) -> Result<Option<Customer>, std::io::Error> { Ok(None) }
/// }
///
/// struct Customer { name: String }
///
/// impl Extract for Customer {
///     async fn extract(record: &Record, ctx: &Context) -> Result<Self, Outcome> {
///         let customers = ctx.state::<Customers>().ok_or_else(|| Outcome::halt("no customers"))?;
///         let id = record.header("customer").and_then(|id| std::str::from_utf8(id).ok());
///         let id = id.ok_or_else(|| Outcome::dead_letter("the header customer is missing"))?;
///         // An error of the database is a failed attempt.
///         let found = customers.find(id).await?;
///         found.ok_or_else(|| Outcome::skip("no such customer"))
///     }
/// }
///
/// #[kafka_handler(topic = "orders", group = "letters")]
/// async fn write(order: OrderPlaced, customer: Customer) {
///     println!("{} for {}", order.order_id, customer.name);
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of a handler",
    label = "does not implement `Extract`"
)]
pub trait Extract: Sized {
    /// Makes the value.
    ///
    /// # Errors
    /// What is to become of the record where it cannot be made.
    fn extract(record: &Record, ctx: &Context) -> impl Future<Output = Result<Self, Outcome>> + Send;
}

/// What an `Option` of a parameter takes: a state need not be there.
fn optional(takes: Takes) -> Takes {
    match takes {
        Takes::State(_) => Takes::Other,
        other => other,
    }
}

impl<'r, P: FromRecord<'r>> FromRecord<'r> for Option<P> {
    type Error = Rejected;

    fn from_record(record: &'r Record, ctx: &Context) -> Result<Self, Rejected> {
        match P::from_record(record, ctx).map_err(P::rejection) {
            Ok(value) => Ok(Some(value)),
            Err(rejected) if rejected.is_absence() => Ok(None),
            Err(rejected) => Err(rejected),
        }
    }

    fn takes() -> Takes {
        optional(P::takes())
    }
}

impl<'r, P: FromRecord<'r, Error = E>, E> FromRecord<'r> for Result<P, E> {
    type Error = Infallible;

    fn from_record(record: &'r Record, ctx: &Context) -> Result<Self, Self::Error> {
        Ok(P::from_record(record, ctx))
    }

    fn takes() -> Takes {
        optional(P::takes())
    }
}

impl<P: Extract> Extract for Option<P> {
    async fn extract(record: &Record, ctx: &Context) -> Result<Self, Outcome> {
        match P::extract(record, ctx).await {
            Ok(value) => Ok(Some(value)),
            Err(outcome) if is_absence(&outcome) => Ok(None),
            Err(outcome) => Err(outcome),
        }
    }
}

impl<P: Extract> Extract for Result<P, Outcome> {
    async fn extract(record: &Record, ctx: &Context) -> Result<Self, Outcome> {
        Ok(P::extract(record, ctx).await)
    }
}
