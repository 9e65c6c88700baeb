//! A record that does not hold what a parameter needs.

use crate::codec::DecodeError;

/// Why a parameter could not be made.
#[doc(hidden)]
#[derive(Debug)]
pub struct Rejection {
    pub(crate) text: String,
    /// The type of the error, for the dead letter.
    pub(crate) class: &'static str,
    /// What came is not well-formed: the group's dead letter takes it.
    pub(crate) malformed: bool,
}

impl From<DecodeError> for Rejection {
    fn from(error: DecodeError) -> Self {
        Self { text: error.text, class: "narad::Decode", malformed: error.malformed }
    }
}
