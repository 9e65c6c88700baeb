//! A committed offset that cannot be read is asked for again; a group never begins anew because of it.

use std::time::{Duration, Instant};

use rdkafka::types::RDKafkaApiKey::OffsetFetch;
use rdkafka::types::RDKafkaRespErr::{self, *};

use crate::application::assert_in_order;
use crate::cluster::TOPIC;
use crate::{Application, Mock, wait, work};

/// A group with committed offsets starts again, while the coordinator does not say where it was.
fn goes_on_where_it_was(group: &str, error: RDKafkaRespErr) {
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, work(0..10, 5, "nothing"));
    let mut first = Application::start(&mock, group);
    if group.ends_with("-latest") {
        // The group begins at the end, which is where its first commit is.
        wait::until("the group has begun", || mock.committed(group).len() == 2);
        mock.cluster.write(TOPIC, work(10..20, 5, "nothing"));
    }
    first.await_attempts(50);
    first.stop().expect("a clean drain");
    mock.cluster.write(TOPIC, work(20..30, 5, "nothing"));
    mock.fail(OffsetFetch, &[error; 12]);
    let mut second = Application::start(&mock, group);
    second.await_attempts(50);
    mock.heal(OffsetFetch);
    let records = mock.records().len();
    second.await_committed(&mock, records);
    second.stop().expect("a clean drain");
    let attempts = second.ledger.attempts();
    assert!(attempts.iter().all(|attempt| attempt.seq >= 20), "what was committed is not handled again");
    assert_eq!(attempts.len(), 50, "and nothing is skipped");
    assert_in_order(&attempts);
}

#[test]
fn a_coordinator_that_loads_does_not_reset_a_group() {
    goes_on_where_it_was("m2-loads", RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS);
}

#[test]
fn a_coordinator_that_moved_does_not_reset_a_group() {
    goes_on_where_it_was("m2-moved", RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
}

#[test]
fn a_request_that_timed_out_does_not_reset_a_group() {
    goes_on_where_it_was("m2-slow", RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
}

#[test]
fn an_error_that_nobody_knows_does_not_reset_a_group() {
    goes_on_where_it_was("m2-unknown", RD_KAFKA_RESP_ERR_UNKNOWN);
}

#[test]
fn a_past_member_epoch_does_not_reset_a_group() {
    goes_on_where_it_was("m2-stale", RD_KAFKA_RESP_ERR_STALE_MEMBER_EPOCH);
}

#[test]
fn a_broken_connection_does_not_reset_a_group() {
    goes_on_where_it_was("m2-broken", RD_KAFKA_RESP_ERR__TRANSPORT);
}

#[test]
fn a_group_that_began_at_the_end_does_not_jump_there_again() {
    goes_on_where_it_was("m2-moved-latest", RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
    goes_on_where_it_was("m2-unknown-latest", RD_KAFKA_RESP_ERR_UNKNOWN);
}

#[test]
fn a_new_group_begins_at_the_end_even_if_its_coordinator_did_not_answer_at_first() {
    let group = "m2-new-latest";
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, work(0..10, 5, "nothing"));
    mock.fail(OffsetFetch, &[RD_KAFKA_RESP_ERR_UNKNOWN; 12]);
    let mut application = Application::start(&mock, group);
    application.await_line("assigned");
    mock.cluster.write(TOPIC, work(10..11, 5, "nothing"));
    application.await_line("what is committed cannot be read");
    mock.heal(OffsetFetch);
    wait::until("the group has begun", || mock.committed(group).len() == 2);
    mock.cluster.write(TOPIC, work(20..30, 5, "nothing"));
    application.await_attempts(50);
    application.stop().expect("a clean drain");
    let attempts = application.ledger.attempts();
    assert!(attempts.iter().all(|attempt| attempt.seq >= 10), "history is not handled: {attempts:?}");
    assert_in_order(&attempts);
}

/// Where each of many partitions ends is asked for together: one after the other would hold up a rebalance
/// for minutes, and the group with it.
#[test]
fn a_thousand_partitions_that_begin_at_the_end_are_read_soon_after_they_are_assigned() {
    const PARTITIONS: usize = 1_000;
    let group = "m2-thousand-latest";
    let mock = Mock::start_with(1, PARTITIONS as i32);
    mock.cluster.write(TOPIC, work(0..1, 100, "nothing"));
    mock.delay(1, Duration::from_millis(20));
    let began = Instant::now();
    let mut application = Application::start(&mock, group);
    application.await_line("assigned");
    let assigned = began.elapsed();
    wait::until("health knows all partitions", || {
        application.narad.health().groups()[0].assigned() == PARTITIONS
    });
    mock.cluster.write(TOPIC, work(1..2, 100, "nothing"));
    application.await_attempts(100);
    println!(
        "{PARTITIONS} partitions: told of after {assigned:?}, read {:?} later",
        began.elapsed() - assigned
    );
    assert!(
        application.ledger.attempts().iter().all(|attempt| attempt.seq == 1),
        "each record once, and none of before"
    );
    application.stop().expect("a clean drain");
}
