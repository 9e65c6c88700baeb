//! Why a record was not acknowledged, in words for the person who must act, and whether a retry can mend it.

use std::sync::Arc;

use narad_syntax::topic::RULE;

use super::restarts::Refusal;
use crate::codec::EncodeError;
use crate::error::{Error, SendError, SendErrorKind};
use crate::transport::{Class, Fault};

/// Why a record was not acknowledged.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) class: FailureClass,
}

/// What was to be sent to a topic cannot be written.
pub(crate) fn unwritable(topic: Option<&str>, error: EncodeError) -> Error {
    let text = match topic {
        Some(topic) => format!("topic {topic}: the value cannot be written: {error}"),
        None => format!("the value cannot be written: {error}"),
    };
    let mut send = SendError::new(SendErrorKind::Encode, text);
    if let Some(topic) = topic {
        send = send.of(&topic.into());
    }
    if let Some(source) = error.into_source() {
        send = send.by(source);
    }
    Error::Send(send)
}

/// Whether a retry can mend a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureClass {
    /// The same record may go through later.
    Transient,
    /// Too large, not allowed, no such topic: the same record fails again.
    Permanent,
}

impl Failure {
    /// Nothing was enqueued.
    pub(crate) fn not_connected() -> Self {
        Self { error: Error::NotConnected, class: FailureClass::Transient }
    }

    /// Enqueued, and nobody knows whether a broker has it.
    pub(crate) fn unknown() -> Self {
        Self { error: Error::DeliveryUnknown, class: FailureClass::Transient }
    }

    /// It found no room for so many seconds: nothing of it was sent.
    pub(super) fn queue_full(topic: &Arc<str>, seconds: f64) -> Self {
        let text = format!(
            "topic {topic}: nothing was sent: there was no room for the record within delivery.timeout.ms \
             ({seconds} s): what waits for brokers is already as much as queue.buffering.max.kbytes or \
             queue.buffering.max.messages allow. Is the topic's leader away, or are sends faster than the \
             brokers?"
        );
        Self::of_topic(SendErrorKind::QueueFull, FailureClass::Transient, topic, text)
    }

    /// Nothing was sent; the text says why.
    pub(super) fn of_topic(kind: SendErrorKind, class: FailureClass, topic: &Arc<str>, text: String) -> Self {
        Self { error: Error::Send(SendError::new(kind, text).of(topic)), class }
    }

    /// Brokers let no producer begin.
    pub(super) fn refused(refusal: Refusal, topic: &Arc<str>) -> Self {
        Self::of_topic(refusal.kind, FailureClass::Transient, topic, refusal.text.to_owned())
    }

    pub(crate) fn permanent(text: String) -> Self {
        Self { error: Error::send(text), class: FailureClass::Permanent }
    }

    /// What the client or a broker said of a record for this topic. `create` is the command that makes the
    /// topic.
    pub(crate) fn of(fault: Fault, topic: &Arc<str>, create: impl FnOnce() -> String) -> Self {
        use SendErrorKind::{NotAuthorized, Other, TooLarge, UnknownTopic};
        let (kind, text) = match fault.class {
            Class::InDoubt => return Self::unknown(),
            // Dropped by a client that ends; a retry has to come from another one.
            Class::NotSent => return Self::not_connected(),
            Class::TooLarge | Class::BatchTooLarge => (
                TooLarge,
                format!(
                    "the record is too large: the broker's limit for the topic is `max.message.bytes` (raise \
                     it with `kafka-configs.sh --bootstrap-server … --alter --entity-type topics \
                     --entity-name {topic} --add-config max.message.bytes=…`, or compress what is sent with \
                     NARAD_KAFKA_COMPRESSION_TYPE), the client's NARAD_KAFKA_MESSAGE_MAX_BYTES"
                ),
            ),
            Class::TopicDenied => (
                NotAuthorized,
                "not authorised: the user of this client needs the permissions to describe and to write the \
                 topic"
                    .to_owned(),
            ),
            Class::ClusterDenied => (
                NotAuthorized,
                "not authorised: the user of this client needs the permission IdempotentWrite on the cluster \
                 (brokers before 2.8)"
                    .to_owned(),
            ),
            Class::UnknownTopic => (
                UnknownTopic,
                format!("unknown topic: create it with `{}`, or set NARAD_CREATE_TOPICS=true", create()),
            ),
            Class::UnknownPartition => (Other, "the topic has no such partition".to_owned()),
            Class::InvalidTopic => (UnknownTopic, format!("not a topic's name: {RULE}")),
            Class::InvalidRecord => (
                Other,
                "the broker refused the record as invalid; a compacted topic takes only records with a key"
                    .to_owned(),
            ),
            Class::AgainstRules => (Other, format!("the broker refused the record: {fault}")),
            _ => {
                let text = format!("topic {topic}: the record was not acknowledged: {fault}");
                let error = SendError::new(Other, text).of(topic).by_kept(fault.source());
                return Self { error: Error::Send(error), class: FailureClass::Transient };
            }
        };
        let error = SendError::new(kind, format!("topic {topic}: {text}")).of(topic).by_kept(fault.source());
        Self { error: Error::Send(error), class: FailureClass::Permanent }
    }
}
