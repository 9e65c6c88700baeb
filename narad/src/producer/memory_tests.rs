//! Sends, on the transport in memory: nothing of librdkafka is in them.

use std::sync::Arc;
use std::time::Duration;

use super::{FailureClass, Producer, Settings};
use crate::error::{Error, SendErrorKind};
use crate::transport::{Class, Fault, Memory, Outgoing};

fn producer(memory: &Memory) -> Producer {
    Producer::new(Settings {
        transport: Arc::new(memory.clone()),
        connection_timeout: Duration::from_secs(30),
        ..Settings::of_tests()
    })
}

fn record(topic: &str, payload: &str) -> Outgoing {
    Outgoing { topic: topic.to_owned(), payload: Some(payload.into()), ..Outgoing::default() }
}

#[tokio::test]
async fn a_send_says_where_its_record_is_and_several_keep_their_order() {
    let memory = Memory::default();
    memory.topic("orders", 2);
    let producer = producer(&memory);
    let sent = producer.send(Outgoing { partition: Some(1), ..record("orders", "1") }).await.unwrap();
    assert_eq!((sent.topic(), sent.partition(), sent.offset()), ("orders", Some(1), Some(0)));
    let sent = producer.send_all("orders", ["2", "3"].map(|n| record("orders", n)).into()).await.unwrap();
    assert_eq!(sent.iter().map(|sent| sent.offset()).collect::<Vec<_>>(), [Some(0), Some(1)]);
    producer.disconnect().await.unwrap();
    assert!(matches!(producer.send(record("orders", "4")).await, Err(Error::NotConnected)));
    assert_eq!(memory.records("orders").len(), 3);
}

#[tokio::test]
async fn a_failure_is_judged_by_its_class_whoever_carries_the_records() {
    let memory = Memory::default();
    memory.topic("orders", 1);
    let producer = producer(&memory);
    for (class, permanent) in [(Class::TopicDenied, true), (Class::TooLarge, true), (Class::Passing, false)] {
        memory.deny("orders", Fault::of(class));
        let failure = producer.deliver(record("orders", "1")).await.unwrap_err();
        assert_eq!(failure.class == FailureClass::Permanent, permanent, "{class:?}: {}", failure.error);
    }
    let Err(Error::Send(error)) = producer.send(record("nowhere", "1")).await else {
        panic!("there is no such topic")
    };
    assert_eq!((error.kind(), error.topic()), (SendErrorKind::UnknownTopic, Some("nowhere")));
}
