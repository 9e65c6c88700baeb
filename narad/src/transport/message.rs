//! The content of a record: as it was read, and as it is to be written.

use std::fmt;

use super::kafka::ffi::KafkaMessage;

/// The content of one record, wherever it came from.
pub(crate) enum Message {
    /// In librdkafka's memory, not copied; pins the whole fetch response it came with.
    Kafka(KafkaMessage),
    /// In memory of its own.
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

impl OwnedMessage {
    pub(crate) fn header_bytes(&self) -> usize {
        self.headers.iter().map(|(name, value)| header_bytes(name, value.as_deref())).sum()
    }
}

/// What a header takes in memory of its own, about.
pub(crate) fn header_bytes(name: &[u8], value: Option<&[u8]>) -> usize {
    // Two vectors, and what the heap adds to each of their blocks.
    const BESIDES: usize = size_of::<(Vec<u8>, Option<Vec<u8>>)>() + 2 * 16;
    BESIDES + name.len() + value.map_or(0, <[u8]>::len)
}

/// What of a record does not count for librdkafka's limits, which is all but the value.
pub(crate) fn uncounted<'m>(
    key: Option<&[u8]>,
    headers: impl Iterator<Item = (&'m [u8], Option<&'m [u8]>)>,
) -> usize {
    let headers: usize = headers.map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len)).sum();
    headers + key.map_or(0, <[u8]>::len)
}

impl Message {
    pub(crate) fn offset(&self) -> i64 {
        match self {
            Self::Kafka(message) => message.offset(),
            Self::Owned(message) => message.offset,
        }
    }

    /// As of which leader epoch it was written; below zero it is not known.
    pub(crate) fn leader_epoch(&self) -> i32 {
        match self {
            Self::Kafka(message) => message.leader_epoch(),
            Self::Owned(_) => -1,
        }
    }

    pub(crate) fn timestamp(&self) -> Option<i64> {
        match self {
            Self::Kafka(message) => message.timestamp(),
            Self::Owned(message) => message.timestamp,
        }
    }

    pub(crate) fn key(&self) -> Option<&[u8]> {
        match self {
            Self::Kafka(message) => message.key(),
            Self::Owned(message) => message.key.as_deref(),
        }
    }

    pub(crate) fn payload(&self) -> Option<&[u8]> {
        match self {
            Self::Kafka(message) => message.payload(),
            Self::Owned(message) => message.payload.as_deref(),
        }
    }

    /// The payload where it is UTF-8.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Kafka(message) => message.text(),
            Self::Owned(message) => {
                message.payload.as_deref().and_then(|payload| std::str::from_utf8(payload).ok())
            }
        }
    }

    pub(crate) fn headers(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        (0..).map_while(|index| match self {
            Self::Kafka(message) => message.header(index),
            Self::Owned(message) => {
                message.headers.get(index).map(|(name, value)| (name.as_slice(), value.as_deref()))
            }
        })
    }

    /// See [`uncounted`].
    pub(crate) fn uncounted(&self) -> usize {
        uncounted(self.key(), self.headers())
    }

    /// A copy in memory of its own, for a record that stays: it no longer pins what it was fetched with.
    pub(crate) fn to_owned(&self) -> OwnedMessage {
        OwnedMessage {
            offset: self.offset(),
            timestamp: self.timestamp(),
            key: self.key().map(<[u8]>::to_vec),
            payload: self.payload().map(<[u8]>::to_vec),
            headers: self.headers().map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec))).collect(),
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("offset", &self.offset()).finish_non_exhaustive()
    }
}

/// A record on its way to Kafka.
#[derive(Clone, Default)]
pub(crate) struct Outgoing {
    pub(crate) topic: String,
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<Vec<u8>>,
    /// `None` is a tombstone.
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// In milliseconds since 1970, from 1 on; `None` is now.
    pub(crate) timestamp: Option<i64>,
}

/// Without what is in it.
impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .finish_non_exhaustive()
    }
}

impl Outgoing {
    /// How much memory its content takes.
    pub(crate) fn bytes(&self) -> usize {
        let of = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + of(value)).sum();
        of(&self.key) + of(&self.payload) + headers
    }
}
