use std::borrow::Cow;
use std::collections::HashMap;
use std::marker::PhantomData;

use narad::__private::{Event as Meta, Fields, Format, SingleEvent, TopicEvent};
use narad::prelude::*;

#[derive(Event, Debug, Clone, PartialEq)]
#[event(topic = "user.events.login", type = "USER_LOGIN", version = "1.0", key = user_id)]
#[serde(rename_all = "camelCase")]
struct UserLogin {
    user_id: String,
    #[serde(rename = "address", alias = "ip", default)]
    ip_address: Option<String>,
    #[serde(skip)]
    cache: u8,
    #[serde(rename(serialize = "out", deserialize = "in"))]
    way: u8,
    r#type: String,
    #[cfg(any())]
    gone: Missing,
}

#[derive(Event)]
struct HTTPRequest {
    path: String,
}

#[derive(Event)]
#[event(key = 0)]
struct Newtype(u64);

#[derive(Event)]
#[event(key = format!("{}-{}", self.0, self.1))]
struct Tuple(u64, String);

#[derive(Event)]
struct Unit;

#[derive(Event)]
struct Empty {}

#[derive(Event)]
#[event(key = self.account.id)]
struct Nested {
    account: Account,
    tree: Option<Box<Tree>>,
}

#[derive(EventData, Default)]
#[serde(default)]
struct Account {
    id: String,
    other: Option<Box<Self>>,
}

#[derive(EventData)]
enum Tree {
    Leaf,
    Node { left: Box<Tree>, right: Box<Self> },
}

#[derive(Event)]
#[event(key = &self.id)]
struct Flattened {
    id: String,
    #[serde(flatten)]
    rest: HashMap<String, String>,
}

#[derive(Event)]
#[serde(transparent)]
struct Transparent {
    inner: String,
}

#[derive(Event, Clone)]
#[serde(from = "String", into = "String")]
struct Converted {
    inner: String,
}

impl From<String> for Converted {
    fn from(inner: String) -> Self {
        Self { inner }
    }
}

impl From<Converted> for String {
    fn from(converted: Converted) -> Self {
        converted.inner
    }
}

#[derive(Event)]
#[event(key = name)]
struct Borrowed<'a> {
    id: &'a str,
    bytes: Option<&'a str>,
    name: Cow<'a, str>,
    maybe: Option<Cow<'a, str>>,
    inner: Inner<'a>,
    #[serde(skip)]
    marker: PhantomData<&'a ()>,
}

#[derive(EventData)]
struct Inner<'a> {
    text: Cow<'a, str>,
}

#[derive(Event)]
#[event(topic = "generic", key = id)]
struct Generic<'a, K: narad::EventKey, T, I: Iterator = std::vec::IntoIter<u8>, const N: usize = 2>
where
    T: Clone,
{
    id: K,
    value: Vec<T>,
    item: Option<I::Item>,
    text: Cow<'a, str>,
    #[serde(skip)]
    skipped: Option<I>,
    marker: PhantomData<T>,
}

#[derive(Event)]
#[serde(default)]
struct Defaults<T> {
    value: T,
}

impl<T: Default> Default for Defaults<T> {
    fn default() -> Self {
        Self { value: T::default() }
    }
}

#[derive(Event)]
#[serde(tag = "kind")]
#[event(format = "flat")]
struct Tagged {
    id: u8,
}

#[derive(Event)]
#[event(type = "SHAPE", format = "flat")]
#[serde(tag = "type", rename_all_fields = "camelCase")]
enum Internal {
    Circle { outer_radius: f64 },
    Nothing,
}

#[derive(Event)]
#[event(type = "EITHER", key = self.key())]
enum External {
    A(u8),
    B { b: u8 },
}

impl External {
    fn key(&self) -> u8 {
        match self {
            Self::A(a) => *a,
            Self::B { b } => *b,
        }
    }
}

mod manual {
    use narad::serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(narad::Event)]
    #[event(serde = manual)]
    pub struct Manual;

    impl Serialize for Manual {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_unit()
        }
    }

    impl<'de> Deserialize<'de> for Manual {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            <()>::deserialize(deserializer).map(|()| Self)
        }
    }
}

const TOPIC: &str = "constant.topic";

#[derive(Event)]
#[event(topic = TOPIC, key = id)]
struct RawField {
    #[serde(rename = "ID")]
    id: Option<String>,
    r#match: u8,
}

#[derive(Event)]
#[event(topic = "events.${STAGE:-dev}", key = r#type)]
struct RawKey {
    r#type: String,
}

#[track_caller]
fn named<E: Meta>(expected: &[&str]) {
    match E::SHAPE.fields {
        Fields::Named(names) => assert_eq!(names, expected),
        other => panic!("{other:?}"),
    }
}

fn is_event<'r, E: narad::__private::DecodeEvent<'r>>() {}

/// It is its own key.
#[derive(Event)]
#[event(key = self)]
struct Id {
    id: String,
}

impl narad::EventKey for Id {
    fn to_key(&self) -> Option<Cow<'_, [u8]>> {
        self.id.to_key()
    }
}

#[derive(Event)]
#[event(key = id)]
struct Identified {
    id: uuid::Uuid,
}

/// A field that must be there, though it may be null.
#[derive(Event)]
struct Present {
    #[serde(deserialize_with = "Option::deserialize")]
    ip: Option<String>,
}

/// What its variants hold is not known.
#[derive(Event)]
#[event(type = "HOLDING")]
#[serde(tag = "kind")]
enum Holding {
    Empty(Empty),
}

fn main() {
    assert!(narad::serde_json::from_str::<Present>("{}").is_err());
    assert_eq!(narad::serde_json::from_str::<Present>(r#"{"ip":null}"#).unwrap().ip, None);
    assert_eq!(Id { id: "1".into() }.event_key().as_deref(), Some(&b"1"[..]));
    assert_eq!(Identified { id: uuid::Uuid::nil() }.event_key().unwrap().len(), 36);
    assert_eq!(Holding::SHAPE.fields, Fields::Partly(&["kind"]));
    let _ = Holding::Empty;
    named::<UserLogin>(&["userId", "address", "ip", "out", "in", "type"]);
    named::<HTTPRequest>(&["path"]);
    named::<Empty>(&[]);
    named::<Tagged>(&["kind", "id"]);
    named::<Internal>(&["type", "outerRadius"]);
    named::<RawField>(&["ID", "match"]);
    for fields in [Newtype::SHAPE, Tuple::SHAPE, Unit::SHAPE, Transparent::SHAPE, External::SHAPE]
        .map(|shape| shape.fields)
    {
        assert_eq!(fields, Fields::Value);
    }
    for fields in [Flattened::SHAPE, Converted::SHAPE, manual::Manual::SHAPE].map(|shape| shape.fields) {
        assert_eq!(fields, Fields::Open);
    }

    assert_eq!(UserLogin::SHAPE.types, ["USER_LOGIN"]);
    assert_eq!(HTTPRequest::TYPE, "HTTP_REQUEST");
    assert_eq!(HTTPRequest::VERSION, "1.0");
    assert_eq!((Internal::TYPE, Internal::SHAPE.format), ("SHAPE", Format::Flat));
    assert_eq!(UserLogin::SHAPE.format, Format::Envelope);
    assert_eq!(
        (UserLogin::TOPIC, RawField::TOPIC, RawKey::TOPIC),
        ("user.events.login", "constant.topic", "events.${STAGE:-dev}")
    );
    assert!(UserLogin::SHAPE.keyed && !HTTPRequest::SHAPE.keyed);

    is_event::<Borrowed<'_>>();
    is_event::<Generic<'_, String, u8>>();
    is_event::<Defaults<u8>>();
    is_event::<Nested>();

    assert_eq!(Newtype(7).event_key().as_deref(), Some(&b"7"[..]));
    assert_eq!(Tuple(1, "a".into()).event_key().as_deref(), Some(&b"1-a"[..]));
    assert_eq!(External::A(3).event_key().as_deref(), Some(&b"3"[..]));
    assert_eq!(RawField { id: None, r#match: 1 }.event_key(), None);
    assert_eq!(RawKey { r#type: "k".into() }.event_key().as_deref(), Some(&b"k"[..]));
    assert_eq!(Unit.event_key(), None);
    let nested = Nested { account: Account { id: "x".into(), other: None }, tree: None };
    assert!(matches!(nested.event_key(), Some(Cow::Borrowed(b"x"))));

    let text = r#"{"id":"1","bytes":null,"name":"n","maybe":"m","inner":{"text":"t"}}"#;
    let borrowed: Borrowed<'_> = narad::serde_json::from_str(text).unwrap();
    assert!(matches!((&borrowed.name, &borrowed.inner.text), (Cow::Borrowed("n"), Cow::Borrowed("t"))));
    assert_eq!(borrowed.id, "1");

    let tree: Tree = narad::serde_json::from_str(r#"{"Node":{"left":"Leaf","right":"Leaf"}}"#).unwrap();
    assert!(matches!(tree, Tree::Node { .. }));
    let account: Account = narad::serde_json::from_str("{}").unwrap();
    assert!(account.id.is_empty() && account.other.is_none());
    assert_eq!(narad::serde_json::to_string(&Tagged { id: 1 }).unwrap(), r#"{"kind":"Tagged","id":1}"#);
    let defaults: Defaults<u8> = narad::serde_json::from_str("{}").unwrap();
    assert_eq!(defaults.value, 0);
    let _ = (borrowed.bytes, borrowed.maybe, borrowed.marker);
}
