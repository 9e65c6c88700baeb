//! What commits say beyond their offset, where it cannot be used, and what becomes of a start that is broken
//! off.

use rdkafka::types::RDKafkaApiKey::{ListOffsets, OffsetFetch};
use rdkafka::types::RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN;

use crate::application::record;
use crate::cluster::TOPIC;
use crate::{Application, Mock, wait, work};

const ORDERS: [&str; 3] = ["key", "partition", "none"];

/// A key is parked with records behind it, the others are done; the next process has another order.
fn changes(from: &str, to: &str) {
    let group = format!("order-{from}-{to}");
    let mock = Mock::start(1);
    let records = [
        vec![record("parked", 0, "failure")],
        work(0..20, 5, "nothing"),
        vec![record("parked", 1, "nothing")],
    ]
    .concat();
    let partition = |record| narad_tests::cluster::Stored { partition: 0, ..record };
    mock.cluster.write(TOPIC, records.into_iter().map(partition));
    let mut first = Application::start_with(&mock, &group, |config| {
        config.handler_overrides.set("WORK_ON_ORDERING", from);
        config.handler_overrides.set("WORK_ON_RETRY_ATTEMPTS", "1000000");
        config.handler_overrides.set("WORK_ON_RETRY_BACKOFF", "1h..1h");
    });
    first.await_attempts(if from == "partition" { 1 } else { 101 });
    first.stop().expect("a clean drain");
    let (next, note) = mock.cluster.committed_with_note(&group, TOPIC, 0).unwrap_or_default();
    assert!(next == 0 && (from == "partition" || !note.is_empty()), "{from}: {next} {note}");
    let mut second = Application::start_with(&mock, &group, |config| {
        config.handler_overrides.set("WORK_ON_ORDERING", to);
    });
    wait::until(&format!("{from} to {to}: all is handled, what is parked too"), || {
        let attempts = [first.ledger.attempts(), second.ledger.attempts()].concat();
        let of_the_parked = second
            .ledger
            .attempts()
            .iter()
            .filter(|attempt| attempt.key == "parked")
            .map(|attempt| attempt.seq)
            .max();
        (0..102).all(|offset| attempts.iter().any(|attempt| attempt.offset == offset))
            && of_the_parked == Some(1)
    });
    second.await_committed(&mock, 102);
    second.stop().expect("a clean drain");
}

#[test]
fn a_parked_key_outlives_each_change_of_the_order() {
    std::thread::scope(|scope| {
        for from in ORDERS {
            for to in ORDERS.iter().filter(|to| **to != from) {
                scope.spawn(move || changes(from, to));
            }
        }
    });
}

/// A new group with `start = "latest"` is stopped before it knows where it begins.
fn broken_off(group: &str, api: rdkafka::types::RDKafkaApiKey, line: &str) {
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, work(0..10, 5, "nothing"));
    mock.fail(api, &[RD_KAFKA_RESP_ERR_UNKNOWN; 100]);
    let mut application = Application::start(&mock, group);
    application.await_line(line);
    application.stop().expect("a clean drain");
    assert!(application.ledger.attempts().is_empty(), "history is not handled");
    mock.heal(api);
    assert!(mock.committed(group).is_empty(), "nothing is committed by who does not know where it is");
    assert!(
        application.complaints().iter().all(|line| !line.contains("refused its assignment")),
        "{:?}",
        application.complaints()
    );
}

#[test]
fn a_start_that_is_broken_off_begins_nowhere() {
    broken_off("broken-off-latest", OffsetFetch, "what is committed cannot be read");
    broken_off("broken-off-end-latest", ListOffsets, "the end of the partition cannot be read");
}
