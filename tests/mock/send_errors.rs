//! What a send's error says to a program: its kind, its topic, its place in the call, the error behind it.

use std::collections::BTreeMap;

use narad::{Error, SendError, SendErrorKind, serde_json};
use rdkafka::types::RDKafkaApiKey::Produce;
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::types::RDKafkaRespErr::*;

use crate::application::Done;
use crate::{Application, Mock};

fn start(mock: &Mock, group: &str) -> Application {
    Application::start_with(mock, group, |config| {
        config.create_topics = Some(false);
        config.librdkafka.set("message.max.bytes", "10000").expect("a property");
    })
}

fn send_error(error: Error) -> SendError {
    match error {
        Error::Send(error) => error,
        other => panic!("{other}"),
    }
}

/// One record for a topic, refused for this reason.
fn refused(application: &Application, topic: &str) -> SendError {
    send_error(application.block_on(application.narad.send(topic, 1)).expect_err("it is refused"))
}

/// Which code was behind it.
fn code(error: &SendError) -> Option<Code> {
    error.source()?.downcast_ref().copied()
}

/// A value that JSON has no word for.
fn unwritable() -> BTreeMap<(u8, u8), u8> {
    BTreeMap::from([((1, 2), 3)])
}

#[test]
fn a_record_that_the_broker_finds_too_large_is_too_large() {
    let mock = Mock::start(1);
    let mut application = start(&mock, "e-large");
    application.block_on(application.narad.publish(&Done::of(0))).expect("an acknowledgement");
    mock.fail(Produce, &[RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    let error = refused(&application, "done");
    assert_eq!((error.kind(), error.topic(), error.index()), (SendErrorKind::TooLarge, Some("done"), None));
    assert_eq!(code(&error), Some(Code::MessageSizeTooLarge));
    application.stop().expect("a clean drain");
}

#[test]
fn a_topic_that_may_not_be_written_is_not_authorized() {
    let mock = Mock::start(1);
    mock.break_topic("broken", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    let mut application = start(&mock, "e-denied");
    let error = refused(&application, "broken");
    assert_eq!((error.kind(), error.topic()), (SendErrorKind::NotAuthorized, Some("broken")));
    assert_eq!(code(&error), Some(Code::TopicAuthorizationFailed));
    application.stop().expect("a clean drain");
}

#[test]
fn a_topic_that_is_not_there_is_unknown_and_so_is_one_that_cannot_be() {
    let mock = Mock::start(1);
    mock.break_topic("broken", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    let mut application = start(&mock, "e-unknown");
    for topic in ["broken", "no topic's name"] {
        let error = refused(&application, topic);
        assert_eq!((error.kind(), error.topic()), (SendErrorKind::UnknownTopic, Some(topic)), "{error}");
        assert!(code(&error).is_some());
    }
    application.stop().expect("a clean drain");
}

#[test]
fn what_a_policy_refuses_is_something_else_and_says_what() {
    let mock = Mock::start(1);
    let mut application = start(&mock, "e-policy");
    application.block_on(application.narad.publish(&Done::of(0))).expect("an acknowledgement");
    mock.fail(Produce, &[RD_KAFKA_RESP_ERR_POLICY_VIOLATION]);
    let error = refused(&application, "done");
    assert_eq!((error.kind(), error.topic()), (SendErrorKind::Other, Some("done")));
    assert_eq!(code(&error), Some(Code::PolicyViolation));
    application.stop().expect("a clean drain");
}

#[test]
fn a_value_that_cannot_be_written_says_which_one_and_keeps_what_serde_said() {
    let mock = Mock::start(1);
    let mut application = start(&mock, "e-encode");
    let narad = &application.narad;
    let alone = send_error(application.block_on(narad.send("done", unwritable())).expect_err("no JSON"));
    assert_eq!((alone.kind(), alone.topic(), alone.index()), (SendErrorKind::Encode, Some("done"), None));
    let values = [BTreeMap::new(), unwritable(), unwritable()];
    let several = send_error(application.block_on(narad.send_all("done", values)).expect_err("no JSON"));
    assert_eq!((several.kind(), several.index()), (SendErrorKind::Encode, Some(1)));
    assert!(several.to_string().starts_with("record [1]: topic done: "), "{several}");
    assert!(several.source().is_some_and(|source| source.is::<serde_json::Error>()));
    application.stop().expect("a clean drain");
    assert!(mock.cluster.records("done").is_empty(), "nothing of either call was sent");
}

#[test]
fn each_failed_record_of_a_call_says_its_place_and_the_first_is_the_source_of_all() {
    let mock = Mock::start(1);
    let mut application = start(&mock, "e-place");
    let values = ["x".to_owned(), "x".to_owned(), "x".repeat(20_000)];
    let error =
        application.block_on(application.narad.send_all("done", values)).expect_err("one is too large");
    let Error::SendAll(all) = error else { panic!("{error}") };
    let first = all.source().expect("the first failure").to_string();
    assert!(first.starts_with("record [2]: topic done: the record is too large"), "{first}");
    let places = all.into_outcomes().into_iter().filter_map(Result::err).map(|error| {
        let error = send_error(error);
        (error.kind(), error.index())
    });
    assert_eq!(places.collect::<Vec<_>>(), [(SendErrorKind::TooLarge, Some(2))]);
    let boxed: Box<dyn std::error::Error + Send + Sync> = Box::new(Error::NotConnected);
    assert!(boxed.source().is_none());
    application.stop().expect("a clean drain");
}
