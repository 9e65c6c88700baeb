#![forbid(unsafe_code)]
#![deny(warnings)]
#![deny(
    missing_docs,
    unreachable_pub,
    missing_debug_implementations,
    elided_lifetimes_in_paths,
    unused_qualifications
)]
#![no_implicit_prelude]
//! A crate with strict lints that shadows the names that generated code would use.

use ::narad as broker;
extern crate narad as renamed;

#[allow(dead_code)]
mod shadows {
    pub(crate) struct Result;
    pub(crate) struct Option;
    pub(crate) struct Vec;
    pub(crate) struct Ok;
    pub(crate) struct Err;
    pub(crate) struct Some;
    pub(crate) struct None;
    pub(crate) struct String;
    pub(crate) struct Box;
    pub(crate) trait Event {}
    pub(crate) trait Serialize {}
    pub(crate) trait Deserialize {}
}
#[allow(unused_imports)]
use shadows::*;

/// An event.
#[derive(::std::fmt::Debug, broker::Event)]
#[event(topic = "a", key = id, crate = "renamed")]
pub struct Login<'a> {
    /// Who.
    pub id: ::std::string::String,
    /// What.
    pub text: ::std::borrow::Cow<'a, str>,
    /// Nested.
    pub inner: ::std::option::Option<Inner>,
}

/// Data.
#[derive(::std::fmt::Debug, broker::EventData)]
#[event(crate = "renamed")]
pub struct Inner {
    /// How many.
    #[serde(default)]
    pub count: u8,
}

/// A closed set.
#[derive(::std::fmt::Debug, broker::Event)]
#[event(topic = "a", crate = "crate::renamed")]
pub enum Set<'a> {
    /// A login.
    Login(Login<'a>),
    /// All the rest.
    #[event(other)]
    Other,
}

/// An error.
#[derive(::std::fmt::Debug, broker::Failure)]
#[failure(crate = "renamed")]
pub enum CountError {
    /// Try again.
    #[retry(attempts = 8, backoff = "200ms..1m")]
    Busy(u8),
    /// Give up.
    #[dead_letter]
    Broken {
        /// Why.
        code: u8,
    },
    /// Drop.
    #[skip]
    Old,
    /// Stop.
    #[halt]
    Fatal,
}

impl ::std::fmt::Display for CountError {
    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
        ::std::fmt::Debug::fmt(self, f)
    }
}

/// A handler.
#[broker::kafka_handler(topic = "a", group = "g", crate = "renamed", retry(attempts = 2), timeout = "5s")]
pub async fn handle(
    event: Login<'_>,
    context: renamed::Context,
    meta: renamed::Meta<'_>,
) -> ::std::result::Result<(), CountError> {
    ::std::println!("{event:?} {} {meta:?}", context.topic());
    ::std::result::Result::Ok(())
}

/// A plain handler.
#[broker::kafka_handler(topic = "a", crate = "renamed")]
pub fn plain(event: Set<'_>) {
    ::std::mem::drop(event);
}

fn main() {}
