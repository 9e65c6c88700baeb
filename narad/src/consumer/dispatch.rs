//! Who gets a record: resolved once per topic, asked once per record.

use std::sync::Arc;

use super::plan::Handler;
use crate::codec::Body;
use crate::event::{Fields, Shape};
use crate::outcome::Cause;

/// The handlers of one group for one topic.
#[derive(Debug)]
pub(crate) struct Routes {
    handlers: Vec<Arc<Handler>>,
    /// Whether a single handler takes events: it gets those without a type, too.
    only_typed: Option<usize>,
}

/// What becomes of a record before any handler sees it.
#[derive(Debug)]
pub(crate) enum Route {
    /// The handlers at these places.
    Handlers(Targets),
    /// Well-formed, and nobody takes its type.
    Nobody(Option<String>),
    /// Nothing to dispatch on, and nobody takes it as it is: to the group's dead letter.
    GroupDeadLetter(Cause),
}

/// The places of handlers: one, as a rule, which takes no memory of its own.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Targets {
    One(usize),
    Many(Vec<usize>),
}

impl Targets {
    fn none() -> Self {
        Self::Many(Vec::new())
    }

    fn add(&mut self, place: usize) {
        match self {
            Self::Many(places) if places.is_empty() => *self = Self::One(place),
            Self::Many(places) => places.push(place),
            Self::One(first) => *self = Self::Many(vec![*first, place]),
        }
    }

    fn is_empty(&self) -> bool {
        *self == Self::none()
    }

    pub(crate) fn as_slice(&self) -> &[usize] {
        match self {
            Self::One(place) => std::slice::from_ref(place),
            Self::Many(places) => places,
        }
    }
}

impl Routes {
    pub(crate) fn new(handlers: Vec<Arc<Handler>>) -> Self {
        let mut typed = handlers.iter().enumerate().filter(|(_, handler)| handler.takes.typed);
        let only_typed = match (typed.next(), typed.next()) {
            (Some((place, _)), None) => Some(place),
            _ => None,
        };
        Self { handlers, only_typed }
    }

    pub(crate) fn handlers(&self) -> &[Arc<Handler>] {
        &self.handlers
    }

    pub(crate) fn handler(&self, place: usize) -> &Arc<Handler> {
        &self.handlers[place]
    }

    /// Who gets this record.
    pub(crate) fn route(&self, body: &Body<'_>) -> Route {
        let mut targets = Targets::none();
        if !body.head.is_object() {
            // A value that is no object may still carry its type in a header.
            if body.head.is_value() {
                self.add_typed(&mut targets, body, |shape| shape.fields == Fields::Value && body.type_for(shape).is_some());
            }
            for (place, handler) in self.handlers.iter().enumerate() {
                let takes = handler.takes;
                let fits = if body.head.is_null() {
                    takes.tombstones || takes.any_bytes
                } else {
                    takes.any_bytes || (takes.json && !body.head.is_malformed())
                };
                if fits && (targets.is_empty() || !takes.default) {
                    targets.add(place);
                }
            }
            if !targets.is_empty() {
                return Route::Handlers(targets);
            }
            return Route::GroupDeadLetter(if body.head.is_null() {
                Cause { text: "a null value, which no handler of the topic takes".to_owned(), class: "narad::Tombstone" }
            } else {
                match body.check() {
                    Err(error) => Cause { text: error.text, class: "narad::Malformed" },
                    Ok(()) => Cause { text: "not a JSON object, and no handler takes it as it is".to_owned(), class: "narad::NoObject" },
                }
            });
        }
        self.add_typed(&mut targets, body, |_| true);
        let taken = !targets.is_empty();
        for (place, handler) in self.handlers.iter().enumerate() {
            if !handler.takes.typed && (!handler.takes.default || !taken) {
                targets.add(place);
            }
        }
        if !targets.is_empty() {
            return Route::Handlers(targets);
        }
        // Whoever decodes a record finds out whether it is well-formed; nobody does here.
        match body.check() {
            Ok(()) => Route::Nobody(body.type_for(&Shape::UNKNOWN).map(|text| text.into_owned())),
            Err(error) => Route::GroupDeadLetter(Cause { text: error.text, class: "narad::Malformed" }),
        }
    }

    fn add_typed(&self, targets: &mut Targets, body: &Body<'_>, asked: impl Fn(&Shape) -> bool) {
        for (place, handler) in self.handlers.iter().enumerate() {
            let Some(shape) = handler.scope.shape.filter(|shape| handler.takes.typed && asked(shape)) else { continue };
            // A value without a type: the topic's only typed handler takes it, a closed set in its `other`.
            let untyped = || self.only_typed == Some(place) && (shape.other || shape.variants.is_empty()) && body.type_for(shape).is_none();
            if body.is_for(shape) || (shape.other && body.type_for(shape).is_some()) || untyped() {
                targets.add(place);
            }
        }
    }
}
