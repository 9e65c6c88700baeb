use narad::__private::{Event as _, SingleEvent as _, TopicEvent as _};
use narad::prelude::*;

macro_rules! event {
    ($name:ident, $topic:literal, $type:expr, $key:ident, $ty:ty, $path:path) => {
        #[derive(Event)]
        #[event(topic = $topic, type = $type, version = $path, key = $key)]
        struct $name {
            $key: $ty,
        }
    };
}

macro_rules! keyed {
    ($name:ident, $key:expr) => {
        #[derive(Event)]
        #[event(key = $key)]
        struct $name {
            id: u64,
        }
    };
}

macro_rules! keyed_inside {
    ($name:ident) => {
        #[derive(Event)]
        #[event(key = self.id + 1)]
        struct $name {
            id: u64,
        }
    };
}

macro_rules! indexed {
    ($name:ident, $index:literal, $ty:ty) => {
        #[derive(Event)]
        #[event(key = $index)]
        struct $name($ty);
    };
}

macro_rules! set {
    ($name:ident { $($variant:ident($ty:ty)),* }) => {
        #[derive(Event)]
        enum $name {
            $($variant($ty)),*
        }
    };
}

const VERSION: &str = "3.0";

event!(First, "first", "FIRST", id, Option<String>, crate::VERSION);
keyed!(Second, self.id.to_string());
keyed!(Third, id);
keyed_inside!(Fourth);
indexed!(Fifth, 0, String);
set!(Set { First(First), Second(Second) });

fn main() {
    assert_eq!((First::TOPIC, First::TYPE, First::VERSION), ("first", "FIRST", "3.0"));
    assert_eq!(First { id: Some("1".into()) }.event_key().as_deref(), Some(&b"1"[..]));
    assert_eq!(Second { id: 2 }.event_key().as_deref(), Some(&b"2"[..]));
    assert_eq!(Third { id: 3 }.event_key().as_deref(), Some(&b"3"[..]));
    assert_eq!(Fourth { id: 3 }.event_key().as_deref(), Some(&b"4"[..]));
    assert_eq!(Fifth("5".into()).event_key().as_deref(), Some(&b"5"[..]));
    assert_eq!(Set::SHAPE.types, ["FIRST", "SECOND"]);
    let _ = (Set::First, Set::Second);
}
