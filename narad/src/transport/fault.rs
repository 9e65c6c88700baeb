//! Why Kafka, or a client of it, does not do something: by class, and in words.

use std::fmt;

/// Why something cannot be done. The class says what is to be made of it, the text what people read.
#[derive(Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) class: Class,
    /// A broker has said it: one is there, and answers.
    pub(crate) of_broker: bool,
    text: &'static str,
    source: Option<Source>,
}

/// The client's own error, for users who ask for it.
pub(crate) type Source = &'static (dyn std::error::Error + Send + Sync);

impl PartialEq for Fault {
    fn eq(&self, other: &Self) -> bool {
        (self.class, self.of_broker, self.text) == (other.class, other.of_broker, other.text)
    }
}

impl Eq for Fault {}

/// What a fault means to whoever meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Nobody knows what the broker has of what was sent: no answer in time, or the client has lost count.
    InDoubt,
    /// Thrown away by its client before it was sent.
    NotSent,
    /// The record is too large: for the client, for the broker, or to be fetched.
    TooLarge,
    /// A request or a batch is too large.
    BatchTooLarge,
    /// The broker does not take the record.
    InvalidRecord,
    /// Something of the record breaks a rule of the broker's.
    AgainstRules,
    /// The user may not do this with the topic.
    TopicDenied,
    /// The user may not do this with the cluster.
    ClusterDenied,
    /// The user may not do this with the group.
    GroupDenied,
    UnknownTopic,
    UnknownPartition,
    /// No topic can have the name.
    InvalidTopic,
    /// The topic is there, and no broker leads it for the moment.
    NoLeader,
    /// The brokers do not have what is asked for.
    Unsupported,
    /// The group is being rebalanced.
    Rebalancing,
    /// The group is in a later generation than the member is.
    OldGeneration,
    /// The group does not know the member, or no longer.
    NotMember,
    /// The member has a later epoch by now (KIP-848).
    StaleEpoch,
    /// The coordinator is not there, is not known, or did not answer: soon, it may.
    Passing,
    /// The note beside a committed offset is too large.
    NoteTooLarge,
    /// The commits of one request are too large together.
    CommitTooLarge,
    /// Another process is this static member.
    InstanceTaken,
    SessionTimeout,
    /// The members of the group have no way in common to share it out.
    GroupProtocol,
    GroupFull,
    InvalidGroup,
    UnsupportedAssignor,
    /// The log is not the one that was read, or has not the offset: it is read no further.
    LogChanged,
    /// A batch cannot be read.
    BrokenBatch,
    /// A broker that does not know itself.
    Unknown,
    /// Anything else: the text says what.
    Other,
}

impl Fault {
    pub(crate) fn new(class: Class, of_broker: bool, text: &'static str) -> Self {
        Self { class, of_broker, text, source: None }
    }

    /// With the client's own error behind it.
    pub(crate) fn by(self, source: Source) -> Self {
        Self { source: Some(source), ..self }
    }

    /// The client's own error, where there is one.
    pub(crate) fn source(self) -> Option<Source> {
        self.source
    }

    /// No answer in time.
    pub(crate) fn timed_out() -> Self {
        Self::new(Class::Passing, false, "no answer in time")
    }

    /// Whether a broker refuses what is asked: asked again, it says the same.
    pub(crate) fn is_refusal(self) -> bool {
        self.of_broker || self.class == Class::Unknown
    }
}

#[cfg(test)]
impl Fault {
    /// Of a broker.
    pub(crate) fn of(class: Class) -> Self {
        Self::new(class, true, "a fault of a test")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({})", self.class, self.text)
    }
}
