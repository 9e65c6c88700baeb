//! What a broker answers to a fetch. A reset is never silent, and everything that passes is waited for.

use std::time::Duration;

use rdkafka::types::RDKafkaApiKey::Fetch;
use rdkafka::types::RDKafkaRespErr::{self, *};

use crate::application::{assert_kept, assert_none_lost};
use crate::cluster::TOPIC;
use crate::commits_seen::Commits;
use crate::{Application, Mock, wait, work};

/// Errors in the middle of it: every record comes, once.
fn reads_on_after(group: &str, error: RDKafkaRespErr) -> Application {
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, work(0..10, 5, "nothing"));
    let mut application = Application::start(&mock, group);
    application.await_committed(&mock, 50);
    let commits = Commits::watch(&mock, &application);
    mock.fail(Fetch, &[error; 6]);
    mock.cluster.write(TOPIC, work(10..20, 5, "nothing"));
    application.await_committed(&mock, 100);
    application.stop().expect("a clean drain");
    commits.assert_sound();
    assert_kept(&mock, &application.ledger);
    application
}

#[test]
fn a_leader_that_moved_is_found() {
    assert!(reads_on_after("m4-moved", RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION).complaints().is_empty());
}

#[test]
fn a_topic_that_a_broker_does_not_know_yet_is_waited_for() {
    reads_on_after("m4-unknown", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
}

#[test]
fn a_past_leader_epoch_is_refreshed() {
    reads_on_after("m4-epoch", RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH);
}

#[test]
fn a_broken_connection_is_made_again() {
    reads_on_after("m4-broken", RD_KAFKA_RESP_ERR__TRANSPORT);
}

#[test]
fn a_topic_that_may_not_be_read_is_told_of_once_and_read_when_it_may() {
    let application = reads_on_after("m4-denied", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    let complaints = application.complaints();
    let denied: Vec<_> = complaints
        .iter()
        .filter(|line| line.contains("the broker refuses") && line.contains("authorization"))
        .collect();
    assert_eq!(denied.len(), 1, "once for the topic, whatever partitions it has: {complaints:#?}");
    assert!(denied[0].contains(TOPIC), "{denied:#?}");
}

fn goes_on_at_the_earliest(group: &str, strategy: &str, refused_first: &[RDKafkaRespErr]) {
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, work(0..10, 5, "nothing"));
    let mut first = Application::start(&mock, group);
    first.await_committed(&mock, 50);
    first.stop().expect("a clean drain");
    // The mock cluster keeps 5 MiB of a partition: what the group had committed is gone.
    let long = "x".repeat(900_000);
    for seq in 10..24 {
        mock.cluster.write(TOPIC, work(seq..seq + 1, 1, &long));
    }
    let committed = mock.committed(group);
    let next = |partition| {
        committed.iter().find(|(committed, _)| *committed == partition).expect("it was committed").1
    };
    let kept: Vec<_> = mock.records().iter().map(|record| (record.partition, record.offset)).collect();
    let left: Vec<_> =
        kept.iter().copied().filter(|(partition, offset)| *offset >= next(*partition)).collect();
    mock.fail(Fetch, refused_first);
    let mut second = Application::start_with(&mock, group, |config| {
        config.librdkafka.set("partition.assignment.strategy", strategy).expect("a property");
    });
    second.await_attempts(left.len());
    let handled = |count| -> Vec<_> {
        second.ledger.attempts()[..count].iter().map(|attempt| (attempt.partition, attempt.offset)).collect()
    };
    assert_eq!(handled(left.len()), left, "what the log still has, once and in order");
    // The other partition goes on, too.
    mock.cluster.write(TOPIC, work(24..25, 5, "nothing"));
    second.await_attempts(left.len() + 5);
    second.stop().expect("a clean drain");
    assert_eq!(second.ledger.attempts().len(), left.len() + 5, "each record once");
    let complaints = second.complaints();
    let resets: Vec<_> = complaints.iter().filter(|line| line.contains("is not in the log")).collect();
    assert_eq!(resets.len(), 1, "one of the partitions has lost records: {complaints:#?}");
    let (partition, lowest) = left[0];
    let range = format!("partition={partition} committed={} lowest={lowest} ", next(partition));
    assert!(resets[0].contains(&range), "{range}: {resets:#?}");
}

#[test]
fn an_offset_out_of_range_goes_on_at_the_earliest_and_names_the_range() {
    goes_on_at_the_earliest("m4-range", "cooperative-sticky", &[]);
}

#[test]
fn an_offset_out_of_range_goes_on_at_the_earliest_with_the_eager_protocol_too() {
    goes_on_at_the_earliest("m4-eager-range", "range", &[]);
}

/// librdkafka counts a refusal as a record that was read. The eager protocol assigns all partitions anew: the
/// others go on where their lanes are.
#[test]
fn a_reset_of_one_partition_skips_nothing_of_another_that_was_refused_before() {
    goes_on_at_the_earliest("m4-eager-refused", "range", &[RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
}

/// The same where librdkafka pauses what a member keeps through a rebalance: it would go on behind the
/// refusal.
#[test]
fn a_rebalance_after_a_refusal_skips_nothing_of_what_a_member_keeps() {
    let group = "m4-refused-kept";
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, work(0..10, 5, "nothing"));
    let mut first = Application::start(&mock, group);
    first.await_committed(&mock, 50);
    mock.fail(Fetch, &[RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
    first.await_line("authorization");
    let mut second = Application::start(&mock, group);
    wait::until("each has a partition", || second.said(": assigned") >= 2);
    mock.cluster.write(TOPIC, work(10..20, 5, "nothing"));
    first.await_committed(&mock, 100);
    second.stop().expect("a clean drain");
    first.stop().expect("a clean drain");
    let attempts = first.ledger.attempts().len() + second.ledger.attempts().len();
    assert_eq!(attempts, 100, "each record once");
    let resets: Vec<_> =
        first.complaints().into_iter().filter(|line| line.contains("is not in the log")).collect();
    assert!(resets.is_empty(), "{resets:#?}");
}

/// A broker that is wrong about the range: the records are there, and are handled again from the earliest.
#[test]
fn a_broker_that_is_wrong_about_the_range_costs_repetitions_and_no_record() {
    let group = "m4-wrong";
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, work(0..10, 5, "nothing"));
    let mut application = Application::start(&mock, group);
    application.await_committed(&mock, 50);
    mock.fail(Fetch, &[RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE]);
    application.await_line("is not in the log");
    mock.cluster.write(TOPIC, work(10..20, 5, "nothing"));
    application.await_committed(&mock, 100);
    application.stop().expect("a clean drain");
    assert_none_lost(&mock, &application.ledger);
}

/// Each of the leaders' answers would be waited for in its turn: a group of many partitions would miss its
/// rebalances, and the poll interval.
#[test]
fn many_partitions_whose_leaders_say_no_range_hold_up_no_rebalance() {
    const PARTITIONS: i32 = 30;
    let group = "m4-silent-ranges";
    let mock = Mock::start_with(2, PARTITIONS);
    mock.place_all(group, 1, 2, PARTITIONS);
    mock.cluster.write(TOPIC, work(0..1, 100, "nothing"));
    let mut first = Application::start(&mock, group);
    first.await_attempts(100);
    mock.delay(2, Duration::from_secs(6));
    mock.fail(Fetch, &[RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE; 2]);
    first.await_line("offsets cannot be read");
    let mut second = Application::start(&mock, group);
    wait::until("both have partitions", || {
        let assigned = |application: &Application| {
            application.narad.health().groups().first().map_or(0, narad::GroupHealth::assigned)
        };
        assigned(&first) == 15 && assigned(&second) == 15
    });
    mock.delay(2, Duration::ZERO);
    mock.cluster.write(TOPIC, work(1..2, 100, "nothing"));
    wait::until("all is committed", || {
        mock.cluster.committed(group, TOPIC, PARTITIONS).iter().map(|sample| sample.committed).sum::<i64>()
            == 200
    });
    second.stop().expect("a clean drain");
    first.stop().expect("a clean drain");
}
