//! Why an offset was not committed: one view and one line of the log say it.

use narad::RecordStage;
use rdkafka::types::RDKafkaApiKey::OffsetCommit;
use rdkafka::types::RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED as DENIED;

use crate::application::{assert_kept, record, work};
use crate::cluster::TOPIC;
use crate::{Application, Mock, wait};

const LINE: &str = "the committed offset does not move: ";

#[test]
fn why_an_offset_does_not_move_is_said_once_at_debug_and_shown_by_the_view() {
    let mock = Mock::start(1);
    let mut application = Application::start(&mock, "viewed-held");
    mock.cluster.write(TOPIC, [record("user-0", 0, "gate")]);
    application.await_line(LINE);
    let held = || application.narad.partitions().into_iter().find(|view| view.oldest.is_some());
    let view = held().expect("the record at the gate");
    let oldest = view.oldest.clone().expect("it is not finished");
    assert_eq!((oldest.offset, oldest.stage, oldest.attempt), (0, RecordStage::Attempt, 1), "{view}");
    assert_eq!(oldest.handler.as_deref(), Some("work_on"), "{view}");
    let said = format!("{LINE}the record at 0 is not finished (0, with work_on, attempt 1, since ");
    application.await_line(&said);
    // Others are handled beside it, and committed as far as they can be.
    for seq in 1..6 {
        let commits = || application.narad.groups()[0].commits.ok;
        let before = commits();
        mock.cluster.write(TOPIC, (1..9).map(|key| record(&format!("user-{key}"), seq, "nothing")));
        wait::until("a commit has gone on", || commits() > before);
    }
    assert_eq!(application.said(LINE), 1, "{:?}", crate::logs::with("viewed-held"));
    application.open_gate();
    wait::until("nothing stands in the way any more", || held().is_none());
    application.stop().expect("a clean drain");
    assert_kept(&mock, &application.ledger);
}

#[test]
fn a_commit_that_is_refused_is_the_reason_that_the_view_gives() {
    let mock = Mock::start(1);
    let mut application = Application::start(&mock, "viewed-denied");
    mock.cluster.write(TOPIC, work(0..1, 5, "nothing"));
    application.await_committed(&mock, 5);
    mock.fail(OffsetCommit, &[DENIED; 1_000]);
    mock.cluster.write(TOPIC, work(1..2, 5, "nothing"));
    application.await_attempts(10);
    let why = || application.narad.partitions().into_iter().find_map(|view| view.uncommitted);
    wait::until("it says why", || why().is_some_and(|why| why.starts_with("the last commit failed: ")));
    let before = application.narad.groups()[0].commits;
    assert!(before.error > 0 && before.ok > 0, "{before:?}");
    mock.heal(OffsetCommit);
    application.await_committed(&mock, 10);
    wait::until("all of it is committed", || why().is_none());
    application.stop().expect("a clean drain");
    assert_kept(&mock, &application.ledger);
}
