//! Members of a group that are there, and read nothing.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::cluster::Cluster;

/// Members of a group, until they are dropped; then they have left it.
#[derive(Debug)]
pub struct IdleMembers {
    ended: Option<Sender<()>>,
    polling: Option<JoinHandle<()>>,
}

impl IdleMembers {
    /// So many join a group beside whoever is in it.
    ///
    /// # Panics
    /// When they cannot be made.
    pub fn join(cluster: &Cluster, group: &str, topic: &str, members: usize) -> Self {
        let mut config = cluster.client();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("heartbeat.interval.ms", "500");
        let members: Vec<BaseConsumer> = (0..members)
            .map(|_| {
                let member: BaseConsumer = config.create().expect("a consumer");
                member.subscribe(&[topic]).expect("a subscription");
                member
            })
            .collect();
        let (ended, end) = channel::<()>();
        let polling = std::thread::spawn(move || {
            while end.recv_timeout(Duration::from_millis(20)) == Err(RecvTimeoutError::Timeout) {
                for member in &members {
                    // A record may come before its partition is paused; nobody commits it.
                    let _ = member.poll(Duration::ZERO);
                    let assigned = member.assignment().expect("an assignment");
                    member.pause(&assigned).expect("partitions are paused");
                }
            }
        });
        Self { ended: Some(ended), polling: Some(polling) }
    }
}

impl Drop for IdleMembers {
    fn drop(&mut self) {
        self.ended = None;
        self.polling.take().into_iter().for_each(|polling| drop(polling.join()));
    }
}
