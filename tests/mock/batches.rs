//! Batches on a cluster that answers with errors.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use narad::prelude::*;
use narad::{BatchOutcome, Config, LanePhase, Publish, RecordStage};
use narad_tests::cluster::Stored;
use tokio::sync::watch;

use crate::application::Done;
use crate::cluster::{PARTITIONS, TOPIC};
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

fn start(mock: &Mock, variable: &str, group: &str, configure: impl FnOnce(&mut Config)) -> Application {
    Application::start_with(mock, group, |config| {
        config.variables.set(variable, group);
        config.variables.set("GROUP", "nobody");
        configure(config);
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
    let mut application = start(&mock, "TELLING", group, |_| {});
    wait::until("the records wait for what they led to", || {
        let partitions = application.narad.partitions();
        let oldest = partitions.iter().filter_map(|partition| partition.oldest.as_ref());
        oldest.filter(|oldest| oldest.stage == RecordStage::Publish).count() == 1
    });
    let committed = mock.committed(group);
    assert!(committed.iter().all(|(_, next)| *next < 1), "nothing counts as done: {committed:?}");
    mock.lead("done", Some(1));
    application.await_committed(&mock, 4);
    application.stop().expect("a clean drain");
    assert_eq!(mock.cluster.records("done").len(), 2);
}

/// Of each piece that was handled: the group, and where it stands.
static HANDLED: Mutex<Vec<(String, i32, u64)>> = Mutex::new(Vec::new());

/// So many on each partition; one of them fails, and one waits at the gate when it comes alone.
const PIECES: u64 = 20;
const GATED: u64 = 5;
const FAILING: u64 = 10;

#[kafka_handler(
    topic = "work",
    group = "${ISOLATING:-no-isolating}",
    batch(max = 20, wait = "5s", isolate = 1),
    retry(attempts = 2, backoff = "1ms..5ms")
)]
async fn isolating(
    batch: Batch<Piece>,
    ctx: Context,
    gate: State<watch::Receiver<bool>>,
) -> Result<(), &'static str> {
    let seqs: Vec<u64> = batch.iter().map(|piece| piece.seq).collect();
    if seqs == [GATED] {
        // The sender lives as long as the application.
        let _ = (*gate).clone().wait_for(|open| *open).await;
    }
    if seqs.contains(&FAILING) {
        return Err("as it asks");
    }
    let handled = seqs.into_iter().map(|seq| (ctx.group().to_owned(), ctx.partition(), seq));
    HANDLED.lock().unwrap_or_else(PoisonError::into_inner).extend(handled);
    Ok(())
}

/// What the group has handled of a partition, in order.
fn handled(group: &str, partition: i32) -> Vec<u64> {
    let all = HANDLED.lock().unwrap_or_else(PoisonError::into_inner);
    let of = |of: &&(String, i32, u64)| of.0 == group && of.1 == partition;
    all.iter().filter(of).map(|(.., seq)| *seq).collect()
}

fn isolated(group: &str) -> (Mock, Application) {
    let mock = Mock::start(1);
    for partition in 0..PARTITIONS {
        mock.cluster.write(TOPIC, (0..PIECES).map(|seq| piece(partition, &format!("user-{}", seq % 7), seq)));
    }
    let application = start(&mock, "ISOLATING", group, |_| {});
    wait::until("both partitions wait at the gate", || {
        (0..PARTITIONS).all(|partition| handled(group, partition).len() as u64 == GATED)
    });
    (mock, application)
}

/// One that waits for no full batches, and at no gate.
fn next_owner(mock: &Mock, group: &str) -> Application {
    let application = start(mock, "ISOLATING", group, |config| {
        config.handler_overrides.set("ISOLATING_BATCH_WAIT", "50ms")
    });
    application.open_gate();
    application
}

/// Each is handled or dead-lettered, the first time in the order of its key; and nothing twice, where all was
/// committed.
fn assert_each(mock: &Mock, group: &str, once: bool) {
    let expected: Vec<u64> = (0..PIECES).filter(|seq| *seq != FAILING).collect();
    for partition in 0..PARTITIONS {
        let mut of = handled(group, partition);
        let mut seen = HashSet::new();
        of.retain(|seq| seen.insert(*seq) || once);
        for key in 0..7 {
            assert!(of.iter().filter(|seq| **seq % 7 == key).is_sorted(), "{of:?}");
        }
        of.sort_unstable();
        assert_eq!(of, expected);
    }
    let dead = mock.cluster.records(&format!("{TOPIC}.{group}.dlq")).len();
    assert!(dead == PARTITIONS as usize || (dead > PARTITIONS as usize && !once), "{dead} dead letters");
}

#[test]
fn a_revoke_while_records_come_one_by_one_loses_nothing_and_repeats_only_what_could_not_be_committed() {
    let group = "m11-isolated-revoked";
    let (mock, mut first) = isolated(group);
    let mut second = next_owner(&mock, group);
    wait::until("a partition is let go", || {
        let partitions = first.narad.partitions();
        partitions.iter().any(|partition| partition.phase == LanePhase::Draining)
    });
    first.open_gate();
    second.await_committed(&mock, 2 * PIECES as usize);
    assert!(second.narad.partitions().iter().any(|partition| partition.next_commit > Some(0)));
    first.stop().expect("a clean drain");
    second.stop().expect("a clean drain");
    // The mock cluster refuses commits while the group rebalances, until the member has joined again: what
    // was handled meanwhile is not committed then.
    let is_committed = first.said("the last commit failed") + first.said("lost: ") == 0;
    assert_each(&mock, group, is_committed);
}

#[test]
fn a_stop_while_records_come_one_by_one_waits_for_the_one_that_runs_and_leaves_the_rest() {
    let group = "m11-isolated-stopped";
    let (mock, mut first) = isolated(group);
    first.begin_stop();
    wait::until("it drains", || {
        let partitions = first.narad.partitions();
        partitions.iter().all(|partition| partition.phase == LanePhase::Draining)
    });
    first.open_gate();
    first.ended().expect("a clean drain");
    for partition in 0..PARTITIONS {
        assert_eq!(handled(group, partition), (0..=GATED).collect::<Vec<_>>());
    }
    let committed = mock.committed(group);
    assert!(committed.iter().all(|(_, next)| *next == GATED as i64 + 1), "{committed:?}");
    let mut second = next_owner(&mock, group);
    second.await_committed(&mock, 2 * PIECES as usize);
    second.stop().expect("a clean drain");
    assert_each(&mock, group, true);
}
