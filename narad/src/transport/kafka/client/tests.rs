//! Partitions that are not assigned, although the group gives them.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use super::*;
use crate::transport::embedded;

/// The first time, it cannot say where partition 1 begins.
#[derive(Default)]
struct AllButOne {
    assigned: AtomicUsize,
    revoked: AtomicUsize,
}

impl GroupEvents for AllButOne {
    fn assigned(&self, _: &Arc<dyn Member>, partitions: &mut [Partition]) {
        let first = self.assigned.fetch_add(partitions.len(), SeqCst) < 4;
        for partition in partitions {
            partition.begin =
                if first && partition.partition == 1 { Begin::Nowhere } else { Begin::Beginning };
        }
    }
    fn revoked(&self, _: &Arc<dyn Member>, partitions: &[Partition]) {
        self.revoked.fetch_add(partitions.len(), SeqCst);
    }
    fn lost(&self, _: &Arc<dyn Member>, _: &[Partition]) {}
    fn stray(&self, _: &str, _: i32, _: OwnedMessage) {}
    fn error(&self, _: Option<Fault>, _: bool, _: &str) {}
}

fn poll_until(client: &Client, what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        client.poll(Duration::from_millis(10));
        assert!(Instant::now() < deadline, "{what}");
    }
}

fn leaves_one_out(strategy: &str) {
    let name = format!("left-out-{strategy}");
    embedded::create_topic(&name).unwrap();
    let mut config = ClientProperties::of_member(&name);
    config
        .set("partition.assignment.strategy", strategy)
        .set("heartbeat.interval.ms", "50")
        .set("session.timeout.ms", "2000");
    let events = Arc::new(AllButOne::default());
    let client = Client::create(&config, events.clone()).unwrap();
    let assignment = || {
        client
            .consumer
            .assignment()
            .unwrap()
            .elements()
            .iter()
            .map(|element| element.partition())
            .collect::<Vec<_>>()
    };
    client.subscribe(&[&name]).unwrap();
    poll_until(&client, "it has its partitions", || events.assigned.load(SeqCst) == 4);
    assert_eq!(assignment(), [0, 2, 3], "of {strategy}");
    client.unsubscribe();
    poll_until(&client, "it has none", || events.revoked.load(SeqCst) == 4 && assignment().is_empty());
    client.subscribe(&[&name]).unwrap();
    poll_until(&client, "it has them again", || events.assigned.load(SeqCst) == 8);
    assert_eq!(assignment(), [0, 1, 2, 3], "of {strategy}");
    client.close(Duration::from_secs(10));
}

#[test]
fn a_partition_that_begins_nowhere_is_not_assigned_and_given_back_all_the_same() {
    leaves_one_out("cooperative-sticky");
}

#[test]
fn the_same_with_the_eager_protocol() {
    leaves_one_out("range");
}

/// Two members of a group of their own.
fn two_members(name: &str, strategy: &str) -> [(Arc<Client>, Arc<AllButOne>); 2] {
    embedded::create_topic(name).unwrap();
    let mut config = ClientProperties::of_member(name);
    config
        .set("partition.assignment.strategy", strategy)
        .set("heartbeat.interval.ms", "50")
        .set("session.timeout.ms", "6000");
    [(); 2].map(|()| {
        let events = Arc::new(AllButOne { assigned: AtomicUsize::new(4), revoked: AtomicUsize::new(0) });
        (Client::create(&config, events.clone()).unwrap(), events)
    })
}

/// librdkafka takes every assignment for the answer to a rebalance that waits: partitions would go to others
/// with all that is in flight of them.
fn serves_a_rebalance_before_it_reads_anew(strategy: &str) {
    let name = format!("served-first-{strategy}");
    let [(first, events), (second, others)] = two_members(&name, strategy);
    first.subscribe(&[&name]).unwrap();
    poll_until(&first, "it has its partitions", || events.assigned.load(SeqCst) == 8);
    // Nothing of before waits.
    poll_until(&first, "all is served", || !first.has_waiting());
    second.subscribe(&[&name]).unwrap();
    // Other events may wait in its queue before the rebalance does.
    poll_until(&second, "a rebalance was served", || first.serve());
    let revoked = events.revoked.load(SeqCst);
    assert!(revoked >= 2, "the callback has let partitions go: {revoked}");
    let deadline = Instant::now() + Duration::from_secs(60);
    while others.assigned.load(SeqCst) < 6 {
        first.poll(Duration::from_millis(5));
        second.poll(Duration::from_millis(5));
        assert!(Instant::now() < deadline, "the second one has its half");
    }
    first.close(Duration::from_secs(10));
    second.close(Duration::from_secs(10));
}

#[test]
fn a_rebalance_that_waits_is_served_before_a_partition_is_read_anew() {
    serves_a_rebalance_before_it_reads_anew("cooperative-sticky");
}

#[test]
fn the_same_where_all_partitions_are_revoked() {
    serves_a_rebalance_before_it_reads_anew("range");
}
