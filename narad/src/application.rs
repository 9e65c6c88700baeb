//! The application as all that send and ask have it, handlers among them.
//!
//! It knows nothing of what runs: that is handed in above, and what tells of a group is no part of it. So a
//! context that somebody keeps, or a run that is dropped, keeps nothing alive but the producer.

mod about;
mod life;

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use self::about::About;
pub(crate) use self::life::{RunEvent, RunLifecycle, RunState};
use crate::health::Health;
use crate::producer::Producer;
use crate::supervision::Supervision;
use crate::view::{FailureView, GroupView, HandlerView, LaneView};

/// The application: it publishes, and handles records while it runs. Cheap to clone.
#[derive(Clone)]
pub struct Narad {
    shared: Arc<Application>,
    /// Of a context: part of what runs.
    inside: bool,
}

/// What the clones of an application share.
pub(crate) struct Application {
    pub(crate) about: About,
    pub(crate) producer: Producer,
    pub(crate) supervision: Arc<Supervision>,
    pub(crate) life: RunLifecycle,
    groups: Mutex<Vec<Arc<dyn Told>>>,
    /// What the one run is made of, until it begins.
    setup: Mutex<Option<Arc<dyn Any + Send + Sync>>>,
}

/// What tells of a group, during its run and after it.
pub(crate) trait Told: Send + Sync {
    fn group(&self) -> GroupView;

    fn handlers(&self) -> Vec<HandlerView>;

    fn partitions(&self) -> Vec<LaneView>;

    /// Its last failures, the newest last.
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "asked over HTTP"))]
    fn failures(&self) -> Vec<FailureView>;

    /// The run is over.
    fn ends(&self);
}

impl Narad {
    pub(crate) fn new(
        about: About,
        producer: Producer,
        supervision: Arc<Supervision>,
        setup: Arc<dyn Any + Send + Sync>,
    ) -> Self {
        let shared = Arc::new(Application {
            about,
            producer,
            supervision,
            life: RunLifecycle::default(),
            groups: Mutex::default(),
            setup: Mutex::new(Some(setup)),
        });
        Self { shared, inside: false }
    }

    #[cfg(test)]
    pub(crate) fn of_tests(producer: Producer) -> Self {
        Self::new(About::of_tests(), producer, Arc::default(), Arc::new(()))
    }

    /// The same for contexts.
    pub(crate) fn for_contexts(&self) -> Self {
        Self { shared: self.shared.clone(), inside: true }
    }

    /// Whether it is a context's, and so part of what runs.
    pub(crate) fn is_of_a_context(&self) -> bool {
        self.inside
    }

    pub(crate) fn producer(&self) -> &Producer {
        &self.shared.producer
    }

    pub(crate) fn shared(&self) -> &Arc<Application> {
        &self.shared
    }

    /// The groups of this process: the state of each and its cause, its partitions, its rebalances and
    /// commits. No I/O. Before [`run`](Self::run) there are none; after it they are
    /// [`Ended`](crate::GroupState::Ended).
    ///
    /// ```
    /// # fn show(narad: &narad::Narad) {
    /// for group in narad.groups().iter().filter(|group| !group.ready) {
    ///     println!("{group}");
    /// }
    /// # }
    /// ```
    pub fn groups(&self) -> Vec<GroupView> {
        self.shared.groups()
    }

    /// The handlers of the groups of this process: the results of the records that each got since the start,
    /// and of its attempts. No I/O. Before [`run`](Self::run) there are none.
    ///
    /// ```
    /// # fn show(narad: &narad::Narad) {
    /// for handler in narad.handlers() {
    ///     println!("{} of {}: {} dead-lettered", handler.name, handler.group, handler.settled().dead_lettered);
    /// }
    /// # }
    /// ```
    pub fn handlers(&self) -> Vec<HandlerView> {
        self.shared.handlers()
    }

    /// The partitions that are assigned to this process: how far each was read and committed, and what its
    /// offset waits for. No I/O, and it does not wait for handlers: if a handler blocks its worker, it shows
    /// the last report of that worker, and the call that blocks it.
    ///
    /// ```
    /// # fn show(narad: &narad::Narad) {
    /// for partition in narad.partitions().iter().filter(|partition| partition.uncommitted.is_some()) {
    ///     println!("{partition}");
    /// }
    /// # }
    /// ```
    pub fn partitions(&self) -> Vec<LaneView> {
        self.shared.partitions()
    }
}

impl Application {
    /// What the run is made of; `None` where it was taken before.
    pub(crate) fn take_setup(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.setup.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What tells of the groups of the run.
    pub(crate) fn told(&self) -> Vec<Arc<dyn Told>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// See [`Narad::groups`].
    pub(crate) fn groups(&self) -> Vec<GroupView> {
        self.told().iter().map(|group| group.group()).collect()
    }

    /// See [`Narad::handlers`].
    pub(crate) fn handlers(&self) -> Vec<HandlerView> {
        self.told().iter().flat_map(|group| group.handlers()).collect()
    }

    /// See [`Narad::partitions`].
    pub(crate) fn partitions(&self) -> Vec<LaneView> {
        self.told().iter().flat_map(|group| group.partitions()).collect()
    }

    pub(crate) fn set_told(&self, groups: Vec<Arc<dyn Told>>) {
        *self.groups.lock().unwrap_or_else(PoisonError::into_inner) = groups;
    }

    /// Ends the run, if there is one, and lets no other begin; true where none is left to wait for.
    pub(crate) fn stop(&self) -> bool {
        self.life.goes(RunEvent::Stops);
        self.life.now() == RunState::Ended
    }

    /// Waits until no run is left.
    pub(crate) async fn stopped(&self) {
        self.life.ended().await;
    }

    pub(crate) fn health(&self) -> Health {
        let groups = self.groups();
        // Without groups there is nothing to finish.
        let draining = matches!(self.life.now(), RunState::Draining | RunState::Ended) && !groups.is_empty();
        Health::new(self.producer.is_connected(), &self.about.client_id, &self.about.brokers).with_work(
            groups,
            self.supervision.failures(),
            draining,
        )
    }
}

impl fmt::Debug for Narad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Narad")
            .field("client_id", &self.shared.about.client_id)
            .field("brokers", &self.shared.about.brokers)
            .finish_non_exhaustive()
    }
}
