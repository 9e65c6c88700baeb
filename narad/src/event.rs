//! What an event is: its type, its key, its topic, and what the codec has to know of its fields.

use std::borrow::Cow;
use std::marker::PhantomData;

use crate::codec::{Body, DecodeError, EncodeError, Encoder, Shape};
use crate::json::Json;
use crate::record::Record;

/// An event: a value with a `type` that Narad can write to Kafka and read back.
/// Only `#[derive(Event)]` implements it: its methods are not public and may change.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "does not implement `Event`",
    note = "put `#[derive(Event)]` on the type"
)]
pub trait Event: Sized {
    /// What the codec has to know of the type before it sees a value.
    #[doc(hidden)]
    const SHAPE: Shape;

    /// The `type` of this value on the wire.
    fn event_type(&self) -> &'static str {
        Self::SHAPE.types[0]
    }

    /// The `version` of this value on the wire.
    fn event_version(&self) -> &'static str {
        Self::SHAPE.version
    }

    /// The bytes of the record's key; `None` if the event has no key.
    fn event_key(&self) -> Option<Cow<'_, [u8]>>;

    /// Writes the body and its headers in this shape, with this type: the value's own, or those by which a
    /// closed set knows it.
    #[doc(hidden)]
    fn encode(&self, encoder: &mut Encoder<'_>, shape: &Shape, r#type: &str) -> Result<(), EncodeError>;
}

/// An event that has a topic, by `#[event(topic = "…")]`: it can be published without naming a topic, and a
/// handler can return it.
///
/// Only `#[derive(Event)]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no topic",
    label = "does not implement `TopicEvent`",
    note = "put `#[event(topic = \"…\")]` on the event, or name the topic at the call: `publish_to(topic, \
     &event)`"
)]
pub trait TopicEvent: Event {
    /// The topic of events of this type. It may hold `${VAR}` and `${VAR:-default}`, which are resolved from
    /// the environment.
    const TOPIC: &'static str = match Self::SHAPE.topic {
        Some(topic) => topic,
        None => "",
    };
}

/// The reading half of an event, apart because it may borrow from the record.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a record",
    note = "put `#[derive(Event)]` on the type"
)]
pub trait DecodeEvent<'r>: Event {
    fn decode(body: &Body<'r>) -> Result<Self, DecodeError>;
}

/// An event of one type, unlike a closed set: what a variant of a closed set may hold.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event of one type",
    label = "a variant of a closed set holds one event",
    note = "put `#[derive(Event)]` on the held type; closed sets do not nest"
)]
pub trait SingleEvent: Event {
    const TYPE: &'static str = Self::SHAPE.types[0];
    const VERSION: &'static str = Self::SHAPE.version;
    const SINGLE: Shape = Self::SHAPE;

    fn single_key(&self) -> Option<Cow<'_, [u8]>> {
        self.event_key()
    }

    fn encode_single(
        &self,
        encoder: &mut Encoder<'_>,
        shape: &Shape,
        r#type: &str,
    ) -> Result<(), EncodeError> {
        self.encode(encoder, shape, r#type)
    }
}

/// Stands in for serde's derives on the mirror of an event where they refuse an attribute, or where a type in
/// the event is none that they can write: that error is then the only one.
///
/// A program that came to call it without such an error does not compile:
/// ```compile_fail,E0080
/// use narad::__private::Unwritable;
/// struct Mirror;
/// let _ = Mirror::serialize(&1_u8, narad::serde_json::value::Serializer);
/// ```
#[doc(hidden)]
pub trait Unwritable: Sized {
    fn serialize<T, S: serde::Serializer>(_: &T, _: S) -> Result<S::Ok, S::Error> {
        match Refused::<Self>::HERE {}
    }

    fn deserialize<'de, T, D: serde::Deserializer<'de>>(_: D) -> Result<T, D::Error> {
        match Refused::<Self>::HERE {}
    }
}

impl<Mirror> Unwritable for Mirror {}

/// Found out where the code of a program is made, and so after all other errors.
struct Refused<T>(PhantomData<T>);

impl<T> Refused<T> {
    const HERE: std::convert::Infallible = panic!("an event has a type that serde cannot write and read");
}

/// What stands in an event: what can be written, and read without borrowing from the record.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of an event",
    label = "cannot be written to a record and read back",
    note = "put `#[derive(EventData)]` on the type; for a type of another crate, turn on that crate's feature `serde`, or name functions that write and read it: `#[serde(with = \"…\")]`"
)]
pub trait EventField {
    const HELD: () = ();
}

#[diagnostic::do_not_recommend]
impl<T: serde::Serialize + serde::de::DeserializeOwned> EventField for T {}

/// Reads the event of a closed set's variant, where it is one; that it is none is said by [`SingleEvent`].
#[doc(hidden)]
#[derive(Debug)]
pub struct Held<'r, T>(PhantomData<(&'r (), T)>);

impl<'r, T: DecodeEvent<'r>> Held<'r, T> {
    pub fn decode(body: &Body<'r>) -> Result<T, DecodeError> {
        T::decode(body)
    }
}

#[doc(hidden)]
pub trait NoEventHeld<'r, T> {
    fn decode(_: &Body<'r>) -> Result<T, DecodeError> {
        match Refused::<T>::HERE {}
    }
}

impl<'r, T> NoEventHeld<'r, T> for Held<'r, T> {}

/// Refuses a variant of a closed set whose type another one has before it; called in a constant on the
/// variant.
#[doc(hidden)]
#[track_caller]
pub const fn assert_type_differs(types: &[&str], place: usize, text: &'static str) {
    let mut i = 0;
    while i < place {
        assert!(!const_eq(types[i].as_bytes(), types[place].as_bytes()), "{}", text);
        i += 1;
    }
}

/// The same for all variants of a set with type parameters, which are known where it is used.
///
/// ```compile_fail,E0080
/// use narad::prelude::*;
///
/// #[derive(Event)]
/// struct Login<T> { id: T }
/// type Alias<T> = Login<T>;
///
/// #[derive(Event)]
/// enum Logins<T> { First(Login<T>), Again(Alias<T>) }
///
/// println!("{:?}", Logins::<u8>::SHAPE);
/// ```
#[doc(hidden)]
#[track_caller]
pub const fn assert_types_differ(types: &[&str], text: &'static str) {
    let mut place = 1;
    while place < types.len() {
        assert_type_differs(types, place, text);
        place += 1;
    }
}

const fn const_eq(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Which variant of a closed set takes the record, by its place in the shape.
#[doc(hidden)]
pub fn variant_of(body: &Body<'_>, set: &Shape) -> Option<usize> {
    set.types.iter().zip(set.variants).position(|(name, variant)| body.type_is(variant, name))
}

/// A record that none of a closed set's variants takes, where the set has no `other`.
#[doc(hidden)]
pub fn no_variant(name: &str, set: &Shape) -> DecodeError {
    DecodeError::unfit(format!("the record's type is not one of {name}: {}", set.types.join(", ")))
}

/// What the `other` variant of a closed set holds: the record as any JSON value, or as it came.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be held by the `other` variant of a closed set",
    label = "not `Json<V>` or `Record`",
    note = "the variant is a unit variant, or holds `Json<V>` or `Record`"
)]
pub trait OtherEvent<'r>: Sized {
    fn of(body: &Body<'r>) -> Result<Self, DecodeError>;
}

impl<'r, V: serde::Deserialize<'r>> OtherEvent<'r> for Json<V> {
    fn of(body: &Body<'r>) -> Result<Self, DecodeError> {
        body.value().map(Json)
    }
}

impl OtherEvent<'_> for Record {
    fn of(body: &Body<'_>) -> Result<Self, DecodeError> {
        Ok(body.record().clone())
    }
}

/// A value that can be the key of a record: strings, integers, UUIDs, bytes, and `Option` of them (`None`: no
/// key).
///
/// Integers are written as decimal text and UUIDs in their hyphenated form, so that other languages and the
/// console tools read the same key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key of an event",
    label = "not a key",
    note = "keys are strings, integers, UUIDs, bytes, and `Option` of them; for another type write an \
     expression, as in `key = self.id.to_string()`"
)]
pub trait EventKey {
    /// The key's bytes; `None` for a record without a key.
    fn to_key(&self) -> Option<Cow<'_, [u8]>>;
}

impl EventKey for str {
    fn to_key(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Borrowed(self.as_bytes()))
    }
}

impl EventKey for String {
    fn to_key(&self) -> Option<Cow<'_, [u8]>> {
        self.as_str().to_key()
    }
}

impl EventKey for [u8] {
    fn to_key(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Borrowed(self))
    }
}

impl EventKey for Vec<u8> {
    fn to_key(&self) -> Option<Cow<'_, [u8]>> {
        self.as_slice().to_key()
    }
}

impl<const N: usize> EventKey for [u8; N] {
    fn to_key(&self) -> Option<Cow<'_, [u8]>> {
        self.as_slice().to_key()
    }
}

impl EventKey for uuid::Uuid {
    fn to_key(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Owned(self.hyphenated().to_string().into_bytes()))
    }
}

impl<K: EventKey> EventKey for Option<K> {
    fn to_key(&self) -> Option<Cow<'_, [u8]>> {
        self.as_ref().and_then(K::to_key)
    }
}

impl<K: EventKey + ?Sized> EventKey for &K {
    fn to_key(&self) -> Option<Cow<'_, [u8]>> {
        (**self).to_key()
    }
}

impl<K: EventKey + ?Sized> EventKey for Box<K> {
    fn to_key(&self) -> Option<Cow<'_, [u8]>> {
        (**self).to_key()
    }
}

impl<K: EventKey + ?Sized> EventKey for std::sync::Arc<K> {
    fn to_key(&self) -> Option<Cow<'_, [u8]>> {
        (**self).to_key()
    }
}

impl<K: EventKey + ToOwned + ?Sized> EventKey for Cow<'_, K> {
    fn to_key(&self) -> Option<Cow<'_, [u8]>> {
        (**self).to_key()
    }
}

macro_rules! integer_keys {
    ($($integer:ty)*) => {$(
        impl EventKey for $integer {
            fn to_key(&self) -> Option<Cow<'_, [u8]>> {
                Some(Cow::Owned(self.to_string().into_bytes()))
            }
        }
    )*};
}
integer_keys!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);
