//! The parameter that takes any JSON.

/// The whole value of a record as any serde type, envelope included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<V>(pub V);
