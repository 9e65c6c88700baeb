//! A queue that is paused and goes on.

use std::sync::Mutex;

use super::*;
use crate::producer::{Producer, Settings};
use crate::transport::{Outgoing, PartitionQueue, embedded};

/// Has the queue of partition 0.
#[derive(Default)]
struct Detaches(Mutex<Option<PartitionQueue>>);

impl GroupEvents for Detaches {
    fn assigned(&self, client: &Arc<dyn Member>, partitions: &mut [Partition]) {
        partitions.iter_mut().for_each(|partition| partition.begin = Begin::Beginning);
        if let [first, ..] = partitions {
            *self.0.lock().unwrap() = client.clone().queue(&first.topic, 0, Box::new(|| {}));
        }
    }
    fn revoked(&self, _: &Arc<dyn Member>, _: &[Partition]) {
        self.0.lock().unwrap().take();
    }
    fn lost(&self, client: &Arc<dyn Member>, partitions: &[Partition]) {
        self.revoked(client, partitions);
    }
    fn stray(&self, _: &str, _: i32, _: OwnedMessage) {}
    fn error(&self, _: Option<Fault>, _: bool, _: &str) {}
}

/// Reads so many records of the queue that there is.
fn read(client: &Client, detaches: &Detaches, records: usize) -> Vec<i64> {
    let mut read = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(60);
    while read.len() < records {
        assert!(Instant::now() < deadline, "of {records} records came {read:?}");
        client.poll(Duration::from_millis(10));
        if let Some(queue) = &mut *detaches.0.lock().unwrap() {
            queue.read(records - read.len(), |entry| read.extend(entry.ok().map(|record| record.offset())));
        }
    }
    read
}

#[test]
fn a_partition_that_was_given_back_while_it_was_paused_is_not_paused_when_it_comes_back() {
    let topic = "paused";
    embedded::create_topic(topic).unwrap();
    let producer = Producer::new(Settings::of_embedded());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for _ in 0..10 {
        let record = Outgoing { topic: topic.to_owned(), partition: Some(0), ..Outgoing::default() };
        runtime.block_on(producer.send(record)).unwrap();
    }
    runtime.block_on(producer.disconnect()).unwrap();
    let mut config = ClientProperties::of_member(topic);
    config.set("session.timeout.ms", "3000").set("heartbeat.interval.ms", "300");
    let detaches = Arc::new(Detaches::default());
    let client = Client::create(&config, detaches.clone()).unwrap();
    client.subscribe(&[topic]).unwrap();
    assert_eq!(read(&client, &detaches, 5), [0, 1, 2, 3, 4]);
    let queue = |act: fn(&PartitionQueue)| act(detaches.0.lock().unwrap().as_ref().unwrap());
    queue(PartitionQueue::pause);
    queue(|queue| queue.go_on(ReadPosition { next: 3, epoch: -1 }));
    assert_eq!(read(&client, &detaches, 7), [3, 4, 5, 6, 7, 8, 9], "what was thrown away comes again");
    queue(PartitionQueue::pause);
    client.unsubscribe();
    let deadline = Instant::now() + Duration::from_secs(60);
    while detaches.0.lock().unwrap().is_some() {
        assert!(Instant::now() < deadline, "it is given back");
        client.poll(Duration::from_millis(10));
    }
    client.subscribe(&[topic]).unwrap();
    assert_eq!(read(&client, &detaches, 10).len(), 10);
    detaches.0.lock().unwrap().take();
    drop(detaches);
    client.close(Duration::from_secs(10));
}
