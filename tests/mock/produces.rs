//! What a broker answers to a write. Dead letters wait until they are taken; returned events and the
//! application's own sends are refused at once where no retry mends it.

use std::collections::BTreeSet;
use std::time::Duration;

use narad::Error;
use rdkafka::types::RDKafkaApiKey::Produce;
use rdkafka::types::RDKafkaRespErr::{self, *};

use crate::application::{Done, assert_kept, record};
use crate::cluster::TOPIC;
use crate::commits_seen::Commits;
use crate::{Application, Mock, wait, work};

/// One failing record among others, whose dead letter is refused for a while.
fn writes_the_dead_letter_after(group: &str, errors: &[RDKafkaRespErr]) -> Application {
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, [record("user-9", 0, "failure")].into_iter().chain(work(0..4, 5, "nothing")));
    mock.cluster.write(TOPIC, [record("user-9", 1, "nothing")]);
    mock.fail(Produce, errors);
    let mut application = Application::start(&mock, group);
    let commits = Commits::watch(&mock, &application);
    application.await_committed(&mock, 22);
    application.stop().expect("a clean drain");
    commits.assert_sound();
    assert_kept(&mock, &application.ledger);
    let dead = mock.cluster.records(&format!("{TOPIC}.{group}.dlq"));
    assert_eq!(
        dead.iter().map(|record| record.header("narad-dlq-attempts")).collect::<Vec<_>>(),
        ["3"],
        "one dead letter"
    );
    assert!(application.narad.health().blocked() == 0);
    application
}

#[test]
fn a_dead_letter_waits_for_enough_replicas() {
    writes_the_dead_letter_after("m5-replicas", &[RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 3]);
}

#[test]
fn a_dead_letter_waits_for_a_slow_broker() {
    writes_the_dead_letter_after("m5-slow", &[RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT; 3]);
}

#[test]
fn a_dead_letter_that_is_too_large_is_tried_again() {
    let application = writes_the_dead_letter_after("m5-large", &[RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE; 2]);
    assert!(application.complaints().iter().any(|line| line.contains("too large")));
}

#[test]
fn a_dead_letter_that_may_not_be_written_is_tried_again() {
    let application =
        writes_the_dead_letter_after("m5-denied", &[RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 2]);
    assert!(application.complaints().iter().any(|line| line.contains("not authorised")));
}

#[test]
fn a_dead_letter_outlives_a_producer_that_lost_its_sequence() {
    let application =
        writes_the_dead_letter_after("m5-sequence", &[RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER]);
    assert!(application.complaints().iter().any(|line| line.contains("the dead letter cannot be written")));
}

#[test]
fn a_dead_letter_that_nobody_takes_holds_back_its_key_only_and_health_says_so() {
    let group = "m5-blocked";
    let mock = Mock::start(1);
    mock.cluster.write(
        TOPIC,
        [record("user-9", 0, "failure"), record("user-9", 1, "nothing")].into_iter().chain(work(
            0..4,
            5,
            "nothing",
        )),
    );
    mock.fail(Produce, &[RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE; 1_000]);
    let mut application = Application::start(&mock, group);
    // Three attempts at the failing record, the others' twenty.
    application.await_attempts(23);
    wait::until("health says that a record is blocked", || application.narad.health().blocked() == 1);
    assert!(
        application
            .ledger
            .attempts()
            .iter()
            .all(|attempt| (attempt.key.as_str(), attempt.seq) != ("user-9", 1)),
        "its key waits"
    );
    mock.heal(Produce);
    application.await_committed(&mock, 22);
    wait::until("health says that none is", || application.narad.health().blocked() == 0);
    application.stop().expect("a clean drain");
    assert_kept(&mock, &application.ledger);
    assert_eq!(mock.cluster.records(&format!("{TOPIC}.{group}.dlq")).len(), 1);
}

/// A record whose handler returns an event that no retry gets through.
fn dead_letters_the_record_after(group: &str, error: RDKafkaRespErr) {
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, [record("user-1", 0, "event")]);
    mock.fail(Produce, &[error]);
    let mut application = Application::start(&mock, group);
    application.await_committed(&mock, 1);
    application.stop().expect("a clean drain");
    assert_eq!(application.ledger.attempts().len(), 1, "the handler does not run again");
    assert!(mock.cluster.records("done").is_empty());
    let dead = mock.cluster.records(&format!("{TOPIC}.{group}.dlq"));
    assert_eq!(dead.iter().map(|record| record.header("narad-dlq-attempts")).collect::<Vec<_>>(), ["1"]);
}

#[test]
fn a_returned_event_that_is_too_large_dead_letters_its_record_at_once() {
    dead_letters_the_record_after("m5-event-large", RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
}

#[test]
fn a_returned_event_that_may_not_be_written_dead_letters_its_record_at_once() {
    dead_letters_the_record_after("m5-event-denied", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
}

/// A record whose handler returns an event that gets through later: the handler does not run again.
fn publishes_the_event_after(group: &str, errors: &[RDKafkaRespErr]) {
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, [record("user-1", 0, "event"), record("user-1", 1, "nothing")]);
    mock.fail(Produce, errors);
    let mut application = Application::start(&mock, group);
    application.await_committed(&mock, 2);
    application.stop().expect("a clean drain");
    assert_kept(&mock, &application.ledger);
    assert_eq!(mock.cluster.records("done").len(), 1);
}

#[test]
fn a_returned_event_waits_for_enough_replicas() {
    publishes_the_event_after("m5-event-replicas", &[RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 3]);
}

#[test]
fn a_returned_event_outlives_a_producer_that_lost_its_sequence() {
    publishes_the_event_after("m5-event-sequence", &[RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER]);
}

#[test]
fn the_applications_own_sends_are_told_what_became_of_them() {
    let group = "m5-publish";
    let mock = Mock::start(1);
    let mut application = Application::start(&mock, group);
    let publish = |errors: &[RDKafkaRespErr]| {
        mock.fail(Produce, errors);
        application.block_on(application.narad.publish(&Done::of(0)))
    };
    publish(&[]).expect("an acknowledgement");
    publish(&[RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 2]).expect("an acknowledgement");
    publish(&[RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT; 2]).expect("an acknowledgement");
    let unknown = publish(&[RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER])
        .expect_err("nobody knows whether it is there");
    assert!(matches!(unknown, Error::DeliveryUnknown), "{unknown}");
    publish(&[]).expect("the next one is taken");
    let refused =
        publish(&[RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]).expect_err("no retry mends it").to_string();
    assert!(refused.contains("too large"), "{refused}");
    let refused =
        publish(&[RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]).expect_err("no retry mends it").to_string();
    assert!(refused.contains("not authorised"), "{refused}");
    application.stop().expect("a clean drain");
    assert_eq!(mock.cluster.records("done").len(), 4);
}

/// The returned events that are in their topic.
fn written(mock: &Mock) -> BTreeSet<u64> {
    let seq = |value: &[u8]| {
        narad::serde_json::from_slice::<narad::serde_json::Value>(value).expect("JSON")["data"]["seq"]
            .as_u64()
    };
    mock.cluster
        .records("done")
        .iter()
        .map(|record| record.value.as_deref().and_then(seq).expect("an event"))
        .collect()
}

/// A leader that has only begun refuses a partition's first request, and takes the second, which is on its
/// way by then. librdkafka reports both as written.
#[test]
fn a_first_record_that_the_leader_refused_is_not_reported_as_written() {
    let mock = Mock::start(1);
    let mut application = Application::start_with(&mock, "m5-first", |config| {
        config.librdkafka.set("batch.num.messages", "1").expect("a property");
    });
    mock.delay(1, Duration::from_millis(100));
    mock.fail(Produce, &[RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION]);
    let [first, second] = [0, 1].map(|seq| application.narad.publish(&Done::of(seq)));
    let sent = application.block_on(async { [first.await, second.await] });
    application.stop().expect("a clean drain");
    let written = written(&mock);
    for (seq, outcome) in (0..).zip(&sent) {
        assert!(
            outcome.is_err() || written.contains(&seq),
            "record {seq}: {outcome:?}, written: {written:?}"
        );
    }
    assert!(matches!(sent, [Err(Error::DeliveryUnknown), Ok(_)]), "{sent:?}");
}

/// As above, for what Narad itself writes: it does so until it knows.
#[test]
fn a_first_returned_event_that_the_leader_refused_is_written_again() {
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, (0..20).map(|seq| record(&format!("user-{seq}"), seq, "event")));
    mock.delay(1, Duration::from_millis(50));
    mock.fail(Produce, &[RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION]);
    let mut application = Application::start_with(&mock, "m5-first-event", |config| {
        config.librdkafka.set("batch.num.messages", "1").expect("a property");
    });
    application.await_committed(&mock, 20);
    application.stop().expect("a clean drain");
    assert_kept(&mock, &application.ledger);
    assert_eq!(written(&mock), (0..20).collect(), "each event is there");
}

/// Events whose topic's leader says nothing wait, and take no place of those that return none.
#[test]
fn returned_events_that_wait_hold_back_their_keys_only_and_health_says_so() {
    let mock = Mock::start(2);
    mock.lead_done(2);
    let group = "m5-waiting";
    mock.place(group, 1, 1);
    // More than `concurrency` on each partition.
    mock.cluster.write(
        TOPIC,
        (0..64).map(|key| record(&format!("event-{key}"), 0, "event")).chain(work(0..10, 8, "nothing")),
    );
    mock.delay(2, Duration::from_secs(20));
    let mut application = Application::start(&mock, group);
    application.await_attempts(64 + 80);
    wait::until("health says that events wait, though there is no error", || {
        application.narad.health().blocked() == 64
    });
    let said: Vec<_> = application
        .complaints()
        .into_iter()
        .filter(|line| line.contains("a returned event cannot be published"))
        .collect();
    assert!(said.len() == 1 && said[0].contains("no broker has acknowledged it yet"), "{said:?}");
    mock.delay(2, Duration::ZERO);
    application.await_committed(&mock, 64 + 80);
    application.stop().expect("a clean drain");
    assert_kept(&mock, &application.ledger);
    assert_eq!(mock.cluster.records("done").len(), 64);
}

/// They give their place back, so that something else has to bound how many of them wait.
#[test]
fn large_returned_events_that_wait_take_no_more_memory_than_records_do() {
    let mock = Mock::start(2);
    mock.lead_done(2);
    let group = "m5-large";
    mock.place(group, 1, 1);
    mock.cluster.write(TOPIC, (0..160).map(|key| record(&format!("large-{key}"), 0, "large")));
    mock.delay(2, Duration::from_secs(20));
    let mut application = Application::start(&mock, group);
    wait::until("health says that events wait", || application.narad.health().blocked() > 0);
    // 16 MiB of all lanes, and a share with one event more of each.
    let handled = application.ledger.attempts().len();
    assert!(handled <= 100, "{handled} have returned half a megabyte each, and wait");
    mock.delay(2, Duration::ZERO);
    application.await_committed(&mock, 160);
    application.stop().expect("a clean drain");
    assert_kept(&mock, &application.ledger);
}

/// The application's own code runs on the producer's thread where it is woken.
#[test]
fn a_waker_that_panics_ends_no_thread_of_the_producer() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: std::sync::Arc<Self>) {
            panic!("as the test asks");
        }
    }
    let mock = Mock::start(1);
    let mut application = Application::start(&mock, "m5-waker");
    // Else the acknowledgement may be there before the first poll.
    mock.delay(1, Duration::from_millis(300));
    for seq in 0..3 {
        let mut sending = std::pin::pin!(application.narad.publish(&Done::of(seq)));
        let waker = std::task::Waker::from(std::sync::Arc::new(Panics));
        let polled = sending.as_mut().poll(&mut std::task::Context::from_waker(&waker));
        assert!(polled.is_pending());
        wait::until("it is written", || mock.cluster.records("done").len() > seq as usize);
    }
    application.block_on(application.narad.publish(&Done::of(3))).expect("an acknowledgement");
    application.stop().expect("a clean drain");
}
