//! What a broker says of a topic that is sent to: asked before the first send, and the topic made where that
//! is allowed.

use std::sync::Arc;
use std::time::Duration;

use super::core::Client;
use super::failure::{Failure, FailureClass};
use super::settings::Settings;
use crate::error::SendErrorKind;
use crate::transport::admin::{self, NewTopic, Refused};
use crate::transport::{Class, Seen};

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
pub(super) fn check(client: &Client, settings: &Settings, topic: &Arc<str>, again: bool) -> Answer {
    let of = |fault| {
        let (topic, brokers) = (Arc::clone(topic), settings.brokers.clone());
        Answer::Refused(Box::new(move || {
            Failure::of(fault, &topic, || admin::create_command(&brokers, &NewTopic::named(&topic)))
        }))
    };
    match client.look(topic, PATIENCE) {
        Ok(Seen::There) => Answer::Known,
        Ok(Seen::Not(fault))
            if fault.class == Class::UnknownTopic && (settings.create_topics || settings.embedded) =>
        {
            create(client, settings, topic, again)
        }
        Ok(Seen::Not(fault)) => of(fault),
        Err(error) => Answer::Unanswered(format!("no broker says what it knows of the topic: {error}")),
    }
}

fn create(client: &Client, settings: &Settings, topic: &Arc<str>, again: bool) -> Answer {
    if settings.embedded {
        if let Err(error) = settings.transport.create_embedded(topic) {
            return uncreated(topic, error.to_string(), FailureClass::Permanent);
        }
    } else {
        match settings.transport.create(&settings.client, &NewTopic::named(topic)) {
            Ok(refused) if refused.is_empty() => {}
            Ok(refused) => {
                let text = format!(
                    "topic {topic}: it does not exist and cannot be created: {}",
                    Refused::list(&refused)
                );
                let mendable = refused.iter().all(|refused| refused.mendable);
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
    if client.await_leaders(topic, PATIENCE) {
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
