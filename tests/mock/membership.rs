//! What a coordinator refuses to a member. What no retry mends ends the application with one clear line,
//! everything else passes.

use std::time::{Duration, Instant};

use narad::{Error, GroupState};
use rdkafka::types::RDKafkaApiKey::{self, FindCoordinator, Heartbeat, JoinGroup, SyncGroup};
use rdkafka::types::RDKafkaRespErr::{self, *};

use crate::application::{Work, assert_kept, assert_none_lost};
use crate::cluster::TOPIC;
use crate::{Application, Mock, wait, work};

/// Another process has the instance id of this one.
fn ends_when_fenced(group: &str, api: RDKafkaApiKey, joined: bool) {
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, work(0..10, 5, "nothing"));
    if !joined {
        mock.fail(api, &[RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID]);
    }
    let mut application = Application::start_with(&mock, group, |config| {
        config.librdkafka.set("group.instance.id", "one-of-two").expect("a property");
    });
    if joined {
        application.await_committed(&mock, 50);
        mock.fail(api, &[RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID]);
    }
    let error = application.ended().expect_err("the application cannot go on");
    assert!(matches!(error, Error::Start(_)));
    assert!(error.to_string().contains("GROUP_INSTANCE_ID") && !error.to_string().contains('\n'), "{error}");
    let complaints = application.complaints();
    assert_eq!(complaints.iter().filter(|line| line.contains("cannot go on")).count(), 1, "{complaints:#?}");
}

#[test]
fn a_fenced_member_ends_at_its_join() {
    ends_when_fenced("m3-fenced-join", JoinGroup, false);
}

#[test]
fn a_fenced_member_ends_at_its_sync() {
    ends_when_fenced("m3-fenced-sync", SyncGroup, false);
}

#[test]
fn a_fenced_member_ends_at_its_heartbeat() {
    ends_when_fenced("m3-fenced-heartbeat", Heartbeat, true);
}

/// The group comes to its partitions in spite of some refusals.
fn joins_after(group: &str, api: RDKafkaApiKey, errors: &[RDKafkaRespErr]) -> Application {
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, work(0..10, 5, "nothing"));
    mock.fail(api, errors);
    let mut application = Application::start_with(&mock, group, |config| {
        config.librdkafka.set("session.timeout.ms", "2000").expect("a property");
    });
    application.await_committed(&mock, 50);
    application.stop().expect("a clean drain");
    assert_kept(&mock, &application.ledger);
    application
}

#[test]
fn a_full_group_is_joined_when_there_is_room_and_is_told_of_once() {
    let application = joins_after("m3-full", JoinGroup, &[RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED; 3]);
    let complaints = application.complaints();
    assert_eq!(
        complaints
            .iter()
            .filter(|line| line.contains("the broker refuses") && line.contains("maximum size"))
            .count(),
        1,
        "{complaints:#?}"
    );
}

#[test]
fn a_group_that_may_not_be_read_is_joined_when_it_may_and_is_told_of_once() {
    let application = joins_after("m3-denied", JoinGroup, &[RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED; 3]);
    let complaints = application.complaints();
    assert_eq!(
        complaints
            .iter()
            .filter(|line| line.contains("the broker refuses") && line.contains("authorization"))
            .count(),
        1,
        "{complaints:#?}"
    );
}

#[test]
fn a_member_that_nobody_knows_joins_under_another_name() {
    joins_after("m3-unknown-join", JoinGroup, &[RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID; 2]);
}

#[test]
fn a_join_while_the_coordinator_moves_and_loads_is_repeated() {
    joins_after(
        "m3-moved-join",
        JoinGroup,
        &[RD_KAFKA_RESP_ERR_NOT_COORDINATOR, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS],
    );
}

#[test]
fn a_rebalance_within_the_rebalance_is_waited_for() {
    joins_after("m3-rebalance-sync", SyncGroup, &[RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS; 2]);
}

/// A member that is thrown out while records wait in their handlers.
fn comes_back_after(group: &str, error: RDKafkaRespErr) {
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, work(0..4, 5, "gate"));
    let mut application = Application::start_with(&mock, group, |config| {
        config.librdkafka.set("session.timeout.ms", "2000").expect("a property");
    });
    application.await_line("assigned");
    mock.fail(Heartbeat, &[error]);
    application.await_line("lost: ");
    application.open_gate();
    application.await_committed(&mock, 20);
    application.stop().expect("a clean drain");
    assert_none_lost(&mock, &application.ledger);
    let assigned = || crate::logs::with(group).iter().filter(|line| line.contains("assigned")).count();
    wait::until("it is assigned its partitions again", || assigned() >= 2);
}

#[test]
fn a_member_that_its_coordinator_forgot_lets_go_and_comes_back() {
    comes_back_after("m3-forgotten", RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
}

#[test]
fn a_member_that_missed_a_generation_lets_go_and_comes_back() {
    comes_back_after("m3-generation", RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION);
}

/// A handler holds its thread while its partition is lost and assigned again. The queue of a partition is the
/// same then, and what the old lane does with it when the handler comes back would be done to the new one:
/// without its wake-ups a record waits for the tick of a second.
#[test]
fn who_holds_its_thread_over_a_loss_leaves_the_next_lane_of_its_partition_its_wake_ups() {
    let group = "m3-held";
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, work(0..1, 1, "hold"));
    let mut application = Application::start_with(&mock, group, |config| {
        config.librdkafka.set("session.timeout.ms", "2000").expect("a property");
    });
    wait::until("the handler holds its thread", || application.ledger.is_held());
    mock.fail(Heartbeat, &[RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID]);
    application.await_line("lost: ");
    // The next lane handles the record; then the old one's handler comes back.
    application.await_attempts(1);
    application.open_gate();
    application.await_attempts(2);
    const RECORDS: u32 = 20;
    let partition = application.ledger.attempts()[0].partition;
    let mut waited = Duration::ZERO;
    for seq in 1..=RECORDS {
        let record = Work { key: "user-0".into(), seq: seq.into(), asks: "nothing".into() };
        application
            .block_on(application.narad.event(&record).partition(partition).send())
            .expect("an acknowledgement");
        let written = Instant::now();
        application.await_attempts(2 + seq as usize);
        waited += written.elapsed();
    }
    // Without wake-ups each waits for a tick.
    assert!(waited < Duration::from_secs(1) * RECORDS / 3, "{RECORDS} records waited for {waited:?}");
    application.stop().expect("a clean drain");
}

/// What health says of the one group.
fn group(application: &Application) -> narad::GroupHealth {
    application.narad.health().groups().first().expect("the group").clone()
}

#[test]
fn a_group_that_is_refused_for_ever_is_not_ready_and_names_the_cause() {
    for (group_name, error, cause) in [
        ("m3-refused-denied", RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, "it needs READ on group"),
        ("m3-refused-session", RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT, "NARAD_KAFKA_SESSION_TIMEOUT_MS"),
        (
            "m3-refused-protocol",
            RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL,
            "uses another way to share it out",
        ),
    ] {
        let mock = Mock::start(1);
        mock.cluster.write(TOPIC, work(0..10, 5, "nothing"));
        mock.fail(JoinGroup, &[error; 1000]);
        let mut application = Application::start_with(&mock, group_name, |config| {
            config.librdkafka.set("session.timeout.ms", "2000").expect("a property");
        });
        wait::until("health says that the group is refused", || {
            application
                .narad
                .health()
                .groups()
                .first()
                .is_some_and(|group| group.state() == GroupState::Refused)
        });
        let health = application.narad.health();
        assert!(health.is_connected() && !health.is_ready(), "{health}");
        assert!(group(&application).cause().is_some_and(|said| said.contains(cause)), "{health}");
        let view = application.narad.groups().into_iter().next().expect("the group");
        assert_eq!((view.state, view.ready), (GroupState::Refused, false), "{view}");
        assert!(view.cause.as_ref().is_some_and(|said| said.contains(cause)), "{view}");
        assert!(view.member.is_none() && view.assigned.is_empty(), "{view}");
        application.await_line("not a member of its group for");
        mock.heal(JoinGroup);
        application.await_committed(&mock, 50);
        wait::until("the group is ready", || application.narad.health().is_ready());
        let now = group(&application);
        assert_eq!((now.state(), now.cause(), now.assigned()), (GroupState::Stable, None, 2));
        application.stop().expect("a clean drain");
        assert_kept(&mock, &application.ledger);
    }
}

#[test]
fn a_coordinator_that_is_never_available_is_said_after_a_session_with_what_to_look_at() {
    let mock = Mock::start(1);
    mock.cluster.write(TOPIC, work(0..10, 5, "nothing"));
    mock.fail(FindCoordinator, &[RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE; 10_000]);
    let mut application = Application::start_with(&mock, "m3-no-coordinator", |config| {
        config.librdkafka.set("session.timeout.ms", "2000").expect("a property");
    });
    application.await_line("offsets.topic.replication.factor");
    let health = application.narad.health();
    assert!(health.is_connected() && !health.is_ready(), "{health}");
    let now = group(&application);
    assert_eq!((now.state(), now.assigned()), (GroupState::Joining, 0));
    assert!(now.cause().is_some_and(|said| said.contains("offsets.topic.replication.factor")), "{health}");
    mock.heal(FindCoordinator);
    application.await_committed(&mock, 50);
    wait::until("the group is ready", || application.narad.health().is_ready());
    application.stop().expect("a clean drain");
    assert!(!application.narad.health().is_ready());
    assert_kept(&mock, &application.ledger);
}
