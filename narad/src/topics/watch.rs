//! The cluster's topics while the application runs: one thread of the process reads them, for all groups that
//! have patterns. It also makes the dead letters of topics that a pattern met.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::assemble::GroupPlan;
use crate::config::{ClientKind, Config};
use crate::consumer::ClusterTopics;
use crate::error::Result;
use crate::supervision::caught;
use crate::transport::admin::{Admin, DEAD_LETTER_ROOM, NewTopic};
use crate::transport::{Kafka, Transport};

/// How often they are read: a new topic is found within this.
const EVERY: Duration = Duration::from_secs(15);

/// Reads the cluster's topics now and then, and makes the dead letters of those that were met.
#[derive(Debug)]
pub(crate) struct TopicWatch {
    cluster: Arc<ClusterTopics>,
    work: Mutex<Work>,
    sign: Condvar,
}

#[derive(Debug, Default)]
struct Work {
    /// Topics that were met, whose dead letters are to be made.
    met: Vec<(Arc<GroupPlan>, String)>,
    over: bool,
}

/// Ends the thread, which nobody waits for: it may be asking a broker.
#[derive(Debug)]
pub(crate) struct Watching(Arc<TopicWatch>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.lock().over = true;
        self.0.sign.notify_all();
    }
}

impl TopicWatch {
    pub(crate) fn new(cluster: Arc<ClusterTopics>) -> Arc<Self> {
        Arc::new(Self { cluster, work: Mutex::default(), sign: Condvar::new() })
    }

    /// Begins to read them.
    pub(crate) fn begin(self: &Arc<Self>, config: Config) -> std::io::Result<Watching> {
        let watch = self.clone();
        std::thread::Builder::new().name("narad-topics".to_owned()).spawn(move || {
            // After a panic it begins anew: the next read is a later one.
            while caught(|| watch.keep_reading(&config)).is_err() {}
        })?;
        Ok(Watching(self.clone()))
    }

    /// Has the dead letters of a topic made soon.
    pub(crate) fn make_dead_letters(&self, plan: Arc<GroupPlan>, topic: String) {
        self.lock().met.push((plan, topic));
        self.sign.notify_all();
    }

    fn keep_reading(&self, config: &Config) {
        let mut admin = None;
        let mut due = Instant::now() + EVERY;
        while let Some(met) = self.work(due) {
            let done = self.round(config, &mut admin, &met, Instant::now() >= due);
            if let Err(error) = done {
                tracing::debug!(target: "narad", %error, "the cluster's topics cannot be read, or dead \
                 letters not made");
            }
            if Instant::now() >= due {
                due = Instant::now() + EVERY;
            }
        }
    }

    fn round(
        &self,
        config: &Config,
        admin: &mut Option<Box<dyn Admin>>,
        met: &[(Arc<GroupPlan>, String)],
        read: bool,
    ) -> Result<()> {
        let admin = match admin {
            Some(admin) => admin,
            None => admin.insert(Kafka.admin(&config.client_config(ClientKind::Admin)?)?),
        };
        for (plan, topic) in met {
            if let Err(error) = ensure_dead_letters(&**admin, plan, topic) {
                tracing::warn!(target: "narad", topic, %error, "the dead-letter topics of a new topic \
                 cannot be made yet; the first dead letter tries again");
            }
        }
        if read {
            self.cluster.tell(admin.names()?);
        }
        Ok(())
    }

    /// Waits until dead letters are to be made, or until then; `None` at the end.
    fn work(&self, due: Instant) -> Option<Vec<(Arc<GroupPlan>, String)>> {
        let waits = |work: &mut Work| !work.over && work.met.is_empty();
        let left = due.saturating_duration_since(Instant::now());
        let (mut work, _) =
            self.sign.wait_timeout_while(self.lock(), left, waits).unwrap_or_else(PoisonError::into_inner);
        (!work.over).then(|| std::mem::take(&mut work.met))
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the dead letters of a topic that a pattern met later. Blocks.
fn ensure_dead_letters(admin: &dyn Admin, group: &GroupPlan, topic: &str) -> Result<()> {
    let limit = admin.max_message_bytes(&[topic])?.get(topic).map(|bytes| bytes + DEAD_LETTER_ROOM);
    let new: Vec<_> = group
        .dead_letters(topic)
        .into_iter()
        .map(|name| NewTopic { name, max_message_bytes: limit })
        .collect();
    admin.create(&new)
}
