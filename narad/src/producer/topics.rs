//! The topics that are being sent to: asked about once each, made where that is allowed.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rdkafka::client::{Client, ClientContext};
use rdkafka::types::RDKafkaErrorCode as Code;

use super::{Failure, Settings};
use crate::transport::admin::{self, Admin, NewTopic, Refused};

/// A broker has so long to say what it knows of a topic.
const PATIENCE: Duration = Duration::from_secs(2);

/// The topics of which a broker said that they are there.
#[derive(Debug, Default)]
pub(super) struct Topics(RwLock<HashSet<Arc<str>>>);

/// What a broker says of a topic.
pub(super) enum Answer {
    /// It is there.
    Known,
    /// No answer: asked again once a broker is there.
    Unanswered,
    /// Nothing can be sent to it.
    Refused(Box<dyn Fn() -> Failure>),
}

impl Topics {
    pub(super) fn knows(&self, topic: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(topic)
    }

    /// Asks again before the next send.
    pub(super) fn forget(&self, topic: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(topic);
    }

    /// Asks a broker for the topic, and makes it where that is allowed. Blocks.
    pub(super) fn check<C: ClientContext>(&self, client: &Client<C>, settings: &Settings, topic: &Arc<str>) -> Answer {
        let of = |code| {
            let (topic, brokers) = (Arc::clone(topic), settings.brokers.clone());
            Answer::Refused(Box::new(move || Failure::of(code, &topic, || admin::create_command(&brokers, &NewTopic::named(&topic)))))
        };
        if !admin::is_topic_name(topic) {
            return of(Code::InvalidTopic);
        }
        let Ok(metadata) = client.fetch_metadata(Some(topic), PATIENCE) else { return Answer::Unanswered };
        let shown = metadata.topics().iter().find(|shown| shown.name() == &**topic);
        let answer = match shown.map_or(Some(Code::UnknownTopicOrPartition), |shown| shown.error().map(Code::from)) {
            None | Some(Code::LeaderNotAvailable | Code::ReplicaNotAvailable) => {
                // It may be a new one. Where a leader is away for longer, librdkafka waits for it, and the other partitions go on.
                if !shown.is_some_and(|shown| admin::leaders_answer(client, shown, PATIENCE)) {
                    admin::await_leaders(client, topic, PATIENCE);
                }
                Answer::Known
            }
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) if settings.create_topics || settings.embedded => {
                create(client, settings, topic)
            }
            Some(code) => of(code),
        };
        if matches!(answer, Answer::Known) {
            self.0.write().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(topic));
        }
        answer
    }
}

fn create<C: ClientContext>(client: &Client<C>, settings: &Settings, topic: &Arc<str>) -> Answer {
    if settings.embedded {
        if let Err(error) = crate::transport::embedded::create_topic(topic) {
            let text = error.to_string();
            return Answer::Refused(Box::new(move || Failure::permanent(text.clone())));
        }
    } else {
        match Admin::open(&settings.client).and_then(|admin| admin.request(&[NewTopic::named(topic)])) {
            Ok(refused) if refused.is_empty() => {}
            Ok(refused) => {
                let text = format!("topic {topic}: it does not exist and cannot be created: {}", Refused::list(&refused));
                let mendable = refused.iter().all(Refused::is_mendable);
                return Answer::Refused(Box::new(move || {
                    if mendable { Failure::transient(text.clone()) } else { Failure::permanent(text.clone()) }
                }));
            }
            Err(error) => {
                tracing::warn!(target: "narad", %topic, %error, "the topic does not exist and cannot be created yet");
                return Answer::Unanswered;
            }
        }
        tracing::info!(target: "narad", %topic, "topic created");
    }
    if admin::await_leaders(client, topic, PATIENCE) { Answer::Known } else { Answer::Unanswered }
}
