//! The queue of one assigned partition, which its lane reads and tells where to go on.

use std::sync::Arc;

use super::client::Client;
use super::ffi;
use crate::transport::{Batch, Filled, Queue, ReadPosition};

/// The queue of one assigned partition.
pub(super) struct KafkaQueue {
    queue: ffi::Queue,
    topic: String,
    partition: i32,
    /// Outlives its queue.
    client: Arc<Client>,
}

impl KafkaQueue {
    /// Detaches the queue of a partition from the consumer's. To be called before the partition is assigned:
    /// what was fetched by then would stay in the consumer's queue, and order would be lost.
    pub(super) fn detach(client: Arc<Client>, topic: &str, partition: i32, filled: Filled) -> Option<Self> {
        // A pause outlives the assignment that it was made in.
        client.resume(topic, partition);
        let queue = ffi::Queue::detach(client.kept(), topic, partition, filled)?;
        Some(Self { queue, topic: topic.to_owned(), partition, client })
    }
}

impl Queue for KafkaQueue {
    fn read(&mut self, max: usize) -> Batch<'_> {
        Batch::Kafka(self.queue.read(max))
    }

    fn pause(&self) {
        self.client.pause(&[(&self.topic, self.partition)]);
    }

    fn go_on(&self, at: ReadPosition) {
        // In this order nothing is fetched where librdkafka takes the application to be.
        self.client.seek(&self.topic, self.partition, at);
        self.client.resume(&self.topic, self.partition);
    }
}
