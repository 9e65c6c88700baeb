//! Consuming, as a transport does it: a member of a group, the queues of its partitions, its commits. One
//! call into a transport reads a whole batch.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::admin::Admin;
use super::fault::Fault;
use super::kafka::ffi::Taken;
use super::membership::{CommitError, Membership, Verdict};
use super::message::{Message, OwnedMessage};
use super::position::{Begin, End, Partition, Position, ReadPosition, Which};
use super::properties::ClientProperties;
use super::signal::Signal;
use super::unread::NoRecord;

/// How a process gets at Kafka.
pub(crate) trait Transport: Send + Sync + 'static {
    /// A client for a group, which joins it once it subscribes to something.
    ///
    /// # Errors
    /// Why there is none, in words for whoever set the properties.
    fn member(
        &self,
        properties: &ClientProperties,
        events: Arc<dyn GroupEvents>,
    ) -> Result<Arc<dyn Member>, String>;

    /// A client for administration.
    fn admin(&self, properties: &ClientProperties) -> crate::error::Result<Box<dyn Admin>>;
}

/// What happens to a group's member. All but `error` are called on the thread that polls, which they may hold
/// up.
pub(crate) trait GroupEvents: Send + Sync + 'static {
    /// A rebalance has begun. librdkafka has paused what this member has, and goes on where it takes the
    /// application to be: one too far behind everything in a queue that was no record. Who knows better seeks
    /// now.
    fn paused(&self, _: &dyn Member) {}
    /// Partitions are about to be assigned: detach their queues, say where to begin.
    fn assigned(&self, member: &Arc<dyn Member>, partitions: &mut [Partition]);
    /// They are assigned: their queues may be read.
    fn began(&self) {}
    /// Partitions are about to be taken away: drain and commit before returning.
    fn revoked(&self, member: &Arc<dyn Member>, partitions: &[Partition]);
    /// Partitions were taken away already: fence, do not commit.
    fn lost(&self, member: &Arc<dyn Member>, partitions: &[Partition]);
    /// A record that came into the member's queue instead of its partition's.
    fn stray(&self, topic: &str, partition: i32, message: OwnedMessage);
    /// An error of the client's, most of them passing.
    fn error(&self, fault: Option<Fault>, fatal: bool, reason: &str);
}

/// Nobody's, for tests that make lanes and ask the cluster themselves.
#[cfg(test)]
pub(crate) struct NoEvents;

#[cfg(test)]
impl GroupEvents for NoEvents {
    fn assigned(&self, _: &Arc<dyn Member>, _: &mut [Partition]) {}
    fn revoked(&self, _: &Arc<dyn Member>, _: &[Partition]) {}
    fn lost(&self, _: &Arc<dyn Member>, _: &[Partition]) {}
    fn stray(&self, _: &str, _: i32, _: OwnedMessage) {}
    fn error(&self, _: Option<Fault>, _: bool, _: &str) {}
}

/// Of a group that may be gone: a member that records keep does not keep the group.
impl<G: GroupEvents> GroupEvents for Weak<G> {
    fn paused(&self, member: &dyn Member) {
        if let Some(group) = self.upgrade() {
            group.paused(member);
        }
    }

    fn assigned(&self, member: &Arc<dyn Member>, partitions: &mut [Partition]) {
        match self.upgrade() {
            Some(group) => group.assigned(member, partitions),
            None => partitions.iter_mut().for_each(|partition| partition.begin = Begin::Nowhere),
        }
    }

    fn began(&self) {
        if let Some(group) = self.upgrade() {
            group.began();
        }
    }

    fn revoked(&self, member: &Arc<dyn Member>, partitions: &[Partition]) {
        if let Some(group) = self.upgrade() {
            group.revoked(member, partitions);
        }
    }

    fn lost(&self, member: &Arc<dyn Member>, partitions: &[Partition]) {
        if let Some(group) = self.upgrade() {
            group.lost(member, partitions);
        }
    }

    fn stray(&self, topic: &str, partition: i32, message: OwnedMessage) {
        if let Some(group) = self.upgrade() {
            group.stray(topic, partition, message);
        }
    }

    fn error(&self, fault: Option<Fault>, fatal: bool, reason: &str) {
        if let Some(group) = self.upgrade() {
            group.error(fault, fatal, reason);
        }
    }
}

/// What is called when a queue goes from empty to not empty.
pub(crate) type Filled = Box<dyn Fn() + Send + Sync>;

/// A process as a member of a group. Polled and closed by the group's own thread; where records outlive the
/// group, the last of them takes it along.
pub(crate) trait Member: Send + Sync + fmt::Debug {
    /// Ends the wait of [`poll`](Self::poll).
    fn signal(&self) -> &Arc<Signal>;

    /// Always a list of names; patterns are resolved by the caller.
    fn subscribe(&self, topics: &[&str]) -> Result<(), String>;

    /// Leaves the group, as far as the next poll; a subscription joins it again.
    fn unsubscribe(&self);

    /// The same, unless the member has a name of its own: it keeps its partitions over a restart.
    fn unsubscribe_unless_named(&self);

    /// Waits for events, or the [signal](Self::signal), for at most this long, and serves all that is there:
    /// rebalances, errors. Records come through the partitions' own queues.
    fn poll(&self, timeout: Duration);

    /// Serves all that waits to be served now; whether a rebalance was among it. An assignment that is made
    /// beside the callbacks would answer one that waits: whoever makes one serves first, and leaves it to a
    /// later round where there was one.
    fn serve(&self) -> bool;

    /// Whether something waits to be served, as a rebalance.
    fn has_waiting(&self) -> bool;

    /// What the client is to its group now; `None` where it has none.
    fn membership(&self) -> Option<Membership>;

    /// Whether the partitions were lost, known before the callback that says so is served.
    fn is_assignment_lost(&self) -> bool;

    /// The cluster's id, waited for where it is not there. `None` where the time is over, or the brokers give
    /// none.
    fn cluster_id(&self, timeout: Duration) -> Option<String>;

    /// How many partitions a topic has.
    fn partitions(&self, topic: &str, timeout: Duration) -> Result<usize, String>;

    /// Whether the group's coordinator answers within so long.
    fn answers(&self, partition: (&str, i32), patience: Duration) -> bool;

    /// What is committed for partitions, in their order; `None` where nothing is. Metadata that is not ASCII
    /// is somebody else's and left out.
    fn committed(
        &self,
        partitions: &[(&str, i32)],
        timeout: Duration,
    ) -> Result<Vec<Option<Position>>, CommitError>;

    /// Sends a commit to the coordinator.
    fn commit(self: Arc<Self>, positions: Vec<((String, i32), Position)>) -> Result<Box<dyn Sent>, Fault>;

    /// Asks the leaders of these partitions, each of which is named once. An answer that has not come within
    /// so long is an error.
    fn ask<'a>(
        &'a self,
        partitions: &'a [(&'a str, i32)],
        which: Which,
        timeout: Duration,
    ) -> Box<dyn Asked + 'a>;

    /// The queue of a partition that is about to be assigned. To be called before it is: what was fetched by
    /// then would come as strays.
    fn queue(self: Arc<Self>, topic: &str, partition: i32, filled: Filled) -> Option<PartitionQueue>;

    /// Begins to read partitions anew, at other offsets, where reading has stopped; what was fetched before
    /// is thrown away. `all` is where all partitions of the assignment go on, these among them; none may be
    /// read meanwhile.
    fn read_from(&self, places: &[(&str, i32)], all: &[(&str, i32, ReadPosition)]) -> Result<(), String>;

    /// Reads a partition on at another place; what is in its queue is thrown away.
    fn seek(&self, topic: &str, partition: i32, at: ReadPosition);

    /// As [`seek`](Self::seek), and answers when it is done; `false` where the partition is not read.
    fn seek_read(&self, topic: &str, partition: i32, at: ReadPosition) -> Result<bool, String>;

    /// Fetches nothing of partitions; what is in their queues is thrown away.
    fn pause(&self, places: &[(&str, i32)]);

    /// Leaves the group and ends the client, on the calling thread. Called while the coordinator answers;
    /// where it does not, this waits for it.
    fn close(self: Arc<Self>, patience: Duration);
}

/// A commit that is on its way. It stays so when nobody waits for it any more, so that whoever gives up keeps
/// it.
pub(crate) trait Sent: Send {
    /// Waits until the coordinator has answered, but no longer than this: what became of each partition.
    /// Without an answer the commit is still on its way.
    fn answer(self: Box<Self>, patience: Duration) -> Result<Vec<Verdict>, Box<dyn Sent>>;
}

/// A question that is on its way to the leaders.
pub(crate) trait Asked {
    /// Waits for the answers, in the order of the partitions, and calls this again and again meanwhile.
    fn answers_while(self: Box<Self>, meanwhile: &dyn Fn()) -> Vec<Result<End, Fault>>;
}

/// The queue of one assigned partition, as a transport has it.
///
/// It tells that it is filled when it goes from empty to not empty, and only then: who reads has to read
/// until nothing comes, or to remember that there was more.
pub(crate) trait Queue: Send {
    /// Reads what is there, up to `max` records, without waiting.
    fn read(&mut self, max: usize) -> Batch<'_>;

    /// Fetches no more of the partition; what is in the queue is thrown away. It stays so over rebalances,
    /// until the partition is told to go on or is assigned anew.
    fn pause(&self);

    /// Fetches the partition from there on; what is in the queue is thrown away.
    fn go_on(&self, at: ReadPosition);
}

/// What was read at once, in the transport's own memory.
pub(crate) enum Batch<'a> {
    Kafka(Taken<'a>),
    /// And whether there may be more. Only the transport in memory has it, so that librdkafka's way has no
    /// choice at each record.
    #[cfg(test)]
    Owned(Vec<Result<OwnedMessage, NoRecord>>, bool),
}

/// The queue of one assigned partition. Read by one thread at a time (`&mut self`).
pub(crate) struct PartitionQueue(Box<dyn Queue>);

impl PartitionQueue {
    pub(crate) fn new(queue: impl Queue + 'static) -> Self {
        Self(Box::new(queue))
    }

    /// See [`Queue::read`]; `true` where the queue may hold more.
    pub(crate) fn read(&mut self, max: usize, mut each: impl FnMut(Result<Message, NoRecord>)) -> bool {
        match self.0.read(max) {
            Batch::Kafka(batch) => batch.each(|entry| each(entry.map(Message::Kafka))),
            #[cfg(test)]
            Batch::Owned(batch, more) => {
                batch.into_iter().for_each(|entry| each(entry.map(Message::Owned)));
                more
            }
        }
    }

    /// See [`Queue::pause`].
    pub(crate) fn pause(&self) {
        self.0.pause();
    }

    /// See [`Queue::go_on`].
    pub(crate) fn go_on(&self, at: ReadPosition) {
        self.0.go_on(at);
    }
}
