//! What a start wants of the cluster's topics.

use narad::prelude::*;

use crate::application::{Application, Work, work};
use crate::cluster::Mock;

#[derive(Event)]
#[event(topic = "${GROUP}-returned", type = "ANSWER", key = seq)]
struct Answer {
    seq: u64,
}

#[kafka_handler(topic = "work", group = "${GROUP}-answers")]
async fn answer(work: Work) -> Result<(Option<Answer>, Vec<Answer>), String> {
    Ok((Some(Answer { seq: work.seq }), vec![Answer { seq: work.seq }]))
}

#[test]
fn the_topic_of_an_event_that_a_handler_returns_is_there_at_the_start_or_named_with_those_that_are_missing() {
    let mock = Mock::start(1);
    let start = || Application::start_with(&mock, "t-answers", |config| config.variables.set("GROUP", "t"));
    let said = start().ended().expect_err("a topic is missing").to_string();
    assert!(said.starts_with("1 topic is missing: t-returned; set NARAD_CREATE_TOPICS=true"), "{said}");
    assert!(said.contains("--create --topic t-returned --partitions"), "{said}");
    assert!(!said.contains('\n'), "{said}");

    mock.create_topic_if_missing("t-returned");
    let mut application = start();
    mock.cluster.write("work", work(0..1, 2, "nothing"));
    application.await_committed(&mock, 2);
    assert_eq!(mock.cluster.records("t-returned").len(), 4);
    application.stop().expect("a clean end");
}
