//! What happens when a handler fails: attempts in place with backoff, then the dead letter.
//!
//! [`RetryTask`] takes a record over from its first attempt and brings it to its fate. While it waits, its
//! key waits, and nothing else.

/// A line of the log about a record, with where the record is.
macro_rules! say {
    ($level:ident, $record:expr, $($fields_and_text:tt)+) => {
        tracing::$level!(topic = $record.topic(), partition = $record.partition(), offset = $record.offset(), $($fields_and_text)+)
    };
}

mod attempt;
mod task;

mod deliver;
mod give_up;
mod run;
#[cfg(test)]
mod wait_tests;

pub(crate) use self::attempt::poll_attempt;
pub(crate) use self::task::{Fate, RetryTask};
