#![deny(warnings, clippy::all, clippy::pedantic)]
//! Clippy's pedantic lints have nothing to say about what the macros write, nor about what Narad asks of
//! handlers.

use narad::prelude::*;

/// An event.
#[derive(Event, Debug)]
#[event(topic = "a", key = id)]
pub struct Seen {
    /// Whose.
    pub id: String,
    /// What.
    pub inner: Vec<Inner>,
}

/// Data.
#[derive(EventData, Debug)]
pub struct Inner {
    count: u8,
}

/// A closed set.
#[derive(Event, Debug)]
pub enum Either {
    /// One.
    Seen(Seen),
    /// All the rest.
    #[event(other)]
    Other,
}

/// An error.
#[derive(Failure, Debug)]
pub enum CountError {
    /// Try again.
    #[retry(attempts = 2)]
    Busy,
    /// Give up.
    #[dead_letter]
    Broken,
}

impl std::fmt::Display for CountError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

#[kafka_handler(topic = "a")]
async fn waits_for_nothing(event: Seen) {
    println!("{event:?}");
}

#[kafka_handler(topic = "a")]
fn plain(event: Either, ctx: Context) -> Result<(), CountError> {
    println!("{event:?} {}", ctx.topic());
    if ctx.attempt() > 1 { Err(CountError::Broken) } else { Err(CountError::Busy) }
}

fn main() {
    let seen = Seen { id: String::new(), inner: vec![Inner { count: 1 }] };
    println!("{}", seen.inner[0].count);
}
