//! What an application tells of itself: its groups, its handlers, its partitions.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use narad::prelude::*;
use narad::{BatchOutcome, GroupState, GroupView, LanePhase, LaneView, Narad, RecordStage};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::unbounded_channel;

use crate::{Run, Seen, config, sightings, until};

#[derive(Event)]
#[event(topic = "it.viewed", type = "VIEWED", key = key)]
struct Viewed {
    key: String,
}

/// What a handler waits for.
type Gate = Arc<Semaphore>;

#[kafka_handler(topic = "it.viewed", group = "it-viewed-life")]
async fn waits_at_the_gate(event: Viewed, seen: State<Seen>, gate: State<Gate>) {
    let _ = seen.send(("arrived", event.key));
    drop(gate.acquire().await);
}

/// The view of the one group.
fn group(narad: &Narad) -> GroupView {
    narad.groups().into_iter().next().expect("a group")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_seen_from_its_beginning_to_its_end() {
    let (seen, mut sighted) = unbounded_channel();
    let gate: Gate = Arc::new(Semaphore::new(0));
    let narad = Narad::builder()
        .config(config())
        .groups(["it-viewed-life"])
        .state::<Seen>(seen)
        .state(gate.clone())
        .build()
        .await
        .expect("an application");
    assert_eq!(narad.groups(), [], "nothing runs");
    narad.event(&Viewed { key: "held".into() }).partition(0).send().await.expect("an acknowledgement");
    let run = Run::of(&narad);
    until("it is joining", || !narad.groups().is_empty()).await;
    sightings(&mut sighted, 1).await;
    until("it is stable", || group(&narad).state == GroupState::Stable).await;
    until("it knows who it is", || group(&narad).member.is_some()).await;
    let now = group(&narad);
    assert!(now.ready && now.generation.is_some(), "{now}");
    assert_eq!(now.cause, None, "{now}");
    assert_eq!(now.assigned.get("it.viewed").map(Vec::as_slice), Some([0, 1, 2, 3].as_slice()), "{now}");
    assert_eq!((now.rebalances.assigned, now.rebalances.lost), (1, 0), "{now}");

    let stopping = tokio::spawn(run.stop());
    until("it drains", || group(&narad).state == GroupState::Draining).await;
    let health = narad.health();
    assert_eq!(health.groups()[0].state(), GroupState::Stable, "as which it stood: {health}");
    assert!(health.is_draining(), "{health}");
    gate.add_permits(1);
    stopping.await.expect("no panic").expect("a clean drain");
    let now = group(&narad);
    assert_eq!((now.state, now.partitions()), (GroupState::Ended, 0), "{now}");
    assert!(now.commits.ok > 0 && now.commits.last.is_some(), "what was handled is committed: {now}");
    assert!(now.to_string().starts_with("it-viewed-life: ended since "), "{now}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_did_not_come_to_start_has_ended_with_the_run() {
    let narad = Narad::builder()
        .config(config())
        .groups(["it-viewed-life"])
        .state::<Seen>(unbounded_channel().0)
        .state::<Gate>(Arc::new(Semaphore::new(0)))
        .build()
        .await
        .expect("an application");
    narad.run_until(async {}).await.expect("a clean end");
    assert_eq!(group(&narad).state, GroupState::Ended);
}

#[derive(Event)]
#[event(topic = "it.counted", type = "COUNTED", key = key)]
struct Counted {
    key: String,
}

/// Comes to what its record asks for, in the end.
#[kafka_handler(
    topic = "it.counted",
    group = "it-counted",
    timeout = "300ms",
    retry(attempts = 2, backoff = "1ms..2ms")
)]
async fn comes_to(event: Counted, ctx: Context) -> Outcome {
    match (event.key.as_str(), ctx.attempt()) {
        ("skipped", _) => Outcome::skip("not wanted"),
        ("dead", _) => Outcome::dead_letter("beyond repair"),
        ("fails once", 1) => Outcome::retry("once"),
        ("panics once", 1) => panic!("once"),
        ("hangs once", 1) => std::future::pending().await,
        ("fails", _) => Outcome::retry("always"),
        _ => Outcome::done(),
    }
}

/// Takes the same records, and is done with each at once.
#[kafka_handler(topic = "it.counted", group = "it-counted")]
fn takes_the_same(_event: Counted) {}

#[tokio::test(flavor = "multi_thread")]
async fn each_record_is_counted_once_for_each_handler_and_so_is_each_attempt() {
    let narad =
        Narad::builder().config(config()).groups(["it-counted"]).build().await.expect("an application");
    let keys = ["done", "done too", "skipped", "dead", "fails once", "panics once", "hangs once", "fails"];
    for key in keys {
        narad.publish(&Counted { key: key.into() }).await.expect("an acknowledgement");
    }
    let unknown = narad::serde_json::json!({"type": "NOBODYS", "data": {}});
    narad.message("it.counted", unknown).send().await.expect("an acknowledgement");
    narad.tombstone("it.counted", "gone").await.expect("an acknowledgement");
    for _ in 0..2 {
        narad.send("it.counted", "not an object").await.expect("an acknowledgement");
    }
    let run = Run::of(&narad);
    let handler = |name: &str| narad.handlers().into_iter().find(|handler| handler.name == name);
    let settled = |name: &str| {
        handler(name).map_or((0, 0, 0), |handler| {
            let settled = handler.settled();
            (settled.done, settled.skipped, settled.dead_lettered)
        })
    };
    until("all of them are settled", || settled("comes_to") == (5, 1, 2)).await;
    until("for both handlers", || settled("takes_the_same") == (8, 0, 0)).await;
    until("what nobody takes is counted", || {
        let of_topic = handler("comes_to").and_then(|handler| handler.topic("it.counted").cloned());
        of_topic.is_some_and(|topic| {
            let unhandled = topic.unhandled;
            (unhandled.unknown_type, unhandled.tombstone, unhandled.malformed) == (1, 1, 2)
        })
    })
    .await;
    run.stop().await.expect("a clean drain");
    let views = narad.handlers();
    let names: Vec<_> = views.iter().map(|view| (&*view.group, &*view.name, view.in_flight)).collect();
    assert_eq!(names, [("it-counted", "comes_to", 0), ("it-counted", "takes_the_same", 0)]);
    let attempts = views[0].attempts;
    // Eight first ones; a second one of each that failed once, and of the one that fails always.
    assert_eq!((attempts.ok, attempts.err, attempts.panic, attempts.timeout), (5, 5, 1, 1), "{}", views[0]);
    assert_eq!((views[1].attempts.ok, views[1].attempts.err), (8, 0), "{}", views[1]);
    let classes = &views[0].topic("it.counted").expect("its topic").dead_letters;
    assert_eq!(classes.get("&str").copied(), Some(2), "by the type of the cause: {}", views[0]);
}

#[derive(Event)]
#[event(topic = "it.batched", type = "BATCHED", key = key)]
struct Batched {
    key: String,
}

#[kafka_handler(
    topic = "it.batched",
    group = "it-batched",
    batch(max = 8, wait = "200ms"),
    retry(attempts = 2, backoff = "1ms..2ms")
)]
async fn takes_batches(batch: Batch<Batched>, ctx: Context) -> BatchOutcome {
    let of = |event: &Batched| match event.key.as_str() {
        "skipped" => Outcome::skip("not wanted"),
        "fails once" if ctx.attempt() == 1 => Outcome::retry("once"),
        "dead" => Outcome::dead_letter("beyond repair"),
        _ => Outcome::done(),
    };
    batch.iter().map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_records_of_a_batch_are_counted_one_by_one() {
    let narad =
        Narad::builder().config(config()).groups(["it-batched"]).build().await.expect("an application");
    for key in ["a", "b", "skipped", "fails once", "dead", "c"] {
        let event = Batched { key: key.into() };
        narad.event(&event).partition(0).send().await.expect("an acknowledgement");
    }
    let run = Run::of(&narad);
    until("all of them are settled", || {
        let settled = narad.handlers().first().map(|handler| handler.settled()).unwrap_or_default();
        (settled.done, settled.skipped, settled.dead_lettered) == (4, 1, 1)
    })
    .await;
    run.stop().await.expect("a clean drain");
    let view = narad.handlers().remove(0);
    assert_eq!(view.in_flight, 0, "{view}");
    assert!(view.attempts.err >= 1 && view.attempts.ok >= 1, "{view}");
}

#[derive(Event)]
#[event(topic = "it.seen", type = "SEEN", key = key)]
struct Watched {
    key: String,
    number: u32,
}

/// Waits at the gate, fails for long, or is done.
#[kafka_handler(
    topic = "it.seen",
    group = "it-seen",
    concurrency = 4,
    retry(attempts = 1000, backoff = "1h..1h")
)]
async fn is_watched(event: Watched, gate: State<Gate>) -> Outcome {
    match event.key.as_str() {
        "held" if event.number == 0 => drop(gate.acquire().await),
        "fails" => return Outcome::retry("always"),
        _ => {}
    }
    Outcome::done()
}

/// The view of a partition.
fn partition(narad: &Narad, number: i32) -> Option<LaneView> {
    narad.partitions().into_iter().find(|view| view.partition == number)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_names_the_record_that_its_offset_waits_for_and_who_is_at_it_since_when() {
    let gate: Gate = Arc::new(Semaphore::new(0));
    let narad = Narad::builder()
        .config(config())
        .groups(["it-seen"])
        .state(gate.clone())
        .build()
        .await
        .expect("an application");
    assert_eq!(narad.partitions(), [], "nothing runs");
    let send = async |partition, key: &str, number| {
        let event = Watched { key: key.into(), number };
        narad.event(&event).partition(partition).send().await.expect("an acknowledgement");
    };
    for (key, number) in [("other", 0), ("held", 0), ("held", 1), ("held", 2), ("other", 1)] {
        send(0, key, number).await;
    }
    send(1, "fails", 0).await;
    let run = Run::of(&narad);
    until("the record at the gate is named", || {
        partition(&narad, 0).is_some_and(|view| view.committed == Some(1) && view.next_read == Some(5))
    })
    .await;
    until("all of it was looked at", || {
        partition(&narad, 0).is_some_and(|view| view.backlog == 0 && view.waiting.key == 2)
    })
    .await;
    let view = partition(&narad, 0).expect("it is assigned");
    let oldest = view.oldest.clone().expect("a record that is not finished");
    assert_eq!((view.phase, view.next_commit), (LanePhase::Running, Some(1)), "{view}");
    assert_eq!((oldest.offset, oldest.handler.as_deref()), (1, Some("is_watched")), "{view}");
    assert_eq!((oldest.stage, oldest.attempt), (RecordStage::Attempt, 1), "{view}");
    assert!(oldest.timestamp.is_some() && oldest.since.is_some(), "{view}");
    assert!(view.committed_at.is_some() && view.held_bytes > 0, "{view}");
    assert_eq!((view.in_flight, view.parked_keys), (1, 1), "{view}");
    assert_eq!(view.uncommitted.as_deref(), Some("the record at 1 is not finished"), "{view}");
    assert_eq!(narad.handlers()[0].in_flight, 2, "one at the gate, one that fails");

    until("the one that fails waits for its next attempt", || {
        partition(&narad, 1).is_some_and(|view| view.waiting.retry == 1)
    })
    .await;
    let failing = partition(&narad, 1).and_then(|view| view.oldest).expect("the one that fails");
    assert_eq!((failing.offset, failing.stage, failing.attempt), (0, RecordStage::Backoff, 1));

    gate.add_permits(3);
    until("the offset has moved to the end", || {
        partition(&narad, 0).is_some_and(|view| view.committed == Some(5))
    })
    .await;
    let view = partition(&narad, 0).expect("it is assigned");
    assert_eq!((&view.oldest, &view.uncommitted, view.in_flight), (&None, &None, 0), "{view}");
    run.stop().await.expect("a clean drain");
    assert_eq!(narad.partitions(), [], "nothing is assigned any more");
}

/// Blocks its thread, which an `async fn` ought not to do.
#[kafka_handler(topic = "it.seen-blocked", group = "it-seen-blocked")]
async fn blocks(_event: Watched, blocked: State<Blocked>) {
    let (lock, opened) = &**blocked;
    drop(opened.wait_while(lock.lock().expect("a lock"), |open| !*open).expect("a lock"));
}

/// What a handler blocks its thread for.
type Blocked = Arc<(std::sync::Mutex<bool>, std::sync::Condvar)>;

#[tokio::test(flavor = "multi_thread")]
async fn of_a_worker_that_does_not_come_out_of_a_handler_the_record_is_known_and_nobody_waits_for_it() {
    let blocked = Blocked::default();
    let narad = Narad::builder()
        .config(config())
        .groups(["it-seen-blocked"])
        .state(blocked.clone())
        .build()
        .await
        .expect("an application");
    let event = Watched { key: "blocks".into(), number: 0 };
    narad.event(&event).topic("it.seen-blocked").partition(2).send().await.expect("an acknowledgement");
    let run = Run::of(&narad);
    until("the call is seen", || partition(&narad, 2).is_some_and(|view| view.call.is_some())).await;
    let view = partition(&narad, 2).expect("it is assigned");
    let call = view.call.expect("it is inside");
    assert_eq!(call.offset, 0, "{view}");
    assert_eq!(
        view.uncommitted.as_deref(),
        Some("a worker is inside of a handler with the record at 0"),
        "{view}"
    );
    let again = partition(&narad, 2).and_then(|view| view.call).expect("it still is");
    assert_eq!(again.since, call.since, "since when it is known");
    *blocked.0.lock().expect("a lock") = true;
    blocked.1.notify_all();
    until("its offset is committed", || {
        partition(&narad, 2).is_some_and(|view| view.committed == Some(1) && view.uncommitted.is_none())
    })
    .await;
    run.stop().await.expect("a clean drain");
}

#[derive(Event)]
#[event(topic = "it.behind", type = "BEHIND", key = key)]
struct Behind {
    key: String,
}

#[kafka_handler(topic = "it.behind", group = "it-behind")]
async fn waits_behind(event: Behind, seen: State<Seen>, gate: State<Gate>) {
    let _ = seen.send(("arrived", event.key));
    gate.acquire().await.expect("it stays open").forget();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_tells_how_far_it_is_behind_its_end() {
    let (seen, mut sighted) = unbounded_channel();
    let gate: Gate = Arc::new(Semaphore::new(0));
    let narad = Narad::builder()
        .config(config())
        .groups(["it-behind"])
        .state::<Seen>(seen)
        .state(gate.clone())
        .build()
        .await
        .expect("an application");
    let run = Run::of(&narad);
    let before = SystemTime::now();
    for _ in 0..5 {
        let sent = narad.event(&Behind { key: "one".into() }).partition(2).send();
        sent.await.expect("an acknowledgement");
    }
    sightings(&mut sighted, 1).await;
    let view = || narad.partitions().into_iter().find(|partition| partition.partition == 2);
    // The first look has the leaders asked.
    until("the end is known", || view().is_some_and(|view| view.end == Some(5))).await;
    let held = view().expect("the partition");
    assert_eq!((held.lag, held.committed), (Some(5), None), "{held}");
    let age = held.lag_time.expect("it is behind");
    assert!(age <= before.elapsed().expect("the clock goes on"), "{held}");
    let others: Vec<_> =
        narad.partitions().into_iter().filter(|partition| partition.partition != 2).collect();
    assert!(
        others.iter().all(|other| (other.lag, other.lag_time) == (Some(0), Some(Duration::ZERO))),
        "{others:?}"
    );

    gate.add_permits(3);
    until("three are committed", || view().is_some_and(|view| view.committed == Some(3))).await;
    assert_eq!(view().and_then(|view| view.lag), Some(2));
    assert!(view().and_then(|view| view.lag_time).is_some_and(|time| time > Duration::ZERO));
    gate.add_permits(2);
    until("all is committed", || view().is_some_and(|view| view.committed == Some(5))).await;
    assert_eq!(view().map(|view| (view.lag, view.lag_time)), Some((Some(0), Some(Duration::ZERO))));
    run.stop().await.expect("a clean end");
    assert!(narad.partitions().is_empty());
}
