//! What a client is asked: its place in its group, what is committed, where logs begin and end.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer;

use super::Client;
use crate::transport::kafka::ffi::ends::{self, Asked};
use crate::transport::kafka::ffi::{self, Handle, Kept};
use crate::transport::{self, CommitError, Fault, Membership, Position, Verdict, Which};

/// A commit that is on its way.
pub(crate) struct Sent {
    sent: ffi::Sent,
    /// Goes after it.
    client: Arc<Client>,
}

impl transport::Sent for Sent {
    fn answer(self: Box<Self>, patience: Duration) -> Result<Vec<Verdict>, Box<dyn transport::Sent>> {
        let Self { sent, client } = *self;
        sent.answer(patience).map_err(|sent| Box::new(Self { sent, client }) as _)
    }
}

impl Client {
    pub(super) fn handle(&self) -> Handle<'_> {
        Handle::of(self.consumer.client())
    }

    /// For what must not outlive it. Whoever has one keeps the client besides: by its owners it is known who
    /// still needs it.
    pub(in crate::transport::kafka) fn kept(&self) -> Kept {
        Kept::of(&self.consumer)
    }

    /// What the client is to its group now; `None` where it has none.
    pub(crate) fn membership(&self) -> Option<Membership> {
        ffi::membership(self.handle())
    }

    /// The cluster's id. It comes with metadata, which whoever has partitions has seen: only before that is
    /// it waited for. `None` where the time is over, or the brokers give none (before Kafka 0.10.1).
    pub(crate) fn cluster_id(&self, timeout: Duration) -> Option<String> {
        ffi::cluster_id(self.handle(), timeout)
    }

    /// What is committed for partitions, in their order; `None` where nothing is. Metadata that is not ASCII
    /// is somebody else's and left out.
    pub(crate) fn committed(
        &self,
        partitions: &[(&str, i32)],
        timeout: Duration,
    ) -> Result<Vec<Option<Position>>, CommitError> {
        ffi::committed(self.handle(), partitions, timeout)
    }

    /// Sends a commit to the coordinator.
    pub(in crate::transport::kafka) fn send_commit(
        self: Arc<Self>,
        positions: Vec<((String, i32), Position)>,
    ) -> Result<Sent, Fault> {
        let sent = ffi::commit(self.kept(), positions)?;
        Ok(Sent { sent, client: self })
    }

    /// Asks the leaders of these partitions, each of which is named once. An answer that has not come within
    /// so long is an error.
    pub(in crate::transport::kafka) fn ask_leaders<'a>(
        &'a self,
        partitions: &'a [(&'a str, i32)],
        which: Which,
        timeout: Duration,
    ) -> Asked<'a> {
        ends::ask(self.handle(), partitions, which, timeout)
    }
}
