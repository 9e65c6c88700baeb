//! The codes of librdkafka and of brokers, each classified in this one place.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rdkafka::types::RDKafkaErrorCode as Code;

use crate::transport::{Class, Fault};

impl From<Code> for Fault {
    fn from(code: Code) -> Self {
        // Codes above zero are a broker's own.
        let (text, code_kept) = kept(code);
        Self::new(class(code), code as i32 > 0, text).by(code_kept)
    }
}

fn class(code: Code) -> Class {
    match code {
        // But for the first and the last: librdkafka does not know any more what the broker has.
        Code::MessageTimedOut
        | Code::OutOfOrderSequenceNumber
        | Code::UnknownProducerId
        | Code::Fatal
        | Code::PurgeInflight => Class::InDoubt,
        Code::PurgeQueue => Class::NotSent,
        Code::MessageSizeTooLarge => Class::TooLarge,
        Code::InvalidMessageSize | Code::MessageBatchTooLarge => Class::BatchTooLarge,
        Code::InvalidRecord => Class::InvalidRecord,
        Code::PolicyViolation
        | Code::InvalidTimestamp
        | Code::InvalidRequiredAcks
        | Code::UnsupportedForMessageFormat => Class::AgainstRules,
        Code::TopicAuthorizationFailed => Class::TopicDenied,
        Code::ClusterAuthorizationFailed => Class::ClusterDenied,
        Code::GroupAuthorizationFailed => Class::GroupDenied,
        Code::UnknownTopic | Code::UnknownTopicOrPartition => Class::UnknownTopic,
        Code::UnknownPartition => Class::UnknownPartition,
        Code::InvalidTopic => Class::InvalidTopic,
        Code::LeaderNotAvailable | Code::ReplicaNotAvailable => Class::NoLeader,
        Code::UnsupportedFeature => Class::Unsupported,
        Code::RebalanceInProgress => Class::Rebalancing,
        Code::IllegalGeneration => Class::OldGeneration,
        Code::UnknownMemberId | Code::FencedMemberEpoch => Class::NotMember,
        Code::StaleMemberEpoch => Class::StaleEpoch,
        Code::NotCoordinator
        | Code::CoordinatorLoadInProgress
        | Code::CoordinatorNotAvailable
        | Code::RequestTimedOut
        | Code::OperationTimedOut
        | Code::BrokerTransportFailure
        | Code::WaitingForCoordinator => Class::Passing,
        Code::OffsetMetadataTooLarge => Class::NoteTooLarge,
        Code::InvalidCommitOffsetSize => Class::CommitTooLarge,
        Code::FencedInstanceId | Code::UnreleasedInstanceId => Class::InstanceTaken,
        Code::InvalidSessionTimeout => Class::SessionTimeout,
        Code::InconsistentGroupProtocol => Class::GroupProtocol,
        Code::GroupMaxSizeReached => Class::GroupFull,
        Code::InvalidGroupId => Class::InvalidGroup,
        Code::UnsupportedAssignor => Class::UnsupportedAssignor,
        Code::AutoOffsetReset => Class::LogChanged,
        // The checksum is wrong; it cannot be unpacked; it is of a format of the future; the broker itself
        // finds its checksum wrong.
        Code::BadMessage | Code::BadCompression | Code::NotImplemented | Code::InvalidMessage => {
            Class::BrokenBatch
        }
        Code::Unknown => Class::Unknown,
        _ => Class::Other,
    }
}

/// What librdkafka says of a code, and the code; kept, of each that comes, for as long as the process lives.
fn kept(code: Code) -> (&'static str, &'static Code) {
    static KEPT: Mutex<BTreeMap<i32, (&'static str, &'static Code)>> = Mutex::new(BTreeMap::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    *kept.entry(code as i32).or_insert_with(|| (code.to_string().leak(), Box::leak(Box::new(code))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_the_words_of_librdkafka_and_says_whether_a_broker_spoke() {
        let fault = Fault::from(Code::TopicAuthorizationFailed);
        assert_eq!(fault.to_string(), Code::TopicAuthorizationFailed.to_string());
        assert!(fault.of_broker && fault.is_refusal());
        let source = fault.source().and_then(|source| source.downcast_ref::<Code>());
        assert_eq!(source, Some(&Code::TopicAuthorizationFailed));
        let local = Fault::from(Code::BrokerTransportFailure);
        assert!(!local.of_broker && !local.is_refusal());
        // Below zero, and a broker's.
        assert!(Fault::from(Code::Unknown).is_refusal() && !Fault::from(Code::Unknown).of_broker);
        assert_eq!(Fault::from(Code::Fenced).class, Class::Other);
    }
}
