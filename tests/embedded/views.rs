//! What an application tells of itself: its groups, its handlers, its partitions.

use std::sync::Arc;

use narad::prelude::*;
use narad::{GroupState, GroupView, Narad};
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
