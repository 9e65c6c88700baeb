//! JSON out of values, without words that say something else: a float that is not finite is refused.
//!
//! serde_json writes NaN and infinity as `null`, which no reader of a float takes. A formatter cannot tell
//! these from `None`, so the check goes around serde's own interface. It is compiled into the one serializer
//! that a type has.

use serde::Serialize;
use serde::ser::{
    Error, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// Writes a value as JSON.
///
/// # Errors
/// As serde_json's, and for a float that is not finite.
#[inline]
pub(super) fn write<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> serde_json::Result<()> {
    value.serialize(Finite { inner: &mut serde_json::Serializer::new(out), field: "" })
}

/// A serializer, or what writes the parts of a value, and the name of the field that is being written.
struct Finite<S> {
    inner: S,
    field: &'static str,
}

/// A value that writes itself through [`Finite`].
struct Checked<'v, T: ?Sized> {
    value: &'v T,
    field: &'static str,
}

impl<T: Serialize + ?Sized> Serialize for Checked<'_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Finite { inner: serializer, field: self.field })
    }
}

impl<S> Finite<S> {
    #[inline]
    fn checked<'v, T: ?Sized>(&self, value: &'v T) -> Checked<'v, T> {
        Checked { value, field: self.field }
    }

    #[inline]
    fn parts<P, E>(parts: Result<P, E>, field: &'static str) -> Result<Finite<P>, E> {
        parts.map(|inner| Finite { inner, field })
    }
}

#[cold]
fn not_finite<E: Error>(field: &str) -> E {
    let place = if field.is_empty() { String::new() } else { format!(" in the field `{field}`") };
    E::custom(format!("a float{place} is not finite (NaN or infinity), and JSON cannot express it"))
}

macro_rules! forward {
    ($($method:ident($ty:ty);)*) => {$(
        #[inline]
        fn $method(self, value: $ty) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        }
    )*};
}

impl<S: Serializer> Serializer for Finite<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Finite<S::SerializeSeq>;
    type SerializeTuple = Finite<S::SerializeTuple>;
    type SerializeTupleStruct = Finite<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Finite<S::SerializeTupleVariant>;
    type SerializeMap = Finite<S::SerializeMap>;
    type SerializeStruct = Finite<S::SerializeStruct>;
    type SerializeStructVariant = Finite<S::SerializeStructVariant>;

    forward! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_unit_struct(&'static str);
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        if value.is_finite() { self.inner.serialize_f32(value) } else { Err(not_finite(self.field)) }
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        if value.is_finite() { self.inner.serialize_f64(value) } else { Err(not_finite(self.field)) }
    }

    #[inline]
    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_none()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let value = self.checked(value);
        self.inner.serialize_some(&value)
    }

    #[inline]
    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit()
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = self.checked(value);
        self.inner.serialize_newtype_struct(name, &value)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = self.checked(value);
        self.inner.serialize_newtype_variant(name, index, variant, &value)
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        Self::parts(self.inner.serialize_seq(len), self.field)
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        Self::parts(self.inner.serialize_tuple(len), self.field)
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        Self::parts(self.inner.serialize_tuple_struct(name, len), self.field)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        Self::parts(self.inner.serialize_tuple_variant(name, index, variant, len), self.field)
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        Self::parts(self.inner.serialize_map(len), self.field)
    }

    #[inline]
    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeStruct, S::Error> {
        Self::parts(self.inner.serialize_struct(name, len), self.field)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        Self::parts(self.inner.serialize_struct_variant(name, index, variant, len), self.field)
    }

    #[inline]
    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! elements {
    ($($part:ident $method:ident;)*) => {$(
        impl<S: $part> $part for Finite<S> {
            type Ok = S::Ok;
            type Error = S::Error;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
                let value = self.checked(value);
                self.inner.$method(&value)
            }

            #[inline]
            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        }
    )*};
}
elements! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

macro_rules! fields {
    ($($part:ident)*) => {$(
        impl<S: $part> $part for Finite<S> {
            type Ok = S::Ok;
            type Error = S::Error;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), S::Error> {
                self.inner.serialize_field(key, &Checked { value, field: key })
            }

            #[inline]
            fn skip_field(&mut self, key: &'static str) -> Result<(), S::Error> {
                self.inner.skip_field(key)
            }

            #[inline]
            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        }
    )*};
}
fields!(SerializeStruct SerializeStructVariant);

/// Keys are strings; of those that are floats serde_json itself refuses what is not finite.
impl<S: SerializeMap> SerializeMap for Finite<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        self.inner.serialize_key(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        let value = self.checked(value);
        self.inner.serialize_value(&value)
    }

    #[inline]
    fn serialize_entry<K: Serialize + ?Sized, V: Serialize + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
    ) -> Result<(), S::Error> {
        let value = self.checked(value);
        self.inner.serialize_entry(key, &value)
    }

    #[inline]
    fn end(self) -> Result<S::Ok, S::Error> {
        self.inner.end()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::value::RawValue;

    use super::*;

    fn written<T: Serialize>(value: &T) -> Result<String, String> {
        let mut out = Vec::new();
        write(&mut out, value).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Any {
        Unit,
        New(f64),
        Tuple(f32, u8),
        Struct { at: f64 },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct All {
        one: f64,
        small: Option<f32>,
        list: Vec<Any>,
        map: BTreeMap<u8, f64>,
        pair: (f64, String),
        big: (i128, u128),
        new: Newtype,
        unit: (),
        twice: Option<Option<u8>>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Newtype(f64);

    #[test]
    fn the_field_is_named() {
        #[derive(Serialize)]
        struct Outer {
            fine: f64,
            readings: BTreeMap<&'static str, Vec<Option<f32>>>,
        }
        let outer = Outer { fine: 1.0, readings: BTreeMap::from([("a", vec![None, Some(f32::NAN)])]) };
        assert_eq!(
            written(&outer).unwrap_err(),
            "a float in the field `readings` is not finite (NaN or infinity), and JSON cannot express it"
        );
        assert_eq!(
            written(&f64::INFINITY).unwrap_err(),
            "a float is not finite (NaN or infinity), and JSON cannot express it"
        );
    }

    #[test]
    fn raw_json_and_numbers_pass_as_they_are() {
        let raw = RawValue::from_string(r#"{"a":[1.50,null]}"#.to_owned()).unwrap();
        assert_eq!(
            written(&(raw, serde_json::json!({"b": 1.5}))).unwrap(),
            r#"[{"a":[1.50,null]},{"b":1.5}]"#
        );
    }

    #[test]
    fn a_key_that_is_not_finite_is_refused_by_serde_json() {
        struct Keyed(f64);
        impl Serialize for Keyed {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map([(self.0, 1)])
            }
        }
        assert_eq!(written(&Keyed(1.5)).unwrap(), r#"{"1.5":1}"#);
        assert!(written(&Keyed(f64::NAN)).is_err());
    }

    fn element() -> impl Strategy<Value = Any> {
        prop_oneof![
            Just(Any::Unit),
            any::<f64>().prop_map(Any::New),
            (any::<f32>(), any::<u8>()).prop_map(|(a, b)| Any::Tuple(a, b)),
            any::<f64>().prop_map(|at| Any::Struct { at }),
        ]
    }

    proptest! {
        /// The same bytes as serde_json's own, and the same values back to the last bit; or a refusal, where
        /// some float is not finite.
        #[test]
        fn what_is_finite_is_written_as_ever_and_read_back_to_the_last_bit(
            (one, small, list, map) in (prop::num::f64::ANY, prop::option::of(prop::num::f32::ANY), prop::collection::vec(element(), 0..4),
                prop::collection::btree_map(any::<u8>(), any::<f64>(), 0..4)),
            pair: (f64, String), big: (i128, u128), new: f64, once: Option<u8>,
        ) {
            let finite = one.is_finite() && small.is_none_or(f32::is_finite) && map.values().all(|value| value.is_finite())
                && pair.0.is_finite() && new.is_finite() && list.iter().all(|any| match any {
                    Any::Unit => true,
                    Any::New(value) | Any::Struct { at: value } => value.is_finite(),
                    Any::Tuple(value, _) => value.is_finite(),
                });
            let all = All { one, small, list, map, pair, big, new: Newtype(new), unit: (), twice: once.map(Some) };
            match written(&all) {
                Ok(json) => {
                    prop_assert!(finite);
                    prop_assert_eq!(&json, &serde_json::to_string(&all).unwrap());
                    prop_assert_eq!(&serde_json::from_str::<All>(&json).unwrap(), &all);
                }
                Err(text) => prop_assert!(!finite && text.contains("not finite"), "{}", text),
            }
        }
    }
}
