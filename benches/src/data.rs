//! What all sides read and write: envelopes of about 290 bytes, from a seeded generator that makes the same
//! everywhere.

use std::collections::HashMap;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};

/// The envelope's id, a UUID; handlers count its length, so that it has to be decoded.
pub(crate) const ID: usize = 36;

/// What a topic of records is like.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    pub(crate) records: usize,
    pub(crate) partitions: i32,
    pub(crate) keys: usize,
    pub(crate) types: Types,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Types {
    /// `USER_LOGIN` and `USER_ACTION`.
    Users,
    /// So many of [`kinds`](crate::side::kinds), evenly.
    Kinds(usize),
    /// The same, of which the first is handled and no other.
    OneOf(usize),
}

impl Default for Data {
    fn default() -> Self {
        Self { records: 0, partitions: 8, keys: 10_000, types: Types::Users }
    }
}

/// An envelope, as a service without a framework declares it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Envelope {
    pub(crate) id: String,
    pub(crate) r#type: &'static str,
    pub(crate) version: &'static str,
    pub(crate) timestamp: String,
    pub(crate) source: &'static str,
    pub(crate) data: User,
}

#[derive(Clone, Debug, Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    pub(crate) user_id: String,
    pub(crate) ip: String,
    pub(crate) action: String,
    pub(crate) attributes: HashMap<String, String>,
    /// Counts the records of the key.
    pub(crate) seq: i64,
}

/// splitmix64: small, seeded, the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[(self.next() % values.len() as u64) as usize]
    }
}

impl Data {
    /// The records, each with the number of its key, in the order in which they are written.
    pub(crate) fn envelopes(&self) -> impl Iterator<Item = (usize, Envelope)> {
        let mut random = Random(42);
        let mut next = vec![0; self.keys];
        let (keys, types) = (self.keys, self.types);
        (0..self.records).map(move |_| {
            let user = (random.next() % keys as u64) as usize;
            let seq = next[user];
            next[user] += 1;
            let r#type = match types {
                Types::Users => random.of(&["USER_LOGIN", "USER_ACTION"]),
                Types::Kinds(count) | Types::OneOf(count) => random.of(&crate::side::kinds::NAMES[..count]),
            };
            (user, envelope(&mut random, r#type, user, seq))
        })
    }
}

impl Types {
    /// Whether a handler takes events of this type.
    pub(crate) fn handles(self, r#type: &str) -> bool {
        !matches!(self, Self::OneOf(_)) || r#type == crate::side::kinds::NAMES[0]
    }
}

fn envelope(random: &mut Random, r#type: &'static str, user: usize, seq: i64) -> Envelope {
    let (a, b, c) = (random.next(), random.next(), random.next());
    let id = format!(
        "{:08x}-{:04x}-7{:03x}-a{:03x}-{:012x}",
        a as u32,
        (a >> 32) as u16,
        a >> 52,
        b & 0xfff,
        b >> 16
    );
    let timestamp = format!(
        "2026-11-23T{:02}:{:02}:{:02}.{:03}Z",
        c % 24,
        (c >> 8) % 60,
        (c >> 16) % 60,
        (c >> 24) % 1000
    );
    let attributes = HashMap::from([
        ("device".to_owned(), random.of(&["ios", "android", "desktop", "tablet"]).to_owned()),
        ("locale".to_owned(), random.of(&["en-GB", "de-DE", "fr-FR", "pt-BR"]).to_owned()),
        ("session".to_owned(), format!("{:08x}", b as u32)),
    ]);
    let data = User {
        user_id: format!("user-{user:05}"),
        ip: format!("10.{}.{}.{}", (c >> 34) % 256, (c >> 42) % 256, (c >> 50) % 256),
        action: random
            .of(&["view_page", "add_to_cart", "checkout", "search", "sign_in", "sign_out"])
            .to_owned(),
        attributes,
        seq,
    };
    Envelope { id, r#type, version: "1.0", timestamp, source: "bench", data }
}

/// The attributes of a user without an allocation: up to four, borrowed from the record.
#[derive(Debug, Default)]
pub(crate) struct Attributes<'a> {
    len: usize,
    pairs: [(&'a str, &'a str); 4],
}

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.pairs[..self.len].iter().copied())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Attributes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Attributes<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut attributes = Attributes::default();
                while let Some(pair) = map.next_entry()? {
                    if let Some(free) = attributes.pairs.get_mut(attributes.len) {
                        *free = pair;
                        attributes.len += 1;
                    }
                }
                Ok(attributes)
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}
