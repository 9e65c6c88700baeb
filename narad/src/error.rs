//! What can go wrong, for the person who must act.

use std::sync::Arc;

use crate::codec::EncodeError;
use crate::producer::SendAllError;

/// A `Result` with Narad's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong.
#[non_exhaustive]
pub enum Error {
    /// No broker answers, or the application was disconnected: nothing was enqueued, so the caller can fall
    /// back.
    NotConnected,
    /// The record was enqueued, and whether the broker has it is not known: `delivery.timeout.ms` passed.
    DeliveryUnknown,
    /// The broker refused the record, it cannot be written, or there was no room for it in time:
    /// [`kind()`](SendError::kind) for programs, and a text for people.
    Send(SendError),
    /// Some of several records were not acknowledged; each one's outcome is in it.
    SendAll(SendAllError),
    /// A value in the environment or the builder is wrong; the text names it.
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

/// As `Display`: an error that `main` returns is one line for the person who must act.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Send(error) => error.source(),
            Self::SendAll(error) => error.source(),
            _ => None,
        }
    }
}

impl Error {
    /// A send that ended for a reason of which there is only the text.
    pub(crate) fn send(text: String) -> Self {
        Self::Send(SendError::new(SendErrorKind::Other, text))
    }

    /// What was to be sent to a topic cannot be written.
    pub(crate) fn encode(topic: Option<&str>, error: EncodeError) -> Self {
        let text = match topic {
            Some(topic) => format!("topic {topic}: the value cannot be written: {error}"),
            None => format!("the value cannot be written: {error}"),
        };
        let mut send = SendError::new(SendErrorKind::Encode, text);
        send.0.topic = topic.map(Arc::from);
        send.0.source = error.into_source().map(|source| Arc::new(source) as _);
        Self::Send(send)
    }

    /// Of the record at this place among those of its call.
    pub(crate) fn at(mut self, index: usize) -> Self {
        if let Self::Send(error) = &mut self {
            error.0.index = Some(index);
        }
        self
    }
}

/// Why a record was not sent, or not acknowledged: the kind of the reason, the topic, which of the call's
/// records it is, and the error behind it.
///
/// `Display` says all of it for the person who must act, the words of the [source](std::error::Error::source)
/// included.
///
/// ```
/// use narad::{Error, SendErrorKind};
///
/// fn may_be_tried_again(error: &Error) -> bool {
///     match error {
///         Error::NotConnected | Error::DeliveryUnknown => true,
///         Error::Send(error) => matches!(error.kind(), SendErrorKind::QueueFull | SendErrorKind::Other),
///         _ => false,
///     }
/// }
/// ```
#[derive(Clone)]
pub struct SendError(Box<Reason>);

#[derive(Clone)]
struct Reason {
    kind: SendErrorKind,
    topic: Option<Arc<str>>,
    index: Option<usize>,
    text: String,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// What kind of reason it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendErrorKind {
    /// The record is larger than the broker's limit for the topic (`max.message.bytes`) or the client's
    /// (`NARAD_KAFKA_MESSAGE_MAX_BYTES`).
    TooLarge,
    /// The user of this client may not write the topic, or may not send at all.
    NotAuthorized,
    /// The topic does not exist and was not created, or no topic can have its name.
    UnknownTopic,
    /// So much waits inside of the producer that there was no room for the record within
    /// `delivery.timeout.ms`; nothing of it was sent.
    QueueFull,
    /// The value cannot be written: a float that is not finite, a map whose keys are no strings, the `other`
    /// variant of a closed set. Nothing of the call was sent.
    Encode,
    /// Anything else; the text says what.
    Other,
}

impl SendError {
    pub(crate) fn new(kind: SendErrorKind, text: String) -> Self {
        Self(Box::new(Reason { kind, topic: None, index: None, text, source: None }))
    }

    /// Of a record for this topic.
    pub(crate) fn of(mut self, topic: &Arc<str>) -> Self {
        self.0.topic = Some(Arc::clone(topic));
        self
    }

    /// With the error behind it.
    pub(crate) fn by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// What kind of reason it is.
    pub fn kind(&self) -> SendErrorKind {
        self.0.kind
    }

    /// The record's topic, where it is known.
    pub fn topic(&self) -> Option<&str> {
        self.0.topic.as_deref()
    }

    /// Of `publish_all` and `send_all`: the record's place among those that were given, from 0.
    pub fn index(&self) -> Option<usize> {
        self.0.index
    }
}

impl std::fmt::Display for SendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.index {
            Some(index) => write!(f, "record [{index}]: {}", self.0.text),
            None => f.write_str(&self.0.text),
        }
    }
}

/// As `Display`.
impl std::fmt::Debug for SendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// What serde, the broker or the client said, where one of them did.
impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
