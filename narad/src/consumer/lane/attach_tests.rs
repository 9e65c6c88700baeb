//! A lane and the queue that it is given.

use std::sync::atomic::Ordering::Acquire;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use narad_syntax::options::Options;

use super::{Lane, LaneParts};
use crate::consumer::plan::TopicPlan;
use crate::engine::Routes;
use crate::producer::{Producer, Settings};
use crate::record::{Assignment, Source, TypeHeaders};
use crate::transport::{Member, Membership, embedded, idle_member};

fn lane(client: &Arc<dyn Member>, producer: &Producer, topic: &str) -> Arc<Lane> {
    let plan = TopicPlan {
        handlers: Vec::new(),
        routes: Routes::new(Vec::new()),
        dead_letter: "dead".into(),
        options: Options::NONE.in_force(true),
        type_headers: TypeHeaders::default(),
        batch: None,
    };
    let source = Source::new(
        topic.into(),
        0,
        Assignment::new(Membership::default()),
        TypeHeaders::default(),
        client.clone(),
    );
    Lane::new(LaneParts::of_tests(source, plan, producer))
}

/// librdkafka says once that a queue has filled. A lane that was told of it before it had the queue would
/// wait for the tick.
#[test]
fn a_lane_that_was_told_of_a_queue_before_it_had_it_reads_it_when_it_has() {
    let topic = "attached-late";
    embedded::create_topic(topic).unwrap();
    let client: Arc<dyn Member> = idle_member(topic);
    let (producer, queue) = (
        Producer::new(Settings::of_tests()),
        client.clone().queue(topic, 0, Box::new(|| {})).expect("a queue"),
    );
    let queue = Mutex::new(Some(queue));
    let members = client.clone();
    // A lane has locks of loom's; one thread of it has one course.
    loom::model(move || {
        let lane = lane(&members, &producer, topic);
        lane.filled();
        lane.clone().run();
        assert!(!lane.filled.load(Acquire), "the sign is taken");
        lane.attach(queue.lock().unwrap().take().expect("the model runs once"));
        assert!(lane.filled.load(Acquire), "what came before is read");
        lane.end();
        lane.clone().run();
    });
    client.close(Duration::from_secs(10));
}
