//! A deserializer that passes an object on without some of its keys.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, StringDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

/// Passes objects on without the keys for which `skip` holds, and anything else as it is. Only the outermost
/// object is filtered.
pub(super) struct Without<'f, I> {
    inner: I,
    skip: &'f dyn Fn(&str) -> bool,
}

impl<'f, I> Without<'f, I> {
    pub(super) fn new(inner: I, skip: &'f dyn Fn(&str) -> bool) -> Self {
        Self { inner, skip }
    }
}

impl<'de, I: Deserializer<'de>> Deserializer<'de> for Without<'_, I> {
    type Error = I::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, I::Error> {
        self.inner.deserialize_any(Without { inner: visitor, skip: self.skip })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, I::Error> {
        self.inner.deserialize_newtype_struct(name, Without { inner: visitor, skip: self.skip })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, I::Error> {
        self.inner.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple tuple_struct
        map struct identifier ignored_any
    }
}

impl<'de, I: Visitor<'de>> Visitor<'de> for Without<'_, I> {
    type Value = I::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<I::Value, A::Error> {
        self.inner.visit_map(Without { inner: map, skip: self.skip })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<I::Value, D::Error> {
        self.inner.visit_newtype_struct(Without { inner: deserializer, skip: self.skip })
    }
}

impl<'de, I: MapAccess<'de>> MapAccess<'de> for Without<'_, I> {
    type Error = I::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, I::Error> {
        while let Some(name) = self.inner.next_key_seed(Name)? {
            if (self.skip)(&name) {
                self.inner.next_value::<IgnoredAny>()?;
                continue;
            }
            return match name {
                Cow::Borrowed(name) => seed.deserialize(BorrowedStrDeserializer::new(name)),
                Cow::Owned(name) => seed.deserialize(StringDeserializer::new(name)),
            }
            .map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, I::Error> {
        self.inner.next_value_seed(seed)
    }
}

/// Whether an object has this key at its top.
pub(super) fn has_key(text: &str, key: &str) -> bool {
    struct Look<'l> {
        key: &'l str,
        found: &'l mut bool,
    }

    impl<'de> Visitor<'de> for Look<'_> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while !*self.found
                && let Some(name) = map.next_key_seed(Name)?
            {
                *self.found = name == self.key;
                map.next_value::<IgnoredAny>()?;
            }
            Ok(())
        }
    }

    let mut found = false;
    // What stands behind the key is not read, and that is no fault here.
    let _ = serde_json::Deserializer::from_str(text).deserialize_map(Look { key, found: &mut found });
    found
}

/// A key, borrowed where it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
