//! What a broker says of a topic that is sent to: asked before the first send, and the topic made where that
//! is allowed.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::client::{Client, ClientContext};
use rdkafka::types::RDKafkaErrorCode as Code;

use super::{Failure, FailureClass, Settings};
use crate::error::SendErrorKind;
use crate::transport::admin::{self, Admin, NewTopic, Refused};

/// A broker has so long to say what it knows of a topic.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a broker says of a topic.
pub(super) enum Answer {
    /// It is there.
    Known,
    /// No answer, for this reason: asked again.
    Unanswered(String),
    /// Nothing can be sent to it.
    Refused(Box<dyn Fn() -> Failure>),
}

/// Asks a broker for the topic, and makes it where that is allowed. Blocks. `again`: nobody
/// could tell before, which was said.
pub(super) fn check<C: ClientContext>(
    client: &Client<C>,
    settings: &Settings,
    topic: &Arc<str>,
    again: bool,
) -> Answer {
    let of = |code| {
        let (topic, brokers) = (Arc::clone(topic), settings.brokers.clone());
        Answer::Refused(Box::new(move || {
            Failure::of(code, &topic, || admin::create_command(&brokers, &NewTopic::named(&topic)))
        }))
    };
    if !narad_syntax::topic::is_name(topic) {
        return of(Code::InvalidTopic);
    }
    let metadata = match client.fetch_metadata(Some(topic), PATIENCE) {
        Ok(metadata) => metadata,
        Err(error) => {
            return Answer::Unanswered(format!("no broker says what it knows of the topic: {error}"));
        }
    };
    let shown = metadata.topics().iter().find(|shown| shown.name() == &**topic);
    match shown.map_or(Some(Code::UnknownTopicOrPartition), |shown| shown.error().map(Code::from)) {
        None | Some(Code::LeaderNotAvailable | Code::ReplicaNotAvailable) => {
            // It may be a new one. Where a leader is away for longer, librdkafka waits for it, and the other
            // partitions go on.
            if !shown.is_some_and(|shown| admin::leaders_answer(client, shown, PATIENCE)) {
                admin::await_leaders(client, topic, PATIENCE);
            }
            Answer::Known
        }
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic)
            if settings.create_topics || settings.embedded =>
        {
            create(client, settings, topic, again)
        }
        Some(code) => of(code),
    }
}

fn create<C: ClientContext>(
    client: &Client<C>,
    settings: &Settings,
    topic: &Arc<str>,
    again: bool,
) -> Answer {
    if settings.embedded {
        if let Err(error) = crate::transport::embedded::create_topic(topic) {
            return uncreated(topic, error.to_string(), FailureClass::Permanent);
        }
    } else {
        match Admin::open(&settings.client).and_then(|admin| admin.request(&[NewTopic::named(topic)])) {
            Ok(refused) if refused.is_empty() => {}
            Ok(refused) => {
                let text = format!(
                    "topic {topic}: it does not exist and cannot be created: {}",
                    Refused::list(&refused)
                );
                let mendable = refused.iter().all(Refused::is_mendable);
                let class = if mendable { FailureClass::Transient } else { FailureClass::Permanent };
                return uncreated(topic, text, class);
            }
            Err(error) => {
                if !again {
                    tracing::warn!(target: "narad", %topic, %error, "the topic does not exist and cannot be \
                     created yet");
                }
                return Answer::Unanswered(format!(
                    "the topic does not exist and cannot be created yet: {error}"
                ));
            }
        }
        tracing::info!(target: "narad", %topic, "topic created");
    }
    if admin::await_leaders(client, topic, PATIENCE) {
        Answer::Known
    } else {
        Answer::Unanswered(
            "the topic was created, and no broker answers for all of its partitions yet".to_owned(),
        )
    }
}

/// It does not exist and was not created.
fn uncreated(topic: &Arc<str>, text: String, class: FailureClass) -> Answer {
    let topic = Arc::clone(topic);
    let kind = SendErrorKind::UnknownTopic;
    Answer::Refused(Box::new(move || Failure::of_topic(kind, class, &topic, text.clone())))
}
