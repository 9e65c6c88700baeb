//! The seam to Kafka: what is on this side knows no rdkafka types.

pub(crate) mod admin;

use std::fmt;

/// The content of one record, wherever it came from.
pub(crate) enum Message {
    /// Held by this process, as tests and copies have it.
    Owned(OwnedMessage),
}

/// A record's content in memory of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnedMessage {
    pub(crate) offset: i64,
    pub(crate) timestamp: Option<i64>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Message {
    pub(crate) fn offset(&self) -> i64 {
        match self {
            Self::Owned(message) => message.offset,
        }
    }

    pub(crate) fn timestamp(&self) -> Option<i64> {
        match self {
            Self::Owned(message) => message.timestamp,
        }
    }

    pub(crate) fn key(&self) -> Option<&[u8]> {
        match self {
            Self::Owned(message) => message.key.as_deref(),
        }
    }

    pub(crate) fn payload(&self) -> Option<&[u8]> {
        match self {
            Self::Owned(message) => message.payload.as_deref(),
        }
    }

    pub(crate) fn headers(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        match self {
            Self::Owned(message) => message.headers.iter().map(|(name, value)| (name.as_slice(), value.as_deref())),
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("offset", &self.offset()).finish_non_exhaustive()
    }
}
