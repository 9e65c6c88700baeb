#![deny(warnings)]
//! A handler may have any name, any attributes beside Narad's, and stand in two groups.

use narad::prelude::*;

#[derive(Event)]
#[event(topic = "a")]
struct Seen {
    id: String,
}

#[kafka_handler(topic = "a")]
async fn input(event: Seen) {
    drop(event);
}

#[kafka_handler(topic = "a")]
async fn slot(event: Seen, ctx: Context) {
    drop((event, ctx));
}

#[kafka_handler(topic = "a")]
async fn value(returned: Seen) -> Result<Seen, Outcome> {
    Ok(returned)
}

#[kafka_handler(topic = "a")]
async fn returned(value: Seen, reply: Context) {
    drop((value, reply));
}

#[kafka_handler(topic = "a")]
fn reply(slot: Seen, input: Context) {
    drop((slot, input));
}

#[kafka_handler(topic = "a")]
async fn größe(größe: Seen) {
    drop(größe);
}

/// In two groups, each with its own options.
#[kafka_handler(topic = "a", group = "one")]
#[kafka_handler(topic = "a", group = "two", concurrency = 4)]
async fn twice(event: Seen) {
    drop(event);
}

#[kafka_handler(topic = "a")]
#[deprecated = "use another one"]
async fn old(event: Seen) {
    drop(event);
}

// As they are in scope of the handlers, too.
#[allow(non_upper_case_globals, dead_code)]
mod constants {
    pub(crate) const value: u8 = 1;
    pub(crate) const reply: u8 = 1;
    pub(crate) static input: u8 = 1;
}

mod shadowed {
    use super::constants::{input, reply, value};
    use super::*;

    #[kafka_handler(topic = "a")]
    async fn among_constants(event: Seen) -> Result<(), String> {
        drop((event, value, reply, input));
        Ok(())
    }
}

macro_rules! handler {
    ($(#[$meta:meta])* $vis:vis async fn $name:ident($event:ident: $ty:ty) $body:block) => {
        $(#[$meta])*
        #[kafka_handler(topic = "a")]
        $vis async fn $name($event: $ty) $body
    };
}

handler! {
    /// Forwarded.
    #[allow(clippy::needless_return)]
    pub(crate) async fn forwarded(event: Seen) {
        drop(event);
        return;
    }
}

handler! {
    #[kafka_handler(topic = "b")]
    async fn forwarded_twice(event: Seen) {
        drop(event);
    }
}

fn main() {
    let seen = Seen { id: String::new() };
    let _ = (input, slot, value, returned, reply, größe, twice, forwarded_twice, seen.id);
}
