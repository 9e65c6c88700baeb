//! What a handler may return, and what the engine makes of it.

use std::fmt::Display;

use super::param::Rejection;
use crate::codec::Encoder;
use crate::context::Context;
use crate::event::TopicEvent;
use crate::outcome::Outcome;
use crate::producer::Outgoing;

/// What an attempt gives back to the engine.
#[doc(hidden)]
#[derive(Debug)]
pub struct Reply {
    pub(crate) outcome: Outcome,
    /// Events to publish before the record counts as done.
    pub(crate) events: Vec<Outgoing>,
    /// The records, by their place in the input, that did not fit the handler's parameters: no attempt mends that.
    pub(crate) unfit: Vec<(usize, Rejection)>,
}

impl Reply {
    pub(crate) fn new(outcome: Outcome) -> Self {
        Self { outcome, events: Vec::new(), unfit: Vec::new() }
    }

    /// A parameter could not be made.
    pub fn unfit(rejection: Rejection) -> Self {
        Self::unfit_each(vec![(0, rejection)])
    }

    pub(crate) fn unfit_each(unfit: Vec<(usize, Rejection)>) -> Self {
        Self { unfit, ..Self::new(Outcome::done()) }
    }
}

/// What a handler may return: `()`, a `Result` with an error that is `Display + Send + 'static`, an [`Outcome`], or events to publish.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned by a handler",
    label = "not something a handler returns",
    note = "a handler returns `()`, `Result<(), E>` with `E: Display + Send + 'static`, `Outcome`, or events that name their topic (`#[event(topic = \"…\")]`), alone or in an `Option`, `Vec`, array, tuple or `Result`"
)]
pub trait IntoReply {
    #[doc(hidden)]
    fn into_reply(self, ctx: &Context) -> Reply;
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

impl<T: IntoReply, E: Display + Send + 'static> IntoReply for Result<T, E> {
    fn into_reply(self, ctx: &Context) -> Reply {
        match self {
            Ok(value) => value.into_reply(ctx),
            Err(error) => Reply::new(Outcome::of(error)),
        }
    }
}

impl<T: IntoReply> IntoReply for Result<T, Outcome> {
    fn into_reply(self, ctx: &Context) -> Reply {
        match self {
            Ok(value) => value.into_reply(ctx),
            Err(outcome) => Reply::new(outcome),
        }
    }
}

impl<T: TopicEvent> IntoReply for T {
    fn into_reply(self, ctx: &Context) -> Reply {
        publish(ctx, [&self])
    }
}

impl<T: TopicEvent> IntoReply for Option<T> {
    fn into_reply(self, ctx: &Context) -> Reply {
        publish(ctx, &self)
    }
}

impl<T: TopicEvent> IntoReply for Vec<T> {
    fn into_reply(self, ctx: &Context) -> Reply {
        publish(ctx, &self)
    }
}

impl<T: TopicEvent, const N: usize> IntoReply for [T; N] {
    fn into_reply(self, ctx: &Context) -> Reply {
        publish(ctx, &self)
    }
}

/// Encodes the events at once, while the handler's values are there.
fn publish<'e, T: TopicEvent + 'e>(ctx: &Context, events: impl IntoIterator<Item = &'e T>) -> Reply {
    let mut reply = Reply::new(Outcome::done());
    for event in events {
        let mut encoder = Encoder::new(ctx.client_id());
        match Outgoing::event(T::TOPIC, event, &mut encoder) {
            Ok(outgoing) => reply.events.push(outgoing),
            // No retry mends an event that cannot be written.
            Err(error) => return Reply::new(Outcome::dead_letter(error)),
        }
    }
    reply
}

impl Reply {
    /// Both replies in one: the events in order, or the first failure.
    fn and(mut self, other: Self) -> Self {
        use crate::outcome::OutcomeKind::Done;
        if self.outcome.kind() != Done {
            return self;
        }
        if other.outcome.kind() != Done {
            return other;
        }
        self.events.extend(other.events);
        self
    }
}

/// One element of a tuple of events: an event, or `Option`, `Vec` or array of them.
#[doc(hidden)]
pub trait Events: IntoReply {}
impl<T: TopicEvent> Events for T {}
impl<T: TopicEvent> Events for Option<T> {}
impl<T: TopicEvent> Events for Vec<T> {}
impl<T: TopicEvent, const N: usize> Events for [T; N] {}

macro_rules! tuples {
    ($($head:ident $($tail:ident)*;)*) => {$(
        impl<$head: Events, $($tail: Events),*> IntoReply for ($head, $($tail,)*) {
            #[allow(non_snake_case)]
            fn into_reply(self, ctx: &Context) -> Reply {
                let ($head, $($tail,)*) = self;
                $head.into_reply(ctx)$(.and($tail.into_reply(ctx)))*
            }
        }
    )*};
}
tuples! { A; A B; A B C; A B C D; A B C D E; A B C D E F; A B C D E F G; A B C D E F G H; }
