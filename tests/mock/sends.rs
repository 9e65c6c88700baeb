//! Sends to several topics, of which one cannot be sent to, and sends beyond what may wait: a topic holds
//! back its own sends only, and each send ends within its time.

use std::time::Duration;

use narad::{Error, Narad, SendErrorKind, Sending, Sent};
use narad_tests::wait;
use rdkafka::types::RDKafkaRespErr::{self, *};

use crate::application::{Done, assert_kept, record};
use crate::cluster::TOPIC;
use crate::{Application, Mock, work};

/// An application with a room of so many KiB. It makes the topics that it sends to, or would like to.
fn start(mock: &Mock, group: &str, kbytes: u32, delivery_timeout: &str) -> Application {
    Application::start_with(mock, group, |config| {
        config.create_topics = Some(group == "s-create");
        config.librdkafka.set("queue.buffering.max.kbytes", kbytes.to_string()).expect("a property");
        config.librdkafka.set("delivery.timeout.ms", delivery_timeout).expect("a property");
    })
}

/// Waits for a send that must end, however loaded the machine is.
fn end(application: &Application, sending: Sending) -> narad::Result<Sent> {
    let ended = application.block_on(async { tokio::time::timeout(wait::DEADLINE, sending).await });
    ended.expect("a send ends within its time")
}

fn send(narad: &Narad, topic: &str, bytes: usize) -> Sending {
    narad.send(topic, "x".repeat(bytes))
}

/// A topic with an error in all metadata; the others' sends go on while its own wait, and end as they must.
fn holds_back_its_own_only(group: &str, error: RDKafkaRespErr, text: &str) {
    let mock = Mock::start(1);
    mock.break_topic("broken", error);
    let mut application = start(&mock, group, 32 << 10, "4000");
    let broken: Vec<_> = (0..3).map(|_| send(&application.narad, "broken", 10)).collect();
    for seq in 0..20 {
        end(&application, application.narad.publish(&Done::of(seq))).expect("an acknowledgement");
    }
    for sending in broken {
        let error = end(&application, sending).expect_err("nothing can be sent to it");
        assert!(matches!(error, Error::Send(_)) && error.to_string().contains(text), "{error}");
    }
    application.stop().expect("a clean drain");
    assert_eq!(mock.cluster.records("done").len(), 20);
}

#[test]
fn a_topic_that_cannot_be_created_holds_back_its_own_sends_only_and_they_end() {
    holds_back_its_own_only(
        "s-create",
        RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
        "topic broken: nothing was sent within delivery.timeout.ms",
    );
}

#[test]
fn a_topic_that_is_denied_holds_back_its_own_sends_only_and_they_end() {
    holds_back_its_own_only(
        "s-denied",
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        "topic broken: not authorised",
    );
}

#[test]
fn a_topic_without_a_leader_holds_back_its_own_sends_only() {
    let mock = Mock::start(1);
    mock.create_topic("broken", 1);
    mock.lead("broken", None);
    let mut application = start(&mock, "s-leader", 1 << 10, "300000");
    // Twice of what may wait.
    let broken: Vec<_> =
        (0..20).map(|_| application.spawn(send(&application.narad, "broken", 100_000))).collect();
    for seq in 0..50 {
        end(&application, application.narad.publish(&Done::of(seq))).expect("an acknowledgement");
    }
    assert!(broken.iter().all(|sending| !sending.is_finished()));
    mock.lead("broken", Some(1));
    let offsets = broken.into_iter().map(|sending| {
        let sent = application.block_on(async { tokio::time::timeout(wait::DEADLINE, sending).await });
        sent.expect("an end").expect("no panic").expect("an acknowledgement").offset().expect("an offset")
    });
    assert_eq!(offsets.collect::<Vec<_>>(), (0..20).collect::<Vec<i64>>(), "in the order of the calls");
    application.stop().expect("a clean drain");
    assert_eq!(mock.cluster.records("done").len(), 50);
}

#[test]
fn above_the_room_a_send_enters_when_it_is_polled_and_a_dropped_one_has_sent_nothing() {
    let mock = Mock::start(1);
    let broken = "s-room-broken";
    mock.create_topic(broken, 1);
    mock.lead(broken, None);
    let mut application = start(&mock, "s-room", 1 << 10, "300000");
    // Ten make it full.
    for _ in 0..10 {
        drop(send(&application.narad, broken, 100_000));
    }
    for _ in 0..5 {
        drop(send(&application.narad, broken, 80_000));
    }
    let (first, second) = (send(&application.narad, broken, 80_001), send(&application.narad, broken, 10));
    application.await_line("sends were dropped before there was room for them");
    mock.lead(broken, Some(1));
    let (first, second) = application.block_on(async {
        let both = async { tokio::join!(first, second) };
        tokio::time::timeout(wait::DEADLINE, both).await.expect("an end")
    });
    let [first, second] = [first, second].map(|sent| sent.expect("an acknowledgement").offset());
    assert_eq!((first, second), (Some(10), Some(11)));
    application.stop().expect("a clean drain");
    let sizes: Vec<_> = mock
        .cluster
        .records(broken)
        .iter()
        .map(|record| record.value.as_deref().map_or(0, <[u8]>::len))
        .collect();
    assert_eq!((sizes.len(), sizes.iter().filter(|size| **size == 80_002).count()), (12, 0), "{sizes:?}");
}

#[test]
fn a_dead_letter_does_not_wait_behind_a_send_that_nobody_polls() {
    let group = "s-unpolled";
    let mock = Mock::start(1);
    let dead = format!("{TOPIC}.{group}.dlq");
    mock.create_topic(&dead, 1);
    mock.lead(&dead, None);
    let mut application = start(&mock, group, 1 << 10, "300000");
    // Ten make it full; the application keeps the future of the next one, and never polls it.
    let entered: Vec<_> = (0..10).map(|_| send(&application.narad, &dead, 100_000)).collect();
    let unpolled = send(&application.narad, &dead, 80_000);
    mock.cluster.write(TOPIC, [record("user-9", 0, "failure")]);
    application.await_attempts(3);
    mock.lead(&dead, Some(1));
    wait::until("the dead letter is there", || mock.cluster.records(&dead).len() == 11);
    application.await_committed(&mock, 1);
    drop((entered, unpolled));
    application.stop().expect("a clean drain");
    assert_kept(&mock, &application.ledger);
}

#[test]
fn what_finds_no_room_in_its_time_is_told_so() {
    let mock = Mock::start(1);
    mock.create_topic("broken", 1);
    mock.lead("broken", None);
    let mut application = start(&mock, "s-full", 1 << 10, "3000");
    let entered: Vec<_> = (0..10).map(|_| send(&application.narad, "broken", 100_000)).collect();
    // Nobody polls the first of these before its time is over, and the others are behind it.
    let outside: Vec<_> = (0..3).map(|_| send(&application.narad, "broken", 80_000)).collect();
    std::thread::sleep(Duration::from_millis(3_100));
    for sending in outside {
        let error = end(&application, sending).expect_err("no room");
        let Error::Send(error) = error else { panic!("{error}") };
        assert_eq!((error.kind(), error.topic()), (SendErrorKind::QueueFull, Some("broken")), "{error}");
    }
    for sending in entered {
        let error = end(&application, sending).expect_err("no leader");
        assert!(matches!(error, Error::DeliveryUnknown | Error::Send(_)), "{error}");
    }
    assert!(application.narad.is_connected(), "a broker answers");
    application.stop().expect("a clean drain");
}

#[test]
fn returned_events_of_a_broken_topic_hold_back_neither_dead_letters_nor_other_sends() {
    let group = "s-returned";
    let mock = Mock::start(1);
    mock.create_topic("others", 1);
    mock.lead("done", None);
    let large = (0..8).map(|key| record(&format!("large-{key}"), 0, "large"));
    mock.cluster.write(TOPIC, large.chain([record("user-9", 0, "failure")]).chain(work(0..4, 5, "nothing")));
    // Two events of half a megabyte fill it.
    let mut application = start(&mock, group, 1 << 10, "300000");
    application.await_attempts(8 + 3 + 20);
    wait::until("the dead letter is there", || {
        mock.cluster.records(&format!("{TOPIC}.{group}.dlq")).len() == 1
    });
    end(&application, send(&application.narad, "others", 10)).expect("an acknowledgement");
    wait::until("health says that the events wait", || application.narad.health().blocked() == 8);
    mock.lead("done", Some(1));
    application.await_committed(&mock, 29);
    application.stop().expect("a clean drain");
    assert_kept(&mock, &application.ledger);
    assert_eq!(mock.cluster.records("done").len(), 8);
}
