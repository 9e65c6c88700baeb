//! The parameters of a handler: found by type, extracted from the delivery.
//!
//! Each parameter type has a kind, a constant that [`Probe`] finds without asking for a bound, so that what
//! is no parameter gets the message of [`Param`] on the parameter itself. The kind then selects the
//! implementation of [`Param`].

use std::error::Error;
use std::marker::PhantomData;

use narad_syntax::options::{BATCHES_ONLY, ONE_BATCH_AT_A_TIME};

use super::extract::Extract;
use super::extracted::Extracted;
use super::from_record::FromRecord;
use super::input::Input;
use super::item::Item;
use super::rejection::Rejected;
use super::reply::{IntoReply, Reply, Returns};
use super::takes::Takes;
use crate::batch::Batch;
use crate::context::Context;
use crate::envelope::Envelope;
use crate::event::{DecodeEvent, Event};
use crate::outcome::SourceOf;
use crate::state::State;

/// Finds the kind of a parameter: `Probe::<P>::KIND`, by the inherent constant where `P` is an event in some
/// form, else by [`NoEvent`].
#[doc(hidden)]
#[derive(Debug)]
pub struct Probe<P>(PhantomData<P>);

/// No event: what is left is for [`FromRecord`].
const OTHER: u8 = 0;
const EVENT: u8 = 1;
const OPTIONAL: u8 = 2;
const ENVELOPE: u8 = 3;
const BATCH: u8 = 4;
/// No event: made by waiting, as [`Extract`] says.
const EXTRACT: u8 = 5;
/// An event in a form in which no handler takes it: one that does not fit never reaches a handler. No
/// implementation of [`Param`] has it, so that the error names the whole type and not the event.
const NO_FORM: u8 = 6;

#[doc(hidden)]
pub trait NoEvent {
    const KIND: u8 = OTHER;
    const WAITS: bool = false;
    const RETURNS: fn(&mut Returns) = |_| {};
    const SOURCE: Option<SourceOf> = None;
}

impl<P> NoEvent for Probe<P> {}

impl<T: Event> Probe<T> {
    pub const KIND: u8 = EVENT;
}

impl<T: IntoReply> Probe<T> {
    /// What a handler returns with this type.
    pub const RETURNS: fn(&mut Returns) = T::returns;
}

impl<T, E: Error + 'static> Probe<Result<T, E>> {
    /// The error below the one that a handler returns with this type.
    pub const SOURCE: Option<SourceOf> = Some(|error| error.downcast_ref::<E>()?.source());
}

impl<T: Event> Probe<Option<T>> {
    pub const KIND: u8 = OPTIONAL;
}

impl<T: Event, E> Probe<Result<T, E>> {
    pub const KIND: u8 = NO_FORM;
}

impl<T> Probe<Option<Envelope<T>>> {
    pub const KIND: u8 = NO_FORM;
}

impl<T> Probe<Option<Batch<T>>> {
    pub const KIND: u8 = NO_FORM;
}

impl<T: Extract> Probe<T> {
    /// It is made by waiting, unless it is an event.
    pub const WAITS: bool = true;
}

/// The kind of a parameter, by what [`Probe`] finds of it.
#[doc(hidden)]
pub const fn kind(event: u8, waits: bool) -> u8 {
    if event == OTHER && waits { EXTRACT } else { event }
}

impl<T> Probe<Envelope<T>> {
    pub const KIND: u8 = ENVELOPE;
}

impl<T> Probe<Batch<T>> {
    pub const KIND: u8 = BATCH;
}

/// What may stand beside a [`Batch`]: `Probe::<P>::BESIDE_BATCH`, found as the kind is.
#[doc(hidden)]
pub trait NotBesideBatch {
    const BESIDE_BATCH: bool = false;
}

impl<P> NotBesideBatch for Probe<P> {}

impl<S> Probe<State<S>> {
    pub const BESIDE_BATCH: bool = true;
}

impl Probe<Context> {
    pub const BESIDE_BATCH: bool = true;
}

/// Refuses a second event, and beside a batch what has no meaning for several records; called in a constant
/// on the parameter's type.
#[doc(hidden)]
#[track_caller]
pub const fn assert_fits(kinds: &[u8], index: usize, beside_batch: bool) {
    let mut before = 0;
    while before < index {
        assert!(
            kinds[before] == OTHER || kinds[index] == OTHER,
            "a handler takes one event; write a handler for each, or take an enum that holds both"
        );
        before += 1;
    }
    assert!(
        kinds[index] != OTHER || beside_batch || !has_batch(kinds),
        "this parameter belongs to one record, and a batch has several: beside `Batch<T>` a handler can take `State<S>`, and the `Context` of the first record"
    );
}

/// Refuses the option `batch` for a handler that takes one event at a time; called in a constant on the
/// option.
#[doc(hidden)]
#[track_caller]
pub const fn assert_batch(kinds: &[u8]) {
    assert!(has_batch(kinds), "{}", BATCHES_ONLY);
}

/// Refuses concurrency where a batch is taken; called in a constant on the option.
#[doc(hidden)]
#[track_caller]
pub const fn assert_no_batch(kinds: &[u8]) {
    assert!(!has_batch(kinds), "{}", ONE_BATCH_AT_A_TIME);
}

const fn has_batch(kinds: &[u8]) -> bool {
    let mut i = 0;
    while i < kinds.len() {
        if kinds[i] == BATCH {
            return true;
        }
        i += 1;
    }
    false
}

/// A parameter of a handler, of the kind that [`Probe`] found. All are `Send`, asked here so that the error
/// is on the parameter.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of a handler",
    label = "not an event, and implements neither `FromRecord` nor `Extract`",
    note = "a parameter is taken by value, and is one of these: an event (`#[derive(Event)]`), `Option<T>`, \
     `Envelope<T>` or `Batch<T>` of an event, `Meta<'_>`, `Json<V>`, `Record`, `Context`, `State<S>`, a type that \
     implements `FromRecord` or `Extract`, an `Option` or `Result` of such a type, or what `#[header(\"…\")]` gives"
)]
// The kinds stand as numbers in the implementations, since the compiler's messages would show a constant by
// its path in this crate.
pub trait Param<'r, const KIND: u8>: Sized {
    /// What it takes.
    fn takes() -> Takes;

    /// Makes it for one attempt.
    fn extract(input: &'r Input) -> Extracted<'r, Self>;
}

impl<'r, T: FromRecord<'r> + Send> Param<'r, 0> for T {
    fn takes() -> Takes {
        T::takes()
    }

    fn extract(input: &'r Input) -> Extracted<'r, Self> {
        let ctx = input.first();
        let made = T::from_record(ctx.record(), ctx);
        Extracted::of(made.map_err(|error| Reply::refused(ctx, T::rejection(error))))
    }
}

impl<'r, T: Extract + Send> Param<'r, 5> for T {
    fn takes() -> Takes {
        Takes::Own
    }

    fn extract(input: &'r Input) -> Extracted<'r, Self> {
        let ctx = input.first();
        Extracted::Late(Box::pin(async move {
            let made = T::extract(ctx.record(), ctx).await;
            made.map_err(|outcome| Reply::refused(ctx, Rejected::Outcome(outcome)))
        }))
    }
}

impl<'r, T: DecodeEvent<'r> + Send> Param<'r, 1> for T {
    fn takes() -> Takes {
        <T as Item>::takes()
    }

    fn extract(input: &'r Input) -> Extracted<'r, Self> {
        Extracted::of(<T as Item>::of(input.first()).map_err(Reply::unfit))
    }
}

impl<'r, T: DecodeEvent<'r> + Send> Param<'r, 2> for Option<T> {
    fn takes() -> Takes {
        <Self as Item>::takes()
    }

    fn extract(input: &'r Input) -> Extracted<'r, Self> {
        Extracted::of(<Self as Item>::of(input.first()).map_err(Reply::unfit))
    }
}

impl<'r, T: DecodeEvent<'r> + Send> Param<'r, 3> for Envelope<T> {
    fn takes() -> Takes {
        <Self as Item>::takes()
    }

    fn extract(input: &'r Input) -> Extracted<'r, Self> {
        Extracted::of(<Self as Item>::of(input.first()).map_err(Reply::unfit))
    }
}

impl<'r, T: Item<'r>> Param<'r, 4> for Batch<T> {
    fn takes() -> Takes {
        Takes::Batch(T::takes)
    }

    fn extract(input: &'r Input) -> Extracted<'r, Self> {
        let (mut items, mut unfit) = (Vec::with_capacity(input.all().len()), Vec::new());
        for (index, ctx) in input.all().iter().enumerate() {
            match T::of(ctx) {
                Ok(item) => items.push(item),
                Err(rejection) => unfit.push((index, rejection)),
            }
        }
        match unfit.is_empty() {
            true => Extracted::Made(Batch::new(items, input.shared())),
            false => Extracted::Refused(Reply::unfit_each(unfit)),
        }
    }
}
