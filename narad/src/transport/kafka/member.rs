//! The client as a member of its group.

use std::sync::Arc;
use std::time::Duration;

use super::client::Client;
use super::ffi::ends;
use super::queue::KafkaQueue;
use crate::transport::{
    Asked, CommitError, End, Fault, Filled, Member, Membership, PartitionQueue, Position, ReadPosition, Sent,
    Signal, Which,
};

impl Member for Client {
    fn signal(&self) -> &Arc<Signal> {
        self.signal()
    }

    fn subscribe(&self, topics: &[&str]) -> Result<(), String> {
        self.subscribe(topics)
    }

    fn unsubscribe(&self) {
        self.unsubscribe();
    }

    fn unsubscribe_unless_named(&self) {
        self.unsubscribe_unless_named();
    }

    fn poll(&self, timeout: Duration) {
        self.poll(timeout);
    }

    fn serve(&self) -> bool {
        self.serve()
    }

    fn has_waiting(&self) -> bool {
        self.has_waiting()
    }

    fn membership(&self) -> Option<Membership> {
        self.membership()
    }

    fn is_assignment_lost(&self) -> bool {
        self.is_assignment_lost()
    }

    fn cluster_id(&self, timeout: Duration) -> Option<String> {
        self.cluster_id(timeout)
    }

    fn partitions(&self, topic: &str, timeout: Duration) -> Result<usize, String> {
        self.partitions(topic, timeout)
    }

    fn answers(&self, partition: (&str, i32), patience: Duration) -> bool {
        self.answers(partition, patience)
    }

    fn committed(
        &self,
        partitions: &[(&str, i32)],
        timeout: Duration,
    ) -> Result<Vec<Option<Position>>, CommitError> {
        self.committed(partitions, timeout)
    }

    fn commit(self: Arc<Self>, positions: Vec<((String, i32), Position)>) -> Result<Box<dyn Sent>, Fault> {
        Ok(Box::new(self.send_commit(positions)?))
    }

    fn ask<'a>(
        &'a self,
        partitions: &'a [(&'a str, i32)],
        which: Which,
        timeout: Duration,
    ) -> Box<dyn Asked + 'a> {
        Box::new(self.ask_leaders(partitions, which, timeout))
    }

    fn queue(self: Arc<Self>, topic: &str, partition: i32, filled: Filled) -> Option<PartitionQueue> {
        KafkaQueue::detach(self, topic, partition, filled).map(PartitionQueue::new)
    }

    fn read_from(&self, places: &[(&str, i32)], all: &[(&str, i32, ReadPosition)]) -> Result<(), String> {
        self.read_from(places, all)
    }

    fn seek(&self, topic: &str, partition: i32, at: ReadPosition) {
        self.seek(topic, partition, at);
    }

    fn seek_read(&self, topic: &str, partition: i32, at: ReadPosition) -> Result<bool, String> {
        self.seek_read(topic, partition, at)
    }

    fn pause(&self, places: &[(&str, i32)]) {
        self.pause(places);
    }

    fn close(self: Arc<Self>, patience: Duration) {
        Client::close(self, patience);
    }
}

impl Asked for ends::Asked<'_> {
    fn answers_while(self: Box<Self>, meanwhile: &dyn Fn()) -> Vec<Result<End, Fault>> {
        (*self).answers_while(meanwhile)
    }
}
