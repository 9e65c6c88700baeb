//! What the coordinator refuses to commit is committed later, never backward, and never past what is
//! unfinished.

use std::time::Duration;

use rdkafka::types::RDKafkaApiKey::OffsetCommit;
use rdkafka::types::RDKafkaRespErr::{self, *};

use crate::application::{assert_kept, assert_none_lost, record};
use crate::cluster::TOPIC;
use crate::commits_seen::Commits;
use crate::{Application, Mock, logs, work};

/// Refusals that pass: the group is still the same.
fn goes_on_after(group: &str, error: RDKafkaRespErr) {
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, work(0..10, 5, "nothing"));
    let mut application = Application::start(&mock, group);
    application.await_committed(&mock, 50);
    let commits = Commits::watch(&mock, &application);
    mock.fail(OffsetCommit, &[error; 5]);
    mock.cluster.write(TOPIC, work(10..20, 5, "nothing"));
    application.await_committed(&mock, 100);
    application.stop().expect("a clean drain");
    commits.assert_sound();
    assert_kept(&mock, &application.ledger);
    assert!(
        application.complaints().len() <= 5,
        "one line for each refusal at most: {:#?}",
        application.complaints()
    );
}

#[test]
fn a_commit_is_repeated_after_a_rebalance_in_progress() {
    goes_on_after("m1-rebalance", RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS);
}

#[test]
fn a_commit_is_repeated_while_the_coordinator_loads() {
    goes_on_after("m1-loads", RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS);
}

#[test]
fn a_commit_is_repeated_after_the_coordinator_has_moved() {
    goes_on_after("m1-moved", RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
}

#[test]
fn a_commit_is_repeated_after_a_request_that_timed_out() {
    goes_on_after("m1-slow", RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
}

#[test]
fn a_commit_is_repeated_after_a_broken_connection() {
    goes_on_after("m1-broken", RD_KAFKA_RESP_ERR__TRANSPORT);
}

/// Refusals that throw the member out of its group: it joins again, and repeats what was not committed.
fn joins_again_after(group: &str, error: RDKafkaRespErr) {
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, work(0..10, 5, "nothing"));
    let mut application = Application::start_with(&mock, group, |config| {
        // A rejoin in the mock cluster takes the session's time.
        config.librdkafka.set("session.timeout.ms", "2000").expect("a property");
    });
    application.await_committed(&mock, 50);
    let commits = Commits::watch(&mock, &application);
    mock.fail(OffsetCommit, &[error]);
    mock.cluster.write(TOPIC, work(10..20, 5, "nothing"));
    application.await_committed(&mock, 100);
    application.stop().expect("a clean drain");
    commits.assert_sound();
    assert_none_lost(&mock, &application.ledger);
    let repeated = application.ledger.attempts().len() - 100;
    assert!(repeated <= 50, "what was committed is not repeated: {repeated}");
    let complaints = application.complaints();
    assert_eq!(complaints.iter().filter(|line| line.contains("lost: ")).count(), 1, "{complaints:#?}");
}

#[test]
fn a_member_that_the_coordinator_does_not_know_joins_again_and_repeats_what_was_not_committed() {
    joins_again_after("m1-unknown", RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
}

#[test]
fn a_member_of_a_past_generation_joins_again_and_repeats_what_was_not_committed() {
    joins_again_after("m1-generation", RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION);
}

/// Only the end commits.
fn ends_committed_after(group: &str, errors: &[RDKafkaRespErr]) {
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, work(0..10, 5, "nothing"));
    let mut application =
        Application::start_with(&mock, group, |config| config.commit_interval = Duration::from_secs(600));
    application.await_attempts(50);
    mock.fail(OffsetCommit, errors);
    application.stop().expect("a clean drain");
    assert_kept(&mock, &application.ledger);
    assert_eq!(mock.committed(group).iter().map(|(_, committed)| committed).sum::<i64>(), 50);
}

#[test]
fn the_last_commit_is_repeated_after_a_rebalance_in_progress() {
    ends_committed_after("m1-last-rebalance", &[RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS; 10]);
}

#[test]
fn the_last_commit_is_repeated_after_the_coordinator_has_moved() {
    ends_committed_after("m1-last-moved", &[RD_KAFKA_RESP_ERR_NOT_COORDINATOR; 10]);
}

#[test]
fn the_last_commit_is_repeated_while_the_coordinator_loads() {
    ends_committed_after("m1-last-loads", &[RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS; 10]);
}

#[test]
fn the_last_commit_is_repeated_after_requests_that_timed_out() {
    ends_committed_after("m1-last-slow", &[RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT; 10]);
}

#[test]
fn the_last_commit_is_repeated_after_broken_connections() {
    ends_committed_after("m1-last-broken", &[RD_KAFKA_RESP_ERR__TRANSPORT; 3]);
}

#[test]
fn the_last_commit_is_repeated_after_a_stale_epoch() {
    ends_committed_after("m1-last-stale", &[RD_KAFKA_RESP_ERR_STALE_MEMBER_EPOCH; 3]);
}

#[test]
fn the_last_commit_is_repeated_after_an_error_of_the_coordinators_own() {
    ends_committed_after("m1-last-unknown-error", &[RD_KAFKA_RESP_ERR_UNKNOWN; 3]);
}

/// A broker that has just begun does not know all topics.
#[test]
fn the_last_commit_is_repeated_while_the_coordinator_does_not_know_the_topic_yet() {
    ends_committed_after("m1-last-unknown-topic", &[RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART; 3]);
}

/// Only the end commits, and its commit is refused once; a record waits for its next attempt, so that there
/// is a note. Gives the note's place, and what was said.
fn ends_committed_as_far_as_it_goes_after(group: &str, error: RDKafkaRespErr) -> (String, Vec<String>) {
    let mock = Mock::start(1);
    let records = (0..40).map(|seq| {
        record(&format!("user-{}", seq % 20), seq / 20, if seq == 2 { "failure" } else { "nothing" })
    });
    mock.cluster.write(TOPIC, records);
    let mut application = Application::start_with(&mock, group, |config| {
        config.commit_interval = Duration::from_secs(600);
        config.handler_overrides.set("WORK_ON_RETRY_BACKOFF", "1h..1h");
    });
    // The one that fails waits, and so does the one behind it.
    application.await_attempts(39);
    mock.fail(OffsetCommit, &[error]);
    application.stop().expect("a clean drain");
    let attempts = application.ledger.attempts();
    let failed = attempts.iter().find(|attempt| !attempt.ok).expect("one fails");
    let others = mock.records().iter().filter(|record| record.partition != failed.partition).count() as i64;
    let mut wanted = vec![(failed.partition, failed.offset), (1 - failed.partition, others)];
    wanted.sort_unstable();
    assert_eq!(mock.committed(group), wanted, "as far as it goes");
    let complaints = application.complaints().into_iter().filter(|line| !line.contains("attempt failed"));
    (format!("{TOPIC}/{}", failed.partition), complaints.collect())
}

#[test]
fn a_commit_whose_note_is_too_large_for_the_broker_is_committed_without_it_in_the_same_round() {
    let (place, said) =
        ends_committed_as_far_as_it_goes_after("m1-note", RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(
        said[0].contains("offset.metadata.max.bytes") && said[0].contains(&place),
        "it says which setting and partition: {said:?}"
    );
}

#[test]
fn a_commit_that_is_too_large_for_the_topic_of_offsets_is_split_in_the_same_round() {
    let (_, said) =
        ends_committed_as_far_as_it_goes_after("m1-size", RD_KAFKA_RESP_ERR_INVALID_COMMIT_OFFSET_SIZE);
    assert!(said.is_empty(), "{said:#?}");
}

/// A topic that is deleted while it is handled: the coordinator does not know it any more.
#[test]
fn a_partition_that_the_coordinator_does_not_know_is_said_once_and_owes_nothing() {
    let group = "m1-gone";
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, work(0..10, 5, "nothing"));
    let mut application = Application::start(&mock, group);
    application.await_committed(&mock, 50);
    mock.fail(OffsetCommit, &[RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART; 1_000]);
    mock.cluster.write(TOPIC, work(10..20, 5, "nothing"));
    application.await_attempts(100);
    application.await_line("the coordinator knows no such partition");
    application.stop().expect("nothing can be committed of it: nothing is owed");
    mock.heal(OffsetCommit);
    let said = application.complaints();
    assert!((1..=2).contains(&said.len()), "once for each partition at most: {said:#?}");
    assert_eq!(mock.committed(group).iter().map(|(_, committed)| committed).sum::<i64>(), 50);
}

#[test]
fn a_topic_that_the_coordinator_does_not_know_for_a_moment_is_committed_at_once_and_not_called_deleted() {
    let group = "m1-gone-for-a-moment";
    goes_on_after(group, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    let said = logs::complaints_with(group);
    assert!(said.is_empty(), "{said:#?}");
}

/// It was not known; whether it is by now nobody can say.
#[test]
fn what_is_finished_after_the_coordinator_did_not_know_the_topic_is_owed_where_it_does_not_answer_at_the_end()
{
    let group = "m1-gone-and-away";
    let mock = Mock::start(2);
    mock.place(group, 2, 1);
    mock.cluster.write(TOPIC, work(0..10, 5, "nothing"));
    let mut application =
        Application::start_with(&mock, group, |config| config.shutdown_timeout = Duration::from_secs(1));
    application.await_committed(&mock, 50);
    mock.fail(OffsetCommit, &[RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART; 1_000]);
    mock.cluster.write(TOPIC, work(10..20, 5, "nothing"));
    application.await_attempts(100);
    application.await_line("the coordinator knows no such partition");
    mock.delay(2, Duration::from_secs(300));
    mock.cluster.write(TOPIC, work(20..30, 5, "nothing"));
    application.await_attempts(150);
    let error =
        application.stop().expect_err("what was handled since is not known to be committed, nor to be gone");
    assert!(matches!(error, narad::Error::DrainTimeout), "{error}");
}

/// spring-kafka #3019: an error of the commit inside the handling of a failure made the failed record be
/// skipped.
#[test]
fn refused_commits_do_not_disturb_the_handling_of_a_failure() {
    let group = "m1-failing";
    let mock = Mock::start(1);
    mock.fail(OffsetCommit, &[RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS; 20]);
    let records = (0..40).map(|seq| {
        record(&format!("user-{}", seq % 4), seq / 4, if seq % 10 == 3 { "failure" } else { "nothing" })
    });
    mock.cluster.write(TOPIC, records);
    let mut application = Application::start(&mock, group);
    let commits = Commits::watch(&mock, &application);
    application.await_committed(&mock, 40);
    application.stop().expect("a clean drain");
    commits.assert_sound();
    assert_kept(&mock, &application.ledger);
    assert_eq!(
        mock.cluster.records(&format!("{TOPIC}.{group}.dlq")).len(),
        4,
        "each failed record is a dead letter, once"
    );
}
