//! One record as it came from Kafka: bytes, key, headers.

mod type_headers;

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, OnceLock};

pub(crate) use self::type_headers::TypeHeaders;
use crate::transport::{Member, Membership, Message, OwnedMessage, header_bytes};

/// What a record takes besides its content, wherever it waits: its own structure, librdkafka's, and its place
/// in the maps of its lane.
const BESIDES: usize = 448;

/// A record as it came: bytes, key, headers. Cheap to clone; a clone keeps the bytes alive.
#[derive(Clone)]
pub struct Record(Arc<Inner>);

struct Inner {
    // Dropped before the source, which keeps librdkafka's client alive.
    message: Message,
    source: Arc<Source>,
    /// The value in other words, where somebody asked for them; `None` inside: there are no others.
    in_other_words: OnceLock<Option<Box<str>>>,
}

/// Where records come from: a partition, and what keeps librdkafka's messages of it alive.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) assignment: Arc<Assignment>,
    type_headers: TypeHeaders,
    _client: Option<Arc<dyn Member>>,
    /// The same without the client, for records in memory of their own: they may outlive it.
    bare: Option<Arc<Source>>,
}

/// One assignment of a partition to this process.
#[derive(Debug)]
pub(crate) struct Assignment {
    /// As what the partition was assigned to this process: its member's name, and the generation of the
    /// group.
    pub(crate) membership: Membership,
    ended: AtomicBool,
}

impl Assignment {
    pub(crate) fn new(membership: Membership) -> Arc<Self> {
        Arc::new(Self { membership, ended: AtomicBool::new(false) })
    }

    /// The partition was let go.
    pub(crate) fn end(&self) {
        self.ended.store(true, Release);
    }

    pub(crate) fn is_current(&self) -> bool {
        !self.ended.load(Acquire)
    }
}

impl Source {
    pub(crate) fn new(
        topic: Arc<str>,
        partition: i32,
        assignment: Arc<Assignment>,
        type_headers: TypeHeaders,
        client: Arc<dyn Member>,
    ) -> Arc<Self> {
        // For records in memory of their own.
        let bare = Arc::new(Self {
            topic: topic.clone(),
            partition,
            assignment: assignment.clone(),
            type_headers: type_headers.clone(),
            _client: None,
            bare: None,
        });
        Arc::new(Self { topic, partition, assignment, type_headers, _client: Some(client), bare: Some(bare) })
    }

    #[cfg(test)]
    pub(crate) fn bare(topic: Arc<str>, partition: i32, assignment: Arc<Assignment>) -> Arc<Self> {
        let type_headers = TypeHeaders::default();
        Arc::new(Self { topic, partition, assignment, type_headers, _client: None, bare: None })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

impl Record {
    pub(crate) fn new(source: Arc<Source>, message: Message) -> Self {
        Self(Arc::new(Inner { source, message, in_other_words: OnceLock::new() }))
    }

    /// Lets go of the content; what is left is for [`refilled`](Self::refilled). `None` where somebody still
    /// has the record, and where it would not keep the client of the next content.
    pub(crate) fn vacated(mut self) -> Option<Self> {
        self.0.source.bare.as_ref()?;
        let inner = Arc::get_mut(&mut self.0)?;
        inner.message = Message::Owned(OwnedMessage::default());
        inner.in_other_words.take();
        Some(self)
    }

    /// Another record of the same source, in the memory of this one.
    pub(crate) fn refilled(mut self, message: Message) -> Self {
        match Arc::get_mut(&mut self.0) {
            Some(inner) => inner.message = message,
            None => return Self::new(self.0.source.clone(), message),
        }
        self
    }

    /// Whether it pins what it was fetched with.
    pub(crate) fn pins(&self) -> bool {
        matches!(self.0.message, Message::Kafka(_))
    }

    /// The record in memory of its own: it may stay for long without pinning what it was fetched with.
    pub(crate) fn detached(&self) -> Self {
        match (&self.0.message, &self.0.source.bare) {
            (Message::Kafka(_), Some(bare)) => {
                Self::new(bare.clone(), Message::Owned(self.0.message.to_owned()))
            }
            _ => self.clone(),
        }
    }

    /// As of which leader epoch it was written; below zero it is not known.
    pub(crate) fn leader_epoch(&self) -> i32 {
        self.0.message.leader_epoch()
    }

    pub(crate) fn assignment(&self) -> &Assignment {
        &self.0.source.assignment
    }

    /// The same where other writers put its type into these headers.
    #[cfg(test)]
    pub(crate) fn with_type_headers(&self, names: &[String]) -> Self {
        let Source { topic, partition, assignment, .. } = &*self.0.source;
        let source = Source {
            topic: topic.clone(),
            partition: *partition,
            assignment: assignment.clone(),
            type_headers: names.into(),
            _client: None,
            bare: None,
        };
        Self::new(Arc::new(source), Message::Owned(self.0.message.to_owned()))
    }

    /// Which headers other writers put its type into.
    pub(crate) fn type_headers(&self) -> &TypeHeaders {
        &self.0.source.type_headers
    }

    /// What it takes in memory, about. Of one that pins what it was fetched with, headers are left out: to
    /// know them costs to parse them. They count from when it has memory of its own.
    pub(crate) fn bytes(&self) -> usize {
        let headers = match &self.0.message {
            Message::Kafka(_) => 0,
            Message::Owned(message) => message.header_bytes(),
        };
        BESIDES + self.key().map_or(0, <[u8]>::len) + self.payload().map_or(0, <[u8]>::len) + headers
    }

    /// What of it librdkafka does not count. Parses the headers.
    pub(crate) fn uncounted(&self) -> usize {
        self.0.message.uncounted()
    }

    /// What it will take once it has memory of its own. Parses the headers.
    pub(crate) fn bytes_detached(&self) -> usize {
        let headers: usize = self.headers().map(|(name, value)| header_bytes(name, value)).sum();
        if self.pins() { self.bytes() + headers } else { self.bytes() }
    }

    /// The topic it was read from.
    pub fn topic(&self) -> &str {
        &self.0.source.topic
    }

    /// The partition it was read from.
    pub fn partition(&self) -> i32 {
        self.0.source.partition
    }

    /// Its offset in the partition.
    pub fn offset(&self) -> i64 {
        self.0.message.offset()
    }

    /// The key; an empty key is `Some`, a missing one `None`.
    pub fn key(&self) -> Option<&[u8]> {
        self.0.message.key()
    }

    /// The value; `None` for a tombstone.
    pub fn payload(&self) -> Option<&[u8]> {
        self.0.message.payload()
    }

    /// The value where it is UTF-8.
    pub(crate) fn text(&self) -> Option<&str> {
        self.0.message.text()
    }

    /// The value in other words, which are made once and live as long as the record. `None` where it is no
    /// text, or there are none.
    pub(crate) fn in_other_words(&self, make: impl FnOnce(&str) -> Option<String>) -> Option<&str> {
        let text = self.text()?;
        self.0.in_other_words.get_or_init(|| make(text).map(String::into_boxed_str)).as_deref()
    }

    /// Milliseconds since the Unix epoch, as the producer or the broker set it.
    pub fn timestamp(&self) -> Option<i64> {
        self.0.message.timestamp()
    }

    /// The value of the last header of this name; `None` where there is none or its value is null.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers().filter(|(header, _)| *header == name.as_bytes()).last().and_then(|(_, value)| value)
    }

    /// All headers in their order, with duplicates and nulls; names are bytes, because Kafka does not require
    /// UTF-8. A name ends at its first NUL byte, because librdkafka cuts it there.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.0.message.headers()
    }
}

impl fmt::Debug for Record {
    /// Its place and size, without its content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("topic", &self.topic())
            .field("partition", &self.partition())
            .field("offset", &self.offset())
            .field("key_bytes", &self.key().map(<[u8]>::len))
            .field("payload_bytes", &self.payload().map(<[u8]>::len))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_keeps_no_client_is_not_filled_with_what_needs_one() {
        let source = Source::bare("t".into(), 0, Assignment::new(Membership::default()));
        assert!(Record::new(source, Message::Owned(OwnedMessage::default())).vacated().is_none());
    }

    #[test]
    fn headers_count_as_what_a_record_takes() {
        let source = Source::bare("t".into(), 0, Assignment::new(Membership::default()));
        let of = |headers| {
            Record::new(source.clone(), Message::Owned(OwnedMessage { headers, ..OwnedMessage::default() }))
                .bytes()
        };
        let header = |bytes| (b"trace".to_vec(), Some(vec![0; bytes]));
        assert!(of(vec![header(60_000)]) >= of(Vec::new()) + 60_005);
        let many = of(vec![header(0); 1_000]) - of(Vec::new());
        assert!(
            many >= 1_000 * 2 * size_of::<Vec<u8>>(),
            "of many small headers the structure counts: {many}"
        );
    }
}
