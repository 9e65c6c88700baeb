//! One record's content on its way into an event: the rules of the wire, for whatever encoding.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use super::encoding::Codec;
use super::error::DecodeError;
use super::header;
use super::outline::{Key, Outline};
use super::shape::{Fields, Shape};
use crate::envelope::Meta;
use crate::record::Record;

/// One record's content, and what is known of its outer structure, in the encoding of `C`.
#[doc(hidden)]
pub struct Payload<'r, C> {
    pub(super) record: &'r Record,
    pub(super) outline: Outline,
    codec: PhantomData<C>,
}

/// An encoding in which an event can be read. The event's type says what that asks of it.
#[doc(hidden)]
pub trait Reads<'r, T>: Codec + Sized {
    /// The event out of a record of this encoding.
    fn event(payload: &Payload<'r, Self>, shape: &Shape) -> Result<T, DecodeError>;

    /// The same for a struct with named fields that ignores keys which it does not know. Most events are
    /// such, and the compiler may have less to do for them.
    fn object(payload: &Payload<'r, Self>, shape: &Shape) -> Result<T, DecodeError> {
        Self::event(payload, shape)
    }
}

impl<C> fmt::Debug for Payload<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload").field("record", self.record).field("outline", &self.outline).finish()
    }
}

impl<'r, C: Codec> Payload<'r, C> {
    pub(super) fn new(record: &'r Record, outline: Outline) -> Self {
        Self { record, outline, codec: PhantomData }
    }

    /// The record's type as an event of this shape sees it.
    pub(super) fn type_for(&self, shape: &Shape) -> Option<Cow<'r, str>> {
        if let Some((name, _)) = self.variant(shape) {
            return Some(Cow::Borrowed(name));
        }
        match self.type_field(shape) {
            TypeField::Metadata => self.metadata(Key::Type).or_else(|| self.header(header::TYPE)),
            TypeField::Own => self.header(header::TYPE),
            TypeField::Unknown => self.header(header::TYPE).or_else(|| self.metadata(Key::Type)),
        }
        .or_else(|| self.foreign_type())
    }

    /// The record's type as whoever knows no event sees it. Says the same as [`Body::type_for`] does of
    /// [`Shape::UNKNOWN`].
    pub(super) fn unknown_type(&self) -> Option<Cow<'r, str>> {
        self.metadata(Key::Type).or_else(|| self.header(header::TYPE)).or_else(|| self.foreign_type())
    }

    /// The body's `type` where it stands there as it is.
    pub(super) fn plain_type(&self) -> Option<&'r str> {
        C::plain(&self.outline, self.record, Key::Type)
    }

    /// Every type that an event of some shape may see on the record. Headers count where the body has none,
    /// or where they are asked for.
    pub(super) fn types(&self, headers: bool) -> [Option<Cow<'r, str>>; 3] {
        let body = self.metadata(Key::Type);
        if body.is_some() && !headers {
            return [body, None, None];
        }
        [body, self.header(header::TYPE), self.foreign_type()]
    }

    /// Whether an event of this shape sees this type on the record. Says the same as [`Body::type_for`],
    /// without allocating.
    pub(super) fn type_is(&self, shape: &Shape, name: &str) -> bool {
        if let TypeField::Metadata = self.type_field(shape)
            && let Some(content) = self.plain_type()
        {
            return content == name;
        }
        self.type_for(shape).as_deref() == Some(name)
    }

    /// Whether the record carries one of the shape's types.
    pub(super) fn is_for(&self, shape: &Shape) -> bool {
        if shape.variants.is_empty() {
            return shape.types.iter().any(|name| self.type_is(shape, name));
        }
        self.variant(shape).is_some()
    }

    /// The metadata as an event of this shape sees it.
    pub(super) fn meta(&self, shape: &Shape) -> Meta<'r> {
        let shape = self.variant(shape).map_or(shape, |(_, variant)| variant);
        let payload = self.record.payload();
        let all = [Key::Id, Key::Type, Key::Version, Key::Timestamp, Key::Source];
        let outline = if all.iter().all(|key| self.outline.has(*key)) {
            self.outline
        } else {
            C::complete(self.outline, payload)
        };
        let envelope = envelope_data::<C>(outline, payload, shape.fields).is_some();
        // In a flat body Narad's headers say it, unless the producer is another one, and a field of the event
        // is no metadata.
        let body = |key, name| {
            C::metadata(&outline, self.record, key).filter(|_| envelope || !shape.has_field(name))
        };
        let either = |key, name, header| {
            if envelope {
                body(key, name).or_else(|| self.header(header))
            } else {
                self.header(header).or_else(|| body(key, name))
            }
        };
        Meta {
            id: either(Key::Id, "id", header::ID).or_else(|| self.header(header::CLOUD_ID)),
            r#type: self.type_for(shape),
            version: either(Key::Version, "version", header::VERSION),
            timestamp: body(Key::Timestamp, "timestamp").or_else(|| self.header(header::CLOUD_TIME)),
            source: either(Key::Source, "source", header::SOURCE)
                .or_else(|| self.header(header::CLOUD_SOURCE)),
        }
    }

    /// The event of a closed set that the record carries: its type and its shape.
    pub(super) fn variant<'s>(&self, shape: &'s Shape) -> Option<(&'static str, &'s Shape)> {
        shape.types.iter().copied().zip(shape.variants).find(|(name, variant)| self.type_is(variant, name))
    }

    /// What the body's `type` is to an event of this shape.
    fn type_field(&self, shape: &Shape) -> TypeField {
        let field = match shape.fields {
            Fields::Named(_) | Fields::Partly(_) if shape.has_field("type") => TypeField::Own,
            // The header is written only beside a field called `type`; without it the body is not looked at.
            Fields::Open | Fields::Partly(_) | Fields::Value
                if is_single(shape) && self.header(header::TYPE).is_some() =>
            {
                TypeField::Unknown
            }
            _ => return TypeField::Metadata,
        };
        match envelope_data::<C>(self.outline, self.record.payload(), shape.fields) {
            Some(_) => TypeField::Metadata,
            None => field,
        }
    }

    /// Whether a key of a flat body is metadata that stands beside the event's fields.
    pub(super) fn is_beside(&self, shape: &Shape, key: &str) -> bool {
        match key {
            "type" => matches!(self.type_field(shape), TypeField::Metadata),
            "id" | "version" | "timestamp" | "source" => !shape.has_field(key),
            _ => false,
        }
    }

    fn metadata(&self, key: Key) -> Option<Cow<'r, str>> {
        C::metadata(&self.outline, self.record, key)
    }

    fn header(&self, name: &str) -> Option<Cow<'r, str>> {
        header::text(self.record, name).map(Cow::Borrowed)
    }

    fn foreign_type(&self) -> Option<Cow<'r, str>> {
        header::foreign_type(self.record).map(Cow::Borrowed)
    }
}

/// Whose the `type` of a body is.
enum TypeField {
    /// The event's type.
    Metadata,
    /// A field of the event.
    Own,
    /// The event's fields are not known, and a header says that its type need not be in the body.
    Unknown,
}

/// An event of one type, unlike a closed set and unlike no event at all.
fn is_single(shape: &Shape) -> bool {
    !shape.types.is_empty() && shape.variants.is_empty()
}

/// Where the event begins, when the payload is an envelope to an event of these fields.
pub(super) fn envelope_data<C: Codec>(
    outline: Outline,
    payload: Option<&[u8]>,
    fields: Fields,
) -> Option<usize> {
    let start = outline.data_start()?;
    let is_object = || payload.is_some_and(|bytes| C::is_object_at(bytes, start));
    let envelope = match fields {
        Fields::Value => true,
        // The tag is the first of them. Where it stands at the top, the other keys do as well, `data` of a
        // held type among them.
        Fields::Partly(names @ [tag, ..])
            if !names.contains(&"data") && Key::of(tag.as_bytes()).is_none() =>
        {
            is_strict::<C>(outline, payload)
                || (is_object() && !payload.is_some_and(|bytes| C::has_key(bytes, tag)))
        }
        Fields::Named(names) | Fields::Partly(names) if !names.contains(&"data") => {
            is_object() || is_strict::<C>(outline, payload)
        }
        Fields::Named(_) | Fields::Partly(_) | Fields::Open => is_strict::<C>(outline, payload),
    };
    envelope.then_some(start)
}

/// `id`, `version` and `source` are all there, and no key besides the six: what only an envelope looks like.
fn is_strict<C: Codec>(outline: Outline, payload: Option<&[u8]>) -> bool {
    if outline.has_others() {
        return false;
    }
    let outline = C::complete(outline, payload);
    [Key::Id, Key::Version, Key::Source].into_iter().all(|key| outline.has(key)) && !outline.has_others()
}
