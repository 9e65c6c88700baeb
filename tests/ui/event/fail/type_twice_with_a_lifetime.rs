use std::borrow::Cow;

use narad::prelude::*;

#[derive(Event)]
struct Login<'a> {
    id: Cow<'a, str>,
}

type Alias<'a> = Login<'a>;

#[derive(Event)]
enum Same<'a> {
    First(Login<'a>),
    Again(Login<'a>),
}

#[derive(Event)]
enum SameByAlias<'a> {
    First(Login<'a>),
    Again(Alias<'a>),
}

#[derive(Event)]
enum SameByName<'a, T> {
    First(Login<'a>),
    #[event(type = "VALUE")]
    Value(Value<T>),
    #[event(type = "VALUE")]
    Again(Value<T>),
}

#[derive(Event)]
struct Value<T> {
    value: T,
}

fn main() {}
