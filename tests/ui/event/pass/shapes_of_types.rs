#![deny(warnings)]
//! What a type may be beside its fields: packed, deprecated, with lengths of its own, named in any alphabet,
//! written by another macro.

use std::borrow::Cow;
use std::marker::PhantomData;

use narad::__private::Event as _;
use narad::prelude::*;
use narad::serde_json::{from_value, json, to_value};

#[derive(Event)]
struct Block {
    bytes: [u8; Self::LEN],
}

impl Block {
    const LEN: usize = 4;
}

#[derive(Event, Clone, Copy)]
#[repr(C, packed)]
struct Packed {
    small: u8,
    large: u32,
}

#[derive(EventData, Clone, Copy, PartialEq, Debug)]
#[repr(u8)]
enum Level {
    Low = 1,
    High = 4,
}

#[deprecated = "use another one"]
#[derive(Event)]
struct Old {
    #[deprecated = "as is this"]
    id: u64,
}

#[derive(Event)]
enum Mixed {
    #[deprecated = "not used any more"]
    Block(Block),
    r#Packed(Packed),
}

#[derive(Event)]
struct Straße {
    größe: u64,
    名前: String,
}

#[derive(Event)]
struct r#Raw {
    r#type: String,
}

#[derive(Event)]
struct Tree {
    children: Vec<Self>,
    parent: Option<Box<Tree>>,
}

/// A text that is only written, and a type that is neither.
#[derive(Event)]
struct Marked {
    #[serde(skip_deserializing)]
    kind: &'static str,
    owned: Cow<'static, str>,
    unit: PhantomData<&'static str>,
}

#[derive(Event)]
#[event(key = format!("{}-{self}", 1))]
struct Shown {
    id: u64,
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.id)
    }
}

macro_rules! event {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($field:ident: $ty:ty),* }) => {
        #[derive(Event)]
        $(#[$meta])*
        $vis struct $name { $($field: $ty),* }
    };
}

event! {
    #[event(topic = "a", key = id)]
    #[serde(rename_all = "camelCase")]
    pub(crate) struct Forwarded { id: u64, user_name: String }
}

macro_rules! holder {
    ($name:ident, $ty:ty) => {
        #[derive(Event)]
        struct $name {
            held: Vec<$crate::Level>,
            given: Option<$ty>,
        }
    };
}

holder!(Holder, Level);

fn main() {
    let holder = Holder { held: vec![Level::Low], given: Some(Level::High) };
    assert_eq!(to_value(holder).unwrap(), json!({ "held": ["Low"], "given": "High" }));
    assert_eq!(to_value(Block { bytes: [1; 4] }).unwrap(), json!({ "bytes": [1, 1, 1, 1] }));
    let packed: Packed = from_value(to_value(Packed { small: 1, large: 2 }).unwrap()).unwrap();
    assert_eq!((packed.small, { packed.large }), (1, 2));
    assert_eq!(from_value::<Level>(to_value(Level::High).unwrap()).unwrap(), Level::High);
    assert_eq!((Level::Low as u8, Mixed::SHAPE.types), (1, &["BLOCK", "PACKED"][..]));
    let _ = Mixed::Packed(packed);

    assert_eq!((Straße::SHAPE.types[0], Raw::SHAPE.types[0]), ("STRASSE", "RAW"));
    assert_eq!(to_value(Straße { größe: 1, 名前: "n".into() }).unwrap(), json!({ "größe": 1, "名前": "n" }));
    assert_eq!(to_value(Raw { r#type: "t".into() }).unwrap(), json!({ "type": "t" }));
    let tree: Tree = from_value(json!({ "children": [{ "children": [] }] })).unwrap();
    assert!(tree.children[0].children.is_empty() && tree.parent.is_none());

    let marked: Marked = from_value(json!({ "owned": "o", "unit": null })).unwrap();
    assert_eq!((marked.kind, &*marked.owned, marked.unit), ("", "o", PhantomData));
    assert_eq!(Shown { id: 7 }.event_key().as_deref(), Some(&b"1-7"[..]));
    let forwarded = Forwarded { id: 1, user_name: "n".into() };
    assert_eq!(forwarded.event_key().as_deref(), Some(&b"1"[..]));
    assert_eq!(to_value(forwarded).unwrap(), json!({ "id": 1, "userName": "n" }));
}
