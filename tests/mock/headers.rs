//! Records whose headers are large: what is fetched ahead of them is counted, and their partition is paused
//! and read on meanwhile.

use std::ops::Range;

use rdkafka::types::RDKafkaApiKey::Fetch;
use rdkafka::types::RDKafkaRespErr::*;

use crate::application::{assert_in_order, assert_kept, assert_none_lost};
use crate::cluster::TOPIC;
use crate::commits_seen::Commits;
use crate::{Application, Mock, wait, work};

/// Ten times of what may be fetched ahead of a partition.
const RECORDS: usize = 600;

/// Records that wait at the gate, so that of both partitions more has come than is to be held.
fn write(mock: &Mock, seqs: Range<u64>) {
    let mut records = work(seqs, 10, "gate");
    for record in &mut records {
        record.headers = vec![("trace".to_owned(), Some(vec![b'x'; 9_000]))];
    }
    // In some batches: the mock cluster gives whole ones.
    records.chunks(60).for_each(|records| mock.cluster.write(TOPIC, records.to_vec()));
}

fn start(mock: &Mock, group: &str, strategy: &str) -> Application {
    Application::start_with(mock, group, |config| {
        for (name, value) in
            [("queued.max.messages.kbytes", "256"), ("partition.assignment.strategy", strategy)]
        {
            config.librdkafka.set(name, value).expect("a property");
        }
    })
}

fn await_heavy(application: &Application, partitions: usize) {
    wait::until("partitions are found to be heavy", || {
        application.said("large beside their values") >= partitions
    });
}

#[test]
fn errors_while_a_partition_is_paused_and_read_on_cost_no_record_and_repeat_none() {
    let mock = Mock::start(1);
    write(&mock, 0..60);
    let mut application = start(&mock, "m9-errors", "cooperative-sticky");
    let commits = Commits::watch(&mock, &application);
    await_heavy(&application, 2);
    mock.fail(
        Fetch,
        &[
            RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            RD_KAFKA_RESP_ERR__TRANSPORT,
            RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
            RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        ],
    );
    application.open_gate();
    application.await_committed(&mock, RECORDS);
    application.stop().expect("a clean drain");
    commits.assert_sound();
    assert_kept(&mock, &application.ledger);
}

#[test]
fn a_broker_that_is_wrong_about_the_range_of_a_paused_partition_costs_repetitions_and_no_record() {
    let mock = Mock::start(1);
    write(&mock, 0..60);
    let mut application = start(&mock, "m9-range", "cooperative-sticky");
    await_heavy(&application, 2);
    mock.fail(Fetch, &[RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE]);
    application.open_gate();
    application.await_line("is not in the log");
    application.await_committed(&mock, RECORDS);
    application.stop().expect("a clean drain");
    assert_none_lost(&mock, &application.ledger);
}

/// One partition goes, and comes back; the other one stays, paused.
fn shared(group: &str, strategy: &str) {
    let mock = Mock::start(1);
    write(&mock, 0..60);
    let mut first = start(&mock, group, strategy);
    await_heavy(&first, 2);
    let mut second = start(&mock, group, strategy);
    // What waits at the gate is finished before a partition is given back.
    first.open_gate();
    wait::until("each has a partition", || second.said(": assigned") >= 2);
    write(&mock, 60..120);
    await_heavy(&second, 3);
    second.open_gate();
    second.await_attempts(1);
    second.stop().expect("a clean drain");
    first.await_committed(&mock, 2 * RECORDS);
    first.stop().expect("a clean drain");
    let mut attempts = first.ledger.attempts();
    attempts.extend(second.ledger.attempts());
    attempts.sort_by_key(|attempt| (attempt.partition, attempt.offset));
    // With the eager protocol partitions are revoked while the group rebalances. A coordinator takes commits
    // then; the mock cluster refuses them until the member has joined, which it does when it has let go.
    if first.said("the last commit failed") > 0 {
        attempts.dedup_by_key(|attempt| (attempt.partition, attempt.offset));
    }
    assert_eq!(attempts.len(), 2 * RECORDS, "each record once");
    assert_in_order(&attempts);
}

#[test]
fn paused_partitions_that_are_shared_out_are_read_on_by_whoever_has_them() {
    shared("m9-shared", "cooperative-sticky");
}

#[test]
fn paused_partitions_that_are_shared_out_with_the_eager_protocol_are_too() {
    shared("m9-eager-shared", "range");
}

#[test]
fn a_stop_leaves_what_was_fetched_ahead_to_the_next_one() {
    let mock = Mock::start(1);
    write(&mock, 0..60);
    let mut first = start(&mock, "m9-stopped", "cooperative-sticky");
    await_heavy(&first, 2);
    first.begin_stop();
    first.open_gate();
    first.ended().expect("a clean drain");
    let before = first.ledger.attempts().len();
    assert!(before < RECORDS, "{before} were begun");
    let mut second = start(&mock, "m9-stopped", "cooperative-sticky");
    second.open_gate();
    second.await_committed(&mock, RECORDS);
    second.stop().expect("a clean drain");
    assert_eq!(before + second.ledger.attempts().len(), RECORDS, "each record once");
}
