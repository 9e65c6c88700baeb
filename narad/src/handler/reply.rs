//! What a handler may return, and what the engine makes of it.

use std::any::TypeId;
use std::borrow::Cow;
use std::fmt::Display;

use super::rejection::{Rejected, Rejection};
use super::returning::{Encoded, Returning};
use crate::batch::BatchOutcome;
use crate::codec::{DecodeFault, EncodeError, Shape, Wait};
use crate::context::Context;
use crate::event::TopicEvent;
use crate::outcome::{Ending, Outcome, SourceOf};
use crate::producer::encoded_or_late;
use crate::publish::{HeldEvent, Publish, record_of};

/// What an attempt gives back to the engine.
#[doc(hidden)]
#[derive(Debug)]
pub struct Reply {
    pub(crate) outcome: Outcome,
    /// What became of each record of a batch, where that differs; `outcome` is done then.
    pub(crate) each: Option<Box<BatchOutcome>>,
    /// Events to publish before the record counts as done; of some the payload comes later.
    pub(crate) events: Vec<Encoded>,
    /// The records, by their place in the input, that did not fit the handler's parameters: no attempt mends
    /// that.
    pub(crate) unfit: Vec<(usize, Rejection)>,
}

impl Reply {
    pub(crate) fn new(outcome: Outcome) -> Self {
        Self { outcome, each: None, events: Vec::new(), unfit: Vec::new() }
    }

    /// Done, and nothing else to do.
    pub(crate) fn is_plain_success(&self) -> bool {
        self.outcome.is_done() && self.each.is_none() && self.events.is_empty() && self.unfit.is_empty()
    }

    /// How the attempt ended at so many records; `None` where there was none, since the handler has not run.
    /// One at a batch that is not done with each of its records ended in an error.
    pub(crate) fn ending(&self, records: usize) -> Option<Ending> {
        let fails = |each: &BatchOutcome| !each.first().is_done() || each.misfit(records).is_some();
        let mut unfit = self.unfit.iter();
        if unfit.any(|(_, rejection)| rejection.waits()) || (records > 1 && !self.unfit.is_empty()) {
            // It waits for what is not there yet, or the batch comes apart first.
            None
        } else if !self.unfit.is_empty() || self.each.as_ref().is_some_and(|each| fails(each)) {
            Some(Ending::Err)
        } else {
            Some(self.outcome.ending())
        }
    }

    /// What layers see: the outcome, or the first of a batch's that is not done.
    pub(crate) fn seen(&self) -> Outcome {
        match self.unfit.iter().find(|(_, rejection)| rejection.waits()).or(self.unfit.first()) {
            Some((_, rejection)) if rejection.waits() => Outcome::retry(rejection.text.clone()),
            Some((_, rejection)) => Outcome::dead_letter(rejection.text.clone()),
            None => self.each.as_ref().map_or_else(|| self.outcome.again(), |each| each.first()),
        }
    }

    /// What a parameter cannot be made without yet. The handler has not run.
    pub(crate) fn take_wait(&mut self) -> Option<Wait> {
        let place = self.unfit.iter().position(|(_, rejection)| rejection.waits())?;
        match self.unfit.swap_remove(place).1.fault {
            DecodeFault::NotYet(wait) => Some(wait),
            DecodeFault::Unfit | DecodeFault::Malformed => None,
        }
    }

    /// The events that it had can never be published: this becomes of the records that are done.
    pub(crate) fn without_events(mut self, outcome: Outcome) -> Self {
        match self.each.take() {
            Some(each) => self.each = Some(Box::new(each.without_events(outcome))),
            None => self.outcome = outcome,
        }
        self
    }

    /// A parameter was not made. A record that is not well-formed is that first, whatever else is wrong: an
    /// event beside the parameter would have found it.
    pub(super) fn refused(ctx: &Context, rejected: Rejected) -> Self {
        if let Some(malformed) = ctx.malformed_event() {
            return Self::unfit(malformed.into());
        }
        match rejected {
            Rejected::Record(rejection) => Self::unfit(rejection),
            Rejected::Outcome(outcome) => Self::new(outcome),
        }
    }

    /// A parameter could not be made.
    pub fn unfit(rejection: Rejection) -> Self {
        Self::unfit_each(vec![(0, rejection)])
    }

    pub(crate) fn unfit_each(unfit: Vec<(usize, Rejection)>) -> Self {
        Self { unfit, ..Self::new(Outcome::done()) }
    }
}

/// What a handler may return: `()`, a `Result` with an error that is `Display + Send + 'static`, an
/// [`Outcome`], a [`BatchOutcome`], events to publish, as they are or in a [`Publish`], or a `BatchOutcome`
/// with events. Only Narad implements it: its methods are not public and may change. An error type of your
/// own only needs `Display`; [`Failure`](macro@crate::Failure) gives each of its variants a fate.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned by a handler",
    label = "not something a handler returns",
    note = "a handler returns `()`, `Result<(), E>` with `E: Display + Send + 'static`, `Outcome`, or \
     events that name their topic (`#[event(topic = \"…\")]`) or have one in a `Publish`, alone or in an \
     `Option`, `Vec`, array, tuple or `Result`"
)]
pub trait IntoReply {
    #[doc(hidden)]
    fn into_reply(self, ctx: &Context) -> Reply;

    /// What the start checks of it.
    #[doc(hidden)]
    fn returns(_: &mut Returns) {}
}

/// What a handler may return, as far as the start checks it.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Returns {
    /// Each event once for every place where it stands.
    pub events: Vec<Returned>,
    /// The error's type, whose fate is known by it.
    pub error: Option<TypeId>,
}

/// An event that a handler may return.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Returned {
    /// The name of its type.
    pub event: fn() -> &'static str,
    /// Its topic, as its attribute has it.
    pub topic: &'static str,
    pub shape: &'static Shape,
}

impl IntoReply for () {
    fn into_reply(self, _: &Context) -> Reply {
        Reply::new(Outcome::done())
    }
}

impl IntoReply for Outcome {
    fn into_reply(self, _: &Context) -> Reply {
        Reply::new(self)
    }
}

impl IntoReply for BatchOutcome {
    fn into_reply(self, _: &Context) -> Reply {
        let each = (!self.is_plain()).then(|| Box::new(self));
        Reply { each, ..Reply::new(Outcome::done()) }
    }
}

/// The events are published before anything becomes of the records.
impl<T: Events> IntoReply for (BatchOutcome, T) {
    fn into_reply(self, ctx: &Context) -> Reply {
        let (outcome, events) = self;
        let Reply { outcome: fate, events, .. } = events.into_reply(ctx);
        // What cannot be written costs those records for which it was returned.
        let outcome = if fate.is_done() { outcome } else { outcome.without_events(fate) };
        Reply { events, ..outcome.into_reply(ctx) }
    }

    fn returns(returns: &mut Returns) {
        T::returned(&mut returns.events);
    }
}

impl<T: IntoReply, E: Display + Send + 'static> IntoReply for Result<T, E> {
    fn into_reply(self, ctx: &Context) -> Reply {
        match self {
            Ok(value) => value.into_reply(ctx),
            Err(error) => Reply::new(Outcome::of(error)),
        }
    }

    fn returns(returns: &mut Returns) {
        T::returns(returns);
        returns.error = Some(TypeId::of::<E>());
    }
}

impl<T: IntoReply> IntoReply for Result<T, Outcome> {
    fn into_reply(self, ctx: &Context) -> Reply {
        match self {
            Ok(value) => value.into_reply(ctx),
            Err(outcome) => Reply::new(outcome),
        }
    }

    fn returns(returns: &mut Returns) {
        T::returns(returns);
    }
}

/// The reply of a handler whose return type is written as a `Result`: what its value or its error lacks is
/// said of that one. `source_of` knows the errors below its error.
#[doc(hidden)]
pub fn result_into_reply<T, E>(returned: Result<T, E>, ctx: &Context, source_of: Option<SourceOf>) -> Reply
where
    T: IntoReply,
    E: ReturnedError + SentError,
{
    match returned {
        Ok(value) => value.into_reply(ctx),
        Err(error) => Reply::new(error.into_outcome(source_of)),
    }
}

/// The error of a handler: whatever can be shown, or an [`Outcome`].
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a handler",
    label = "does not implement `Display`",
    note = "an error must be `Display + Send + 'static`, because it is logged and written to the dead letter; an `Outcome` is accepted as well"
)]
pub trait ReturnedError {
    fn into_outcome(self, source_of: Option<SourceOf>) -> Outcome
    where
        Self: SentError;
}

impl<E: Display> ReturnedError for E {
    fn into_outcome(self, source_of: Option<SourceOf>) -> Outcome
    where
        Self: SentError,
    {
        Outcome::of_error(self, source_of)
    }
}

/// What else an error needs, so that the lack of it is said of the error and not of a part of it.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a handler",
    label = "is not `Send`",
    note = "an error must be `Display + Send + 'static`, because it goes to another thread: `Box<dyn Error + Send + Sync>` is, `Box<dyn Error>` and types that hold an `Rc` are not"
)]
pub trait SentError: Sized + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<E: Send + 'static> SentError for E {}

impl ReturnedError for Outcome {
    fn into_outcome(self, _: Option<SourceOf>) -> Outcome {
        self
    }
}

#[diagnostic::do_not_recommend]
impl<T: Events> IntoReply for T {
    fn into_reply(self, ctx: &Context) -> Reply {
        let mut returning = Returning::new(ctx);
        match self.encode_into(&mut returning) {
            Ok(()) => Reply { events: returning.events, ..Reply::new(Outcome::done()) },
            // No retry mends an event that cannot be written.
            Err(error) => Reply::new(Outcome::dead_letter(error)),
        }
    }

    fn returns(returns: &mut Returns) {
        T::returned(&mut returns.events);
    }
}

/// Events to publish: one that names its topic, or `Option`, `Vec`, array, tuple of them.
#[doc(hidden)]
pub trait Events {
    /// Encodes them at once, while the handler's values are there.
    fn encode_into(&self, returning: &mut Returning<'_>) -> Result<(), EncodeError>;

    /// Which they may be.
    fn returned(events: &mut Vec<Returned>);
}

#[diagnostic::do_not_recommend]
impl<T: TopicEvent> Events for T {
    fn encode_into(&self, returning: &mut Returning<'_>) -> Result<(), EncodeError> {
        let topic = returning.own_topic(T::TOPIC)?;
        let event = encoded_or_late(&topic, self, &mut returning.encoder())?;
        returning.push(event, None)
    }

    fn returned(events: &mut Vec<Returned>) {
        events.push(Returned { event: std::any::type_name::<T>, topic: T::TOPIC, shape: &T::SHAPE });
    }
}

impl<P: HeldEvent> Events for Publish<P> {
    fn encode_into(&self, returning: &mut Returning<'_>) -> Result<(), EncodeError> {
        let topic = match (self.topic(), self.held().own_topic()) {
            (Some(topic), _) => Cow::Borrowed(topic),
            (None, Some(own)) => returning.own_topic(own)?,
            (None, None) => return Err(EncodeError::new("the event has no topic".to_owned())),
        };
        let mut encoder = returning.encoder();
        self.held().write(&mut encoder)?;
        let event = record_of(&topic, self.held().event_key(), &mut encoder);
        returning.push((event, encoder.take_late_payload()), Some(self.parts()))
    }

    fn returned(events: &mut Vec<Returned>) {
        // Where only the value says it, nobody knows it before.
        if let Some(shape) = P::declared()
            && let Some(topic) = shape.topic
        {
            events.push(Returned { event: std::any::type_name::<P>, topic, shape });
        }
    }
}

impl<T: Events> Events for Option<T> {
    fn encode_into(&self, returning: &mut Returning<'_>) -> Result<(), EncodeError> {
        self.iter().try_for_each(|events| events.encode_into(returning))
    }

    fn returned(events: &mut Vec<Returned>) {
        T::returned(events);
    }
}

impl<T: Events> Events for Vec<T> {
    fn encode_into(&self, returning: &mut Returning<'_>) -> Result<(), EncodeError> {
        self.iter().try_for_each(|events| events.encode_into(returning))
    }

    fn returned(events: &mut Vec<Returned>) {
        T::returned(events);
    }
}

impl<T: Events, const N: usize> Events for [T; N] {
    fn encode_into(&self, returning: &mut Returning<'_>) -> Result<(), EncodeError> {
        self.iter().try_for_each(|events| events.encode_into(returning))
    }

    fn returned(events: &mut Vec<Returned>) {
        T::returned(events);
    }
}

macro_rules! tuples {
    ($($($element:ident)+;)*) => {$(
        impl<$($element: Events),+> Events for ($($element,)+) {
            #[allow(non_snake_case)]
            fn encode_into(&self, returning: &mut Returning<'_>) -> Result<(), EncodeError> {
                let ($($element,)+) = self;
                $($element.encode_into(returning)?;)+
                Ok(())
            }

            fn returned(events: &mut Vec<Returned>) {
                $($element::returned(events);)+
            }
        }
    )*};
}
tuples! {
    A; A B; A B C; A B C D; A B C D E; A B C D E F; A B C D E F G; A B C D E F G H; A B C D E F G H I; A B C D E F G H I J;
    A B C D E F G H I J K; A B C D E F G H I J K L;
}
