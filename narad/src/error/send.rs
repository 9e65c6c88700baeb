//! Why one record was not sent.

use std::sync::Arc;

/// Why a record was not sent or not acknowledged: the kind of the reason, the topic, which record of the call
/// it was, and the error behind it.
///
/// `Display` says all of it for the person who must act.
///
/// ```
/// use narad::{Error, SendErrorKind};
///
/// fn may_be_tried_again(error: &Error) -> bool {
///     match error {
///         // Sent again it may be there twice.
///         Error::NotConnected | Error::DeliveryUnknown => true,
///         Error::Send(error) => error.kind() == SendErrorKind::QueueFull,
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
    source: Option<Source>,
}

#[derive(Clone)]
enum Source {
    Shared(Arc<dyn std::error::Error + Send + Sync>),
    /// One of few that are kept as long as the process lives.
    Kept(&'static (dyn std::error::Error + Send + Sync)),
}

/// The kind of the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendErrorKind {
    /// The record is larger than the broker's limit for the topic (`max.message.bytes`) or the client's
    /// (`NARAD_KAFKA_MESSAGE_MAX_BYTES`).
    TooLarge,
    /// The user of this client may not write the topic, or may not send at all.
    NotAuthorized,
    /// The topic does not exist and was not created, or its name is not allowed.
    UnknownTopic,
    /// The producer was full: there was no room for the record within `delivery.timeout.ms`. It was not sent.
    QueueFull,
    /// The value cannot be written: a float that is not finite, a map whose keys are not strings, the `other`
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

    /// At this place among the records of its call.
    pub(super) fn stands_at(&mut self, index: usize) {
        self.0.index = Some(index);
    }

    /// With the error behind it.
    pub(crate) fn by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Source::Shared(Arc::new(source)));
        self
    }

    /// The same with one that is kept.
    pub(crate) fn by_kept(mut self, source: Option<&'static (dyn std::error::Error + Send + Sync)>) -> Self {
        self.0.source = source.map(Source::Kept);
        self
    }

    /// The kind of the reason.
    pub fn kind(&self) -> SendErrorKind {
        self.0.kind
    }

    /// The record's topic, if it is known.
    pub fn topic(&self) -> Option<&str> {
        self.0.topic.as_deref()
    }

    /// The error of serde, the broker or the client, if there is one.
    pub fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.0.source.as_ref()? {
            Source::Shared(source) => Some(&**source),
            Source::Kept(source) => Some(*source),
        }
    }

    /// For `publish_all` and `send_all`: the record's place among those that were given, from 0.
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

/// The sources that `Display` does not already have, so that a chain of errors, as `{:#}` of anyhow prints
/// it, has each text once. The direct source is [`SendError::source`].
impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.source()?;
        if self.0.text.ends_with(&source.to_string()) { source.source() } else { Some(source) }
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::error::{Error, SendAllError};

    /// As chain printers do.
    fn chain(error: &dyn std::error::Error) -> String {
        let (mut text, mut next) = (error.to_string(), error.source());
        while let Some(source) = next {
            text = format!("{text}: {source}");
            next = source.source();
        }
        text
    }

    #[test]
    fn a_chain_says_each_text_once() {
        let source = || std::io::Error::other("what serde said");
        let told = SendError::new(SendErrorKind::Encode, "cannot be written: what serde said".into());
        let told = Error::Send(told.by(source()));
        assert_eq!(chain(&told), "cannot be written: what serde said");
        let untold = Error::Send(SendError::new(SendErrorKind::TooLarge, "too large".into()).by(source()));
        assert_eq!(
            (untold.to_string(), chain(&untold)),
            ("too large".into(), "too large: what serde said".into())
        );
        for error in [&told, &untold] {
            let Error::Send(error) = error else { panic!("{error}") };
            assert!(error.source().is_some_and(|source| source.is::<std::io::Error>()));
        }
        let all = SendAllError::new(vec![Err(told)]);
        let text = "1 of 1 records were not acknowledged; the first: cannot be written: what serde said";
        assert!(all.source().is_some_and(|first| matches!(first, Error::Send(_))));
        assert_eq!((all.to_string(), chain(&Error::SendAll(all))), (text.into(), text.into()));
    }
}
