//! JSON: the outer structure of a payload, seen without decoding it.

/// What is known of a payload before an event is decoded from it.
#[derive(Clone, Copy, Debug)]
pub struct Head {}
