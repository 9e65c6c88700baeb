//! Batches on a cluster that answers with errors.

use narad::prelude::*;
use narad::{BatchOutcome, Publish};
use narad_tests::cluster::Stored;

use crate::application::Done;
use crate::cluster::TOPIC;
use crate::{Application, Mock, wait};

/// A record of a batch.
#[derive(Event, Debug)]
#[event(topic = "work", type = "PIECE", key = key)]
struct Piece {
    key: String,
    seq: u64,
}

fn piece(partition: i32, key: &str, seq: u64) -> Stored {
    let value = narad::serde_json::json!({"type": "PIECE", "key": key, "seq": seq});
    Stored { partition, ..Stored::to_write(key, value.to_string()) }
}

fn start(mock: &Mock, variable: &str, group: &str) -> Application {
    Application::start_with(mock, group, |config| {
        config.variables.set(variable, group);
        config.variables.set("GROUP", "nobody");
    })
}

/// Says something of each second record, and returns an event of the others.
#[kafka_handler(topic = "work", group = "${TELLING:-no-telling}", batch(max = 4, wait = "60s"))]
async fn telling(batch: Batch<Piece>) -> (BatchOutcome, Vec<Publish<Done>>) {
    let (mut outcome, mut done) = (BatchOutcome::done(), Vec::new());
    for (place, piece) in batch.iter().enumerate() {
        if piece.seq % 2 == 1 {
            outcome.set(place, Outcome::skip("every second one"));
        } else {
            done.push(Publish::of(Done::of(piece.seq)).key(&*piece.key));
        }
    }
    (outcome, done)
}

#[test]
fn events_of_a_batch_are_written_before_any_of_its_records_counts_as_done() {
    let group = "m11-telling";
    let mock = Mock::start(1);
    mock.lead("done", None);
    mock.cluster.write(TOPIC, (0..4).map(|seq| piece(0, &format!("user-{seq}"), seq)));
    let mut application = start(&mock, "TELLING", group);
    wait::until("health says that the records wait", || application.narad.health().blocked() >= 1);
    let committed = mock.committed(group);
    assert!(committed.iter().all(|(_, next)| *next < 1), "nothing counts as done: {committed:?}");
    mock.lead("done", Some(1));
    application.await_committed(&mock, 4);
    application.stop().expect("a clean drain");
    assert_eq!(mock.cluster.records("done").len(), 2);
}
