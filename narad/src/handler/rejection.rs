//! A record that does not hold what a parameter needs.

use crate::codec::{DecodeError, DecodeFault};

/// Why a parameter could not be made.
#[doc(hidden)]
#[derive(Debug)]
pub struct Rejection {
    pub(crate) text: String,
    /// The type of the error, for the dead letter.
    pub(crate) class: &'static str,
    pub(crate) fault: DecodeFault,
}

impl Rejection {
    /// Nothing is wrong with the record: it cannot be read yet.
    pub(crate) fn waits(&self) -> bool {
        matches!(self.fault, DecodeFault::NotYet(_))
    }
}

impl From<DecodeError> for Rejection {
    fn from(error: DecodeError) -> Self {
        Self { text: error.text, class: "narad::Decode", fault: error.fault }
    }
}
