//! Sending: encode at once, enqueue, and a future for the acknowledgement.

use std::sync::Arc;

use crate::codec::{EncodeError, Encoder};
use crate::error::{Error, Result};
use crate::event::{Event, TopicEvent};

/// A record on its way to Kafka.
#[doc(hidden)]
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    pub(crate) topic: String,
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<Vec<u8>>,
    /// `None` is a tombstone.
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Outgoing {
    pub(crate) fn event<E: Event>(topic: &str, event: &E, encoder: &mut Encoder<'_>) -> Result<Self, EncodeError> {
        let _ = (topic, event, encoder);
        unimplemented!()
    }
}

/// Where an acknowledged record is. Both are `None` where development mode logged the record instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    topic: Arc<str>,
    partition: Option<i32>,
    offset: Option<i64>,
}

impl Sent {
    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partition; `None` in development mode without a broker.
    pub fn partition(&self) -> Option<i32> {
        self.partition
    }

    /// The offset; `None` in development mode without a broker.
    pub fn offset(&self) -> Option<i64> {
        self.offset
    }
}

/// Some of several records were not acknowledged.
#[derive(Debug)]
pub struct SendAllError {
    outcomes: Vec<Result<Sent>>,
}

impl SendAllError {
    /// Each record's outcome, in the order in which they were given.
    pub fn outcomes(&self) -> &[Result<Sent>] {
        &self.outcomes
    }

    /// Each record's outcome, in the order in which they were given.
    pub fn into_outcomes(self) -> Vec<Result<Sent>> {
        self.outcomes
    }
}

impl std::fmt::Display for SendAllError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let failed = self.outcomes.iter().filter(|outcome| outcome.is_err()).count();
        write!(f, "{failed} of {} records were not acknowledged", self.outcomes.len())?;
        match self.outcomes.iter().find_map(|outcome| outcome.as_ref().err()) {
            Some(first) => write!(f, "; the first: {first}"),
            None => Ok(()),
        }
    }
}

/// The one producer of an application. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Producer {}

impl Producer {
    pub(crate) fn client_id(&self) -> &str {
        unimplemented!()
    }

    /// The application's own send of an event: development mode and `NotConnected` apply.
    pub(crate) fn publish<E: TopicEvent>(&self, event: &E) -> impl Future<Output = Result<Sent>> + Send + 'static + use<E> {
        let _ = event;
        async { Err(Error::NotConnected) }
    }

    /// Narad's own send (dead letters, returned events): resolves with a real acknowledgement or why there is none;
    /// waits for a broker instead of failing with `NotConnected`.
    pub(crate) fn deliver(&self, outgoing: Outgoing) -> impl Future<Output = Result<Sent>> + Send + 'static + use<> {
        let _ = outgoing;
        async { Err(Error::NotConnected) }
    }
}
