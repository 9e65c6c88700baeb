//! A parameter that could not be made.

use std::fmt;

use crate::codec::{DecodeError, DecodeFault};
use crate::outcome::{Outcome, OutcomeKind, bounded};

/// A record that does not hold what a parameter needs.
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

/// Why a parameter was not made.
#[doc(hidden)]
#[derive(Debug)]
pub enum Rejected {
    /// The record does not hold what it needs.
    Record(Rejection),
    /// What its maker says, as if the handler had returned it.
    Outcome(Outcome),
}

impl Rejected {
    /// Whether an `Option` of the parameter is `None` then: it is not there and never will be. What comes
    /// later, stops the application, or is wrong with the whole record is no answer.
    pub(super) fn is_absence(&self) -> bool {
        match self {
            Self::Record(rejection) => matches!(rejection.fault, DecodeFault::Unfit),
            Self::Outcome(outcome) => is_absence(outcome),
        }
    }
}

/// The same of an outcome.
pub(super) fn is_absence(outcome: &Outcome) -> bool {
    matches!(outcome.kind(), OutcomeKind::DeadLetter | OutcomeKind::Skip)
}

/// The error of a parameter's type, [`FromRecord::Error`](crate::FromRecord::Error): whatever can be
/// displayed, or an [`Outcome`]. An error that can be displayed counts like a payload that does not fit: no
/// retry can help. An outcome has the same effect as if the handler returned it: `Outcome::retry` is a failed
/// attempt, after which the record is tried again.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a parameter",
    label = "neither `Display` nor an `Outcome`",
    note = "an error that is `Display` sends the record to the handler's dead letter; an `Outcome` says itself what happens to it"
)]
pub trait IntoRejection {
    #[doc(hidden)]
    fn into_rejection(self) -> Rejected;
}

impl<E: fmt::Display> IntoRejection for E {
    fn into_rejection(self) -> Rejected {
        let class = std::any::type_name::<E>();
        Rejected::Record(Rejection { text: bounded(&self), class, fault: DecodeFault::Unfit })
    }
}

impl IntoRejection for Outcome {
    fn into_rejection(self) -> Rejected {
        Rejected::Outcome(self)
    }
}

impl IntoRejection for Rejected {
    fn into_rejection(self) -> Rejected {
        self
    }
}
