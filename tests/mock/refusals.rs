//! A producer that the brokers refuse from birth: it says so, asks again with pauses, and goes on by itself
//! once it may.

use std::time::Duration;

use narad::{Error, SendErrorKind};
use rdkafka::types::RDKafkaApiKey::InitProducerId;
use rdkafka::types::RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED as DENIED;

use crate::application::{Done, assert_kept, record};
use crate::cluster::TOPIC;
use crate::{Application, Mock, logs, wait, work};

/// The lines that say that the producer cannot work.
fn said(mock: &Mock) -> Vec<String> {
    logs::complaints_with(&mock.cluster.brokers)
        .into_iter()
        .filter(|line| line.contains("producer"))
        .collect()
}

#[test]
fn a_producer_that_may_not_write_says_so_once_and_its_sends_say_why() {
    let mock = Mock::start(1);
    mock.fail(InitProducerId, &[DENIED; 1_000]);
    let mut application = Application::start(&mock, "refused");
    for _ in 0..20 {
        let sent = application.block_on(application.narad.publish(&Done::of(0))).expect_err("it may not");
        let text = sent.to_string();
        assert!(
            matches!(&sent, Error::Send(error) if error.kind() == SendErrorKind::NotAuthorized)
                && text.contains("IdempotentWrite")
                && text.contains("2.8"),
            "{sent:?}: {:?}",
            logs::with(&mock.cluster.brokers)
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(application.narad.is_connected(), "a broker answers");
    assert_eq!(said(&mock).len(), 1, "{:?}", said(&mock));
    mock.heal(InitProducerId);
    wait::until("a send goes through", || {
        application.block_on(application.narad.publish(&Done::of(1))).is_ok()
    });
    application.stop().expect("a clean drain");
    assert_eq!(mock.cluster.records("done").len(), 1);
}

#[test]
fn dead_letters_and_returned_events_wait_for_a_producer_that_may_write() {
    let group = "refused-waiting";
    let mock = Mock::start(1);
    mock.cluster.write(
        TOPIC,
        [record("user-8", 0, "event"), record("user-9", 0, "failure")].into_iter().chain(work(
            0..4,
            5,
            "nothing",
        )),
    );
    mock.fail(InitProducerId, &[DENIED; 1_000]);
    let mut application = Application::start(&mock, group);
    application.await_attempts(24);
    wait::until("health says that two records are blocked", || application.narad.health().blocked() == 2);
    for what in ["the dead letter cannot be written", "a returned event cannot be published"] {
        let lines: Vec<_> = application.complaints().into_iter().filter(|line| line.contains(what)).collect();
        assert!(lines.len() == 1 && lines[0].contains("IdempotentWrite"), "{lines:?}");
    }
    mock.heal(InitProducerId);
    application.await_committed(&mock, 22);
    application.stop().expect("a clean drain");
    assert_kept(&mock, &application.ledger);
    assert_eq!(mock.cluster.records("done").len(), 1, "the event");
    assert_eq!(mock.cluster.records(&format!("{TOPIC}.{group}.dlq")).len(), 1, "the dead letter");
}

#[test]
fn a_stop_does_not_wait_for_a_producer_that_may_write() {
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, [record("user-9", 0, "failure")]);
    mock.fail(InitProducerId, &[DENIED; 1_000]);
    let mut application = Application::start(&mock, "refused-stop");
    wait::until("health says that a record is blocked", || application.narad.health().blocked() == 1);
    application.stop().expect("a clean drain");
    assert_eq!(
        mock.committed("refused-stop").iter().map(|(_, committed)| committed).sum::<i64>(),
        0,
        "it stays where it was read"
    );
}
