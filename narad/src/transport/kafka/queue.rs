//! The queue of one assigned partition, which its lane reads and tells where to go on.

use std::sync::Arc;

use super::client::Client;
use super::ffi::{KafkaMessage, Queue};
use crate::transport::{NoRecord, ReadPosition};

/// The queue of one assigned partition. Read by one thread at a time (`&mut self`); see [`Queue`] for when it
/// tells that it is filled.
pub(crate) struct PartitionQueue {
    queue: Queue,
    topic: String,
    partition: i32,
    /// Outlives its queue.
    client: Arc<Client>,
}

impl PartitionQueue {
    /// Detaches the queue of a partition from the consumer's. To be called before the partition is assigned:
    /// what was fetched by then would stay in the consumer's queue, and order would be lost.
    pub(crate) fn detach(
        client: &Arc<Client>,
        topic: &str,
        partition: i32,
        ready: impl Fn() + Send + Sync + 'static,
    ) -> Option<Self> {
        // A pause outlives the assignment that it was made in.
        client.resume(topic, partition);
        let queue = Queue::detach(client.kept(), topic, partition, ready)?;
        Some(Self { queue, topic: topic.to_owned(), partition, client: client.clone() })
    }

    /// Reads what is there, up to `max` records, without waiting; `true` where the queue may hold more.
    pub(crate) fn read(&mut self, max: usize, each: impl FnMut(Result<KafkaMessage, NoRecord>)) -> bool {
        self.queue.read(max, each)
    }

    /// Has librdkafka fetch no more of the partition; what is in the queue is thrown away. It stays so over
    /// rebalances, until the partition is told to go on or is assigned anew.
    pub(crate) fn pause(&self) {
        self.client.pause(&[(&self.topic, self.partition)]);
    }

    /// Has librdkafka fetch the partition from there on; what is in the queue is thrown away.
    pub(crate) fn go_on(&self, at: ReadPosition) {
        // In this order nothing is fetched where librdkafka takes the application to be.
        self.client.seek(&self.topic, self.partition, at);
        self.client.resume(&self.topic, self.partition);
    }
}
