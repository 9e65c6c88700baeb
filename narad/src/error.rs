//! What can go wrong, for the person who must act.

mod send;

pub use send::{SendError, SendErrorKind};

use crate::sent::Sent;

/// A `Result` with Narad's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong.
#[non_exhaustive]
pub enum Error {
    /// No broker answers, or the application was disconnected: nothing was enqueued, so the caller can fall
    /// back.
    NotConnected,
    /// The record was enqueued, but it is not known whether the broker has it: `delivery.timeout.ms` passed,
    /// or the client lost track of the record.
    DeliveryUnknown,
    /// The broker refused the record, it cannot be written, or there was no room for it in time:
    /// [`kind()`](SendError::kind) for programs, and a text for people.
    Send(SendError),
    /// Some of several records were not acknowledged; the error has the result of each.
    SendAll(SendAllError),
    /// A value in the environment or in the builder is wrong; the text names it.
    Config(String),
    /// The application cannot start: handlers, topics, brokers; the text says what to do.
    Start(String),
    /// The stop was not complete: handlers did not end within `NARAD_SHUTDOWN_TIMEOUT`, or what was handled
    /// could not be committed, because the group coordinator did not answer or refused. What is not committed
    /// is handled again; the log names it.
    DrainTimeout,
    /// A handler halted the application; nothing is committed past its record.
    Halted,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotConnected => f.write_str(
                "not connected: nothing was sent; no broker answers, or the \
             application was disconnected",
            ),
            Self::DeliveryUnknown => f.write_str(
                "delivery unknown: no broker confirmed the record within delivery.timeout.ms, \
                 or the answer was lost; it may or may not be in the topic",
            ),
            Self::Send(error) => error.fmt(f),
            Self::Config(text) | Self::Start(text) => f.write_str(text),
            Self::SendAll(error) => error.fmt(f),
            Self::DrainTimeout => f.write_str(
                "handlers did not end within NARAD_SHUTDOWN_TIMEOUT, or the \
             last commit was not taken; the log says which, and what is not committed is handled again",
            ),
            Self::Halted => f.write_str(
                "a handler halted the application; nothing was committed past its \
             record",
            ),
        }
    }
}

/// The same as `Display`: an error that `main` returns is then one line for the person who must act.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Send(error) => std::error::Error::source(error),
            Self::SendAll(error) => std::error::Error::source(error),
            _ => None,
        }
    }
}

impl Error {
    /// A send that ended for a reason of which there is only the text.
    pub(crate) fn send(text: String) -> Self {
        Self::Send(SendError::new(SendErrorKind::Other, text))
    }

    /// Of the record at this place among those of its call.
    pub(crate) fn at(mut self, index: usize) -> Self {
        if let Self::Send(error) = &mut self {
            error.stands_at(index);
        }
        self
    }
}

/// Some of several records were not acknowledged.
#[derive(Debug)]
pub struct SendAllError {
    outcomes: Vec<Result<Sent>>,
}

impl SendAllError {
    pub(crate) fn new(outcomes: Vec<Result<Sent>>) -> Self {
        Self { outcomes }
    }

    /// The result of each record, in the order in which the records were given.
    pub fn outcomes(&self) -> &[Result<Sent>] {
        &self.outcomes
    }

    /// The error of the first record that failed.
    pub fn source(&self) -> Option<&Error> {
        self.outcomes.iter().find_map(|outcome| outcome.as_ref().err())
    }

    /// The result of each record, in the order in which the records were given.
    pub fn into_outcomes(self) -> Vec<Result<Sent>> {
        self.outcomes
    }
}

impl std::fmt::Display for SendAllError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let failed = self.outcomes.iter().filter(|outcome| outcome.is_err()).count();
        write!(f, "{failed} of {} records were not acknowledged", self.outcomes.len())?;
        match self.source() {
            Some(first) => write!(f, "; the first: {first}"),
            None => Ok(()),
        }
    }
}

/// The source of the first failure. `Display` has the failure itself, so each text is in a chain of errors
/// once.
impl std::error::Error for SendAllError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source().and_then(std::error::Error::source)
    }
}
