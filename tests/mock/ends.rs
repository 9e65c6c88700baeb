//! The end of a group, and of an assignment: what is committed last, and what is fenced first.

use std::time::{Duration, Instant};

use narad::Error;
use narad_tests::cluster::Stored;
use rdkafka::types::RDKafkaApiKey::{Fetch, ListOffsets};
use rdkafka::types::RDKafkaRespErr::{
    RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
};

use crate::application::record;
use crate::cluster::TOPIC;
use crate::{Application, Mock, wait, work};

const LEADER: i32 = 1;
const COORDINATOR: i32 = 2;

fn placed(group: &str) -> Mock {
    let mock = Mock::start(2);
    mock.place(group, COORDINATOR, LEADER);
    mock
}

fn in_first(record: Stored) -> Stored {
    Stored { partition: 0, ..record }
}

/// What is committed of the first partition.
fn committed(mock: &Mock, group: &str) -> Option<i64> {
    mock.committed(group).into_iter().find(|(partition, _)| *partition == 0).map(|(_, committed)| committed)
}

/// What the attempts of an application were at: keys, in order.
fn keys(application: &Application) -> Vec<String> {
    let mut keys: Vec<_> = application.ledger.attempts().into_iter().map(|attempt| attempt.key).collect();
    keys.sort_unstable();
    keys
}

/// Handlers that end while the drain goes on, one that does not, and only the end commits.
#[test]
fn of_a_stop_that_one_handler_outlives_only_its_record_repeats() {
    let group = "m9-hung";
    let mock = placed(group);
    let asks = [("hung", "gate"), ("slow-1", "time"), ("slow-2", "time"), ("quick", "nothing")];
    mock.cluster.write(TOPIC, asks.map(|(key, asks)| in_first(record(key, 0, asks))));
    let configure = |config: &mut narad::Config| {
        config.commit_interval = Duration::from_secs(600);
        config.shutdown_timeout = Duration::from_secs(4);
    };
    let mut application = Application::start_with(&mock, group, configure);
    // It stands behind the others: they have begun.
    application.await_attempts(1);
    let error = application.stop().expect_err("one handler does not end");
    assert!(matches!(error, Error::DrainTimeout), "{error}");
    assert_eq!(keys(&application), ["quick", "slow-1", "slow-2"], "those that end do so in the drain");

    let mut next = Application::start_with(&mock, group, configure);
    next.open_gate();
    next.await_attempts(1);
    next.stop().expect("a clean drain");
    assert_eq!(keys(&next), ["hung"], "what was finished in the drain is committed");
    assert_eq!(committed(&mock, group), Some(4));
}

/// A revoke's and a stop's last commit is not the only one in a drain that takes long: a crash meanwhile
/// repeats what the timer says.
#[test]
fn the_timer_goes_on_during_a_drain() {
    let group = "m9-timer";
    let mock = placed(group);
    let asks = [("slow", "time"), ("hung", "gate"), ("quick", "nothing")];
    mock.cluster.write(TOPIC, asks.map(|(key, asks)| in_first(record(key, 0, asks))));
    let mut application = Application::start(&mock, group);
    application.await_attempts(1);
    application.begin_stop();
    wait::until("what ended in the drain is committed while it goes on", || {
        committed(&mock, group) == Some(1)
    });
    assert!(!application.has_ended(), "a handler is still at work");
    application.open_gate();
    application.ended().expect("a clean drain");
    assert_eq!(committed(&mock, group), Some(3));
}

/// librdkafka ends the session by itself when its coordinator does not answer; a commit that nobody answers
/// is on its way meanwhile.
#[test]
fn what_is_lost_is_let_go_at_once_whatever_commit_is_on_its_way() {
    let group = "m9-lost";
    let mock = placed(group);
    mock.cluster.write(TOPIC, work(0..10, 20, "nothing"));
    let mut application =
        Application::start_with(&mock, group, |config| config.shutdown_timeout = Duration::from_secs(1));
    application.await_committed(&mock, 200);
    mock.delay(COORDINATOR, Duration::from_secs(300));
    // Of each key one after the other: in the session of six seconds, and the one in which librdkafka sees
    // its end, no more than five.
    mock.cluster.write(TOPIC, work(10..60, 20, "time"));
    application.await_line("lost: others have these partitions");
    std::thread::sleep(Duration::from_secs(2));
    let late = application.ledger.attempts().into_iter().filter(|attempt| attempt.seq >= 15).count();
    assert_eq!(late, 0, "handled after the loss");
    // Nothing is in flight, and nothing owed: what was handled is somebody else's.
    let _ = application.stop();
}

/// A commit that only says how far the log was read owes nobody anything.
#[test]
fn a_stop_that_cannot_commit_where_nothing_was_handled_ends_with_success() {
    let group = "m9-skipped";
    let mock = placed(group);
    mock.cluster.write(TOPIC, work(0..10, 5, "nothing"));
    let mut application =
        Application::start_with(&mock, group, |config| config.shutdown_timeout = Duration::from_secs(1));
    application.await_committed(&mock, 50);
    mock.delay(COORDINATOR, Duration::from_secs(300));
    // Nobody handles this type.
    mock.cluster.write(
        TOPIC,
        [Stored {
            value: Some(br#"{"type": "OTHER", "key": "user-1"}"#.to_vec()),
            ..record("user-1", 0, "nothing")
        }],
    );
    application.await_line("no handler takes this type");
    application.stop().expect("nothing that was handled is owed");
}

/// Whoever polls is asked to stop in the middle of a question that no broker answers: it cannot say how the
/// group stands, but that is known.
#[test]
fn a_stop_while_a_leader_is_asked_that_does_not_answer_ends_with_success_where_all_is_committed() {
    let group = "m9-asking";
    let mock = placed(group);
    mock.cluster.write(TOPIC, work(0..10, 5, "nothing"));
    let mut application =
        Application::start_with(&mock, group, |config| config.shutdown_timeout = Duration::from_secs(1));
    application.await_committed(&mock, 50);
    mock.fail(ListOffsets, &[RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 10_000]);
    mock.fail(Fetch, &[RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE]);
    let asked = "the partition's offsets cannot be read";
    application.await_line(asked);
    mock.delay(LEADER, Duration::from_secs(300));
    // It is asked again every 200 ms, and given up on after ten seconds.
    let (mut seen, mut since) = (application.said(asked), Instant::now());
    wait::until("it waits for an answer", || {
        let now = application.said(asked);
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        since.elapsed() > Duration::from_secs(2)
    });
    application.stop().expect("nothing is in flight, and nothing owed");
}
