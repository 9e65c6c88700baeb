//! Why a record was not acknowledged, in words for the person who must act, and whether a retry can mend it.

use std::sync::Arc;

use rdkafka::types::RDKafkaErrorCode as Code;

use crate::error::{Error, SendError, SendErrorKind};

/// Why a record was not acknowledged.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) class: FailureClass,
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

    pub(crate) fn transient(text: String) -> Self {
        Self { error: Error::send(text), class: FailureClass::Transient }
    }

    /// It found no room for so many seconds: nothing of it was sent.
    pub(super) fn queue_full(topic: &Arc<str>, seconds: f64) -> Self {
        let text = format!(
            "topic {topic}: nothing was sent: there was no room for the record within delivery.timeout.ms \
             ({seconds} s), because \
             queue.buffering.max.kbytes wait for brokers already: is the topic's leader away, or are sends faster than the brokers?"
        );
        let error = Error::Send(SendError::new(SendErrorKind::QueueFull, Some(Arc::clone(topic)), text));
        Self { error, class: FailureClass::Transient }
    }

    pub(crate) fn permanent(text: String) -> Self {
        Self { error: Error::send(text), class: FailureClass::Permanent }
    }

    /// What librdkafka or a broker said of a record for this topic. `create` is the command that makes the
    /// topic.
    pub(crate) fn of(code: Code, topic: &str, create: impl FnOnce() -> String) -> Self {
        match code {
            // The last three: librdkafka does not know any more what the broker has.
            Code::MessageTimedOut
            | Code::OutOfOrderSequenceNumber
            | Code::UnknownProducerId
            | Code::Fatal => Self::unknown(),
            Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::MessageBatchTooLarge => {
                Self::permanent(format!(
                    "topic {topic}: the record is too large: the broker's limit for the topic is \
                     `max.message.bytes` (raise it with `kafka-configs.sh \
                 --bootstrap-server … --alter --entity-type topics --entity-name {topic} --add-config \
                  max.message.bytes=…`, or compress what is sent \
                 with NARAD_KAFKA_COMPRESSION_TYPE), the client's NARAD_KAFKA_MESSAGE_MAX_BYTES"
                ))
            }
            Code::TopicAuthorizationFailed => Self::permanent(format!(
                "topic {topic}: not authorised: the user of this client needs the permissions to describe \
                 and to write the topic"
            )),
            Code::ClusterAuthorizationFailed => Self::permanent(format!(
                "topic {topic}: not authorised: the user of this client needs the permission \
                 IdempotentWrite on the cluster (brokers before 2.8)"
            )),
            Code::UnknownTopic | Code::UnknownTopicOrPartition => Self::permanent(format!(
                "topic {topic}: unknown topic: create it with `{}`, or set NARAD_CREATE_TOPICS=true",
                create()
            )),
            Code::UnknownPartition => {
                Self::permanent(format!("topic {topic}: the topic has no such partition"))
            }
            Code::InvalidTopic => Self::permanent(format!(
                "topic {topic}: not a topic's name: 1 to 249 characters of a-z, A-Z, 0-9, `.`, `_`, `-`"
            )),
            Code::InvalidRecord => Self::permanent(format!(
                "topic {topic}: the broker refused the record as invalid; a compacted topic takes only \
                 records with a key"
            )),
            Code::PolicyViolation
            | Code::InvalidTimestamp
            | Code::InvalidRequiredAcks
            | Code::UnsupportedForMessageFormat => {
                Self::permanent(format!("topic {topic}: the broker refused the record: {code}"))
            }
            // Dropped by a client that ends; a retry has to come from another one.
            Code::PurgeQueue => Self::not_connected(),
            Code::PurgeInflight => Self::unknown(),
            code => Self::transient(format!("topic {topic}: the record was not acknowledged: {code}")),
        }
    }
}
