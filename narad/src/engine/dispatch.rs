//! Who gets a record: resolved once per topic, asked once per record. Handlers are places in the topic's plan
//! here.

use std::borrow::Cow;
use std::collections::HashMap;

use super::settled::Unhandled;
use super::shown::shown_type;
use crate::codec::Body;
use crate::codec::{Encoding, Fields, Shape, type_headers};
use crate::handler::LeftOver;
use crate::outcome::Cause;
use crate::record::Record;

/// What a handler takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taking {
    /// The shape of its event.
    pub(crate) shape: Option<&'static Shape>,
    /// It has an event parameter, and is not a default handler.
    pub(crate) typed: bool,
    pub(crate) default: bool,
    /// `Option<T>`.
    pub(crate) tombstones: bool,
    /// It sees the record as it is (`Record`, a type of the user's), and wants neither an event nor JSON of
    /// it.
    pub(crate) any_bytes: bool,
    /// A `Json<V>` parameter, and no event.
    pub(crate) json: bool,
    /// It does not see the value.
    pub(crate) blind: bool,
}

#[cfg(test)]
impl Taking {
    /// An event of this shape.
    pub(crate) fn event(shape: &'static Shape) -> Self {
        Self { shape: Some(shape), typed: true, any_bytes: false, ..Self::any_bytes() }
    }

    /// Every record as it is.
    pub(crate) fn any_bytes() -> Self {
        Self {
            shape: None,
            typed: false,
            default: false,
            tombstones: false,
            any_bytes: true,
            json: false,
            blind: false,
        }
    }
}

/// The handlers of one group for one topic.
#[derive(Debug)]
pub(crate) struct Routes {
    /// In the order of the plan's.
    handlers: Vec<Taking>,
    /// Who takes events.
    typed: Vec<usize>,
    by_type: ByType,
    /// Of each handler, whether it takes a record by the `type` of the body alone, where that stands there as
    /// it is: neither a header nor a field of the event's can say otherwise.
    by_body: Vec<bool>,
    /// Some handler would get a malformed record that nobody else finds malformed, or would not get one that
    /// somebody does: the scan of every record comes to its end before anybody gets it.
    scans_all: bool,
    encodings: Encodings,
    /// What becomes of a well-formed record of a type that nobody takes.
    unknown: LeftOver,
    /// What becomes of a null value that nobody takes.
    tombstone: LeftOver,
}

/// The encodings of a topic's events.
#[derive(Debug)]
enum Encodings {
    /// All have one, and so has every record of the topic.
    One(Encoding),
    /// A record has that of the event whose type a header names, and is JSON where none does.
    ByType(HashMap<&'static str, Encoding>),
}

impl Encodings {
    fn of<'s>(shapes: impl Iterator<Item = &'s Shape>) -> Self {
        let single = |shape: &'s Shape| {
            if shape.variants.is_empty() { std::slice::from_ref(shape) } else { shape.variants }
        };
        let mut by_type = HashMap::new();
        for shape in shapes {
            // A closed set knows its events by names of its own.
            let named = shape.types.iter().zip(single(shape));
            by_type.extend(named.map(|(name, event)| (*name, event.encoding)));
        }
        let mut all = by_type.values();
        let first = all.next().copied().unwrap_or(Encoding::Json);
        if all.all(|encoding| *encoding == first) { Self::One(first) } else { Self::ByType(by_type) }
    }

    fn of_record(&self, record: &Record) -> Encoding {
        match self {
            Self::One(encoding) => *encoding,
            Self::ByType(by_type) => type_headers(record)
                .into_iter()
                .flatten()
                .find_map(|name| by_type.get(name).copied())
                .unwrap_or(Encoding::Json),
        }
    }
}

/// So many handlers are asked one after the other; among more, those that may take a record are found by its
/// type.
const FEW: usize = 8;

/// The handlers that may take a type. Which do is for each of them to say.
#[derive(Debug, Default)]
struct ByType {
    named: HashMap<&'static str, Vec<usize>>,
    /// Closed sets that take all the rest.
    rest: Vec<usize>,
    /// To some of them the type may stand in a header, whatever the body says.
    look_at_headers: bool,
}

/// What becomes of a record before any handler sees it.
#[derive(Debug)]
pub(crate) enum Route {
    /// The handlers at these places.
    Handlers(Targets),
    /// Nobody takes it, and it is passed over.
    Nobody(Unhandled),
    /// Nobody takes it: to the group's dead letter.
    GroupDeadLetter(Unhandled, Cause),
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
    pub(crate) fn new(handlers: Vec<Taking>) -> Self {
        let mut by_type = ByType::default();
        let mut typed = Vec::new();
        for (place, takes) in handlers.iter().enumerate().filter(|(_, takes)| takes.typed) {
            typed.push(place);
            let Some(shape) = takes.shape else { continue };
            for name in shape.types {
                by_type.named.entry(*name).or_default().push(place);
            }
            if shape.other {
                by_type.rest.push(place);
            }
            by_type.look_at_headers |=
                std::iter::once(shape).chain(shape.variants).any(Shape::may_have_own_type);
        }
        let scans_all = handlers.iter().any(|takes| takes.blind || (takes.default && takes.any_bytes));
        let encodings =
            Encodings::of(handlers.iter().filter(|takes| takes.typed).filter_map(|takes| takes.shape));
        let by_body = handlers.iter().map(|takes| takes.shape.is_some_and(Shape::has_type_in_body)).collect();
        let (unknown, tombstone) = (LeftOver::Skip, LeftOver::DeadLetter);
        Self { handlers, typed, by_type, by_body, scans_all, encodings, unknown, tombstone }
    }

    /// The same with these options of the group's.
    pub(crate) fn with_left_over(self, unknown: LeftOver, tombstone: LeftOver) -> Self {
        Self { unknown, tombstone, ..self }
    }

    /// The typed handlers that may take the record, in their order.
    fn candidates(&self, body: &Body<'_>) -> Cow<'_, [usize]> {
        if self.typed.len() <= FEW { Cow::Borrowed(&self.typed) } else { self.of_its_types(body) }
    }

    /// The typed handlers that name one of the record's types, or take all.
    fn of_its_types(&self, body: &Body<'_>) -> Cow<'_, [usize]> {
        let ByType { named, rest, look_at_headers } = &self.by_type;
        let mut found =
            body.types(*look_at_headers).into_iter().flatten().filter_map(|name| named.get(&*name));
        match (found.next(), found.next()) {
            (Some(only), None) if rest.is_empty() => Cow::Borrowed(only),
            (first, second) => {
                let mut places: Vec<usize> =
                    first.into_iter().chain(second).chain(found).chain([rest]).flatten().copied().collect();
                places.sort_unstable();
                places.dedup();
                Cow::Owned(places)
            }
        }
    }

    /// The record as the topic's handlers see it.
    pub(crate) fn look_at<'r>(&self, record: &'r Record) -> Body<'r> {
        Body::of(record, self.encodings.of_record(record))
    }

    /// Who gets this record.
    pub(crate) fn route(&self, body: &Body<'_>) -> Route {
        if !body.outline.is_object() {
            return self.bare(body);
        }
        let mut targets = Targets::none();
        let by_type = self.add_typed(&mut targets, body, &self.candidates(body), |_| true);
        self.add_others(&mut targets, |_| true);
        if targets.is_empty() {
            // Whoever decodes a record finds out whether it is well-formed; nobody does here.
            return match body.check() {
                Ok(()) => self.unknown(body),
                Err(_) => self.bare(&body.completed()),
            };
        }
        // The scan stopped at `data`, and the only handler decodes the rest. Among several each would find
        // out for itself.
        if self.scans_all || !by_type || matches!(targets, Targets::Many(_)) {
            let body = body.completed();
            if body.outline.is_malformed() {
                return self.bare(&body);
            }
        }
        Route::Handlers(targets)
    }

    /// A well-formed record of a type that nobody takes.
    fn unknown(&self, body: &Body<'_>) -> Route {
        if self.unknown == LeftOver::Skip {
            return Route::Nobody(Unhandled::UnknownType);
        }
        let text =
            format!("no handler of the topic takes the type: {}", shown_type(body.unknown_type().as_deref()));
        Route::GroupDeadLetter(Unhandled::UnknownType, Cause { text, class: "unknown_type" })
    }

    /// Who gets a record with nothing to dispatch on: whoever takes it as it is.
    fn bare(&self, body: &Body<'_>) -> Route {
        let outline = body.outline;
        let mut targets = Targets::none();
        if outline.is_value() {
            // A value that is no object may still carry its type in a header.
            let takes_values = |shape: &Shape| match shape.variants {
                [] => shape.fields == Fields::Value && body.type_for(shape).is_some(),
                _ => body.variant(shape).is_some_and(|(_, variant)| variant.fields == Fields::Value),
            };
            self.add_typed(&mut targets, body, &self.candidates(body), takes_values);
        }
        if outline.is_null() {
            for place in self.typed.iter().copied().filter(|place| self.handlers[*place].tombstones) {
                targets.add(place);
            }
        }
        self.add_others(&mut targets, |takes| {
            takes.any_bytes || (takes.tombstones && outline.is_null()) || (takes.json && outline.is_value())
        });
        if !targets.is_empty() {
            return Route::Handlers(targets);
        }
        if outline.is_null() && self.tombstone == LeftOver::Skip {
            return Route::Nobody(Unhandled::Tombstone);
        }
        if outline.is_null() {
            let text = "a null value, which no handler of the topic takes".to_owned();
            return Route::GroupDeadLetter(Unhandled::Tombstone, Cause { text, class: "tombstone" });
        }
        let cause = match body.check() {
            Err(error) => Cause { text: error.text, class: "narad::Malformed" },
            Ok(()) => Cause {
                text: format!("not a {} object, and no handler takes it as it is", outline.encoding().name()),
                class: "narad::NoObject",
            },
        };
        Route::GroupDeadLetter(Unhandled::Malformed, cause)
    }

    /// The handlers without an event that take the record; with `default`, where no typed handler takes it.
    /// The others' names and order do not count.
    fn add_others(&self, targets: &mut Targets, takes_it: impl Fn(&Taking) -> bool) {
        let taken = !targets.is_empty();
        for (place, takes) in self.handlers.iter().enumerate() {
            if !takes.typed && (!takes.default || !taken) && takes_it(takes) {
                targets.add(place);
            }
        }
    }

    /// Adds the typed handlers that take the record; whether all of them take it by its type, and not as what
    /// is left over.
    fn add_typed(
        &self,
        targets: &mut Targets,
        body: &Body<'_>,
        candidates: &[usize],
        asked: impl Fn(&Shape) -> bool,
    ) -> bool {
        let mut by_type = true;
        let in_body = body.plain_type();
        for place in candidates.iter().copied() {
            let Some(shape) = self.handlers[place].shape.filter(|shape| asked(shape)) else { continue };
            if let Some(r#type) = in_body.filter(|_| self.by_body[place]) {
                // Says the same as what follows, which asks for the type again and again.
                let is_named = shape.types.contains(&r#type);
                if is_named || shape.other {
                    by_type &= is_named;
                    targets.add(place);
                }
                continue;
            }
            // A value without a type: the topic's only typed handler takes it, a closed set in its `other`.
            let untyped = || {
                self.typed.len() == 1
                    && (shape.other || shape.variants.is_empty())
                    && body.type_for(shape).is_none()
            };
            if body.is_for(shape) {
                targets.add(place);
            } else if (shape.other && body.type_for(shape).is_some()) || untyped() {
                by_type &= !shape.other;
                targets.add(place);
            }
        }
        by_type
    }
}

#[cfg(test)]
mod tests;
