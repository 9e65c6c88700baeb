//! From checked plans to running groups.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::setup::Setup;
use crate::application::Narad;
use crate::assemble::{Binding, GroupPlan};
use crate::config::{ClientKind, Config};
use crate::consumer::{
    ClusterTopics, GroupParts, Groups, Needed, Patterns, PlanFor, Shown, Threads, Workers,
};
use crate::engine::MemoryBudget;
use crate::error::{Error, Result};
use crate::record::TypeHeaders;
use crate::topics::{self, Found, TopicWatch, Watching};

/// The number of partitions that a group is taken to have where nobody knows it: on the embedded broker.
const PARTITIONS: usize = 16;

/// Makes sure of the topics, on a thread that nobody has to wait for: a runtime waits for its own at its end.
pub(super) async fn ensure_topics(config: Config, plans: Vec<GroupPlan>) -> Result<(Vec<GroupPlan>, Found)> {
    let (done, ensured) = oneshot::channel();
    let ensure = move || drop(done.send(topics::ensure(&config, &plans).map(|found| (plans, found))));
    let thread = std::thread::Builder::new().name("narad-topics".to_owned()).spawn(ensure);
    thread.map_err(|error| Error::Start(format!("no thread for the topics: {error}")))?;
    ensured.await.unwrap_or_else(|_| Err(Error::Start("the start was aborted".to_owned())))
}

impl Narad {
    /// Starts the groups; clients are made on threads of their own.
    pub(super) async fn start(
        &self,
        setup: Arc<Setup>,
        plans: Vec<GroupPlan>,
        shown: Vec<Arc<Shown>>,
        found: Found,
    ) -> Result<(Groups, Workers, Option<Watching>)> {
        let runtime = tokio::runtime::Handle::current();
        let workers = Workers::start(&runtime)
            .map_err(|error| Error::Start(format!("no threads for handlers: {error}")))?;
        let narad = self.for_contexts();
        let (needed, budget) = (workers.needed().clone(), workers.budget().clone());
        let started = tokio::task::spawn_blocking(move || {
            let config = &setup.config;
            let cluster = ClusterTopics::new(found.topics.clone());
            let watch = TopicWatch::new(cluster.clone());
            let watching =
                plans.iter().any(GroupPlan::has_patterns).then(|| watch.begin(config.clone())).transpose();
            let watching =
                watching.map_err(|error| Error::Start(format!("no thread for the topics: {error}")))?;
            let binding = Binding {
                states: setup.states.clone(),
                narad: narad.clone(),
                layers: setup.layers.clone(),
                type_headers: TypeHeaders::from(&config.type_headers[..]),
            };
            let starting = Starting {
                config,
                binding,
                found: &found,
                cluster,
                watch,
                runtime,
                workers: needed,
                budget,
                groups: plans.len(),
            };
            let mut groups = Groups::default();
            for (plan, shown) in plans.into_iter().zip(shown) {
                let name = plan.name.clone();
                groups
                    .start(starting.group(plan, shown)?)
                    .map_err(|error| Error::Start(format!("group {name} does not start: {error}")))?;
            }
            Ok((groups, watching))
        });
        let (groups, watching) =
            started.await.map_err(|error| Error::Start(format!("the start was aborted: {error}")))??;
        Ok((groups, workers, watching))
    }
}

/// What all groups of a start are made with.
struct Starting<'a> {
    config: &'a Config,
    binding: Binding,
    found: &'a Found,
    cluster: Arc<ClusterTopics>,
    watch: Arc<TopicWatch>,
    runtime: tokio::runtime::Handle,
    workers: Arc<Needed>,
    budget: Arc<MemoryBudget>,
    groups: usize,
}

impl Starting<'_> {
    /// A group as it is to run: its handlers bound to its topics, and its client's properties.
    fn group(&self, plan: GroupPlan, shown: Arc<Shown>) -> Result<GroupParts> {
        let config = self.config;
        let threads = plan.threads(&self.runtime);
        let topics = plan.topics().into_iter().map(|topic| {
            let bound = plan.plan(&topic, &threads, &self.binding)?;
            Ok(bound.map(|bound| (topic, bound)))
        });
        let topics = topics.filter_map(Result::transpose).collect::<Result<_>>()?;
        // Patterns that match nothing so far say nothing of what comes.
        let share = self.found.shares.get(&plan.name).copied().filter(|share| *share > 0);
        let client = config.client_config(ClientKind::Consumer {
            group: &plan.name,
            partitions: share.unwrap_or(PARTITIONS),
            groups: self.groups,
        })?;
        let patience = config.max_poll_interval();
        Ok(GroupParts {
            name: plan.name.clone(),
            client,
            transport: Arc::new(crate::transport::Kafka),
            // What the application sets is meant for each partition, however many there are.
            sized_for: share.filter(|_| !config.sets_prefetch()),
            topics,
            patterns: plan.has_patterns().then(|| self.patterns(plan, threads)),
            producer: self.binding.narad.producer().clone(),
            workers: self.workers.clone(),
            budget: self.budget.clone(),
            shown,
            commit_interval: config.commit_interval,
            revoke_deadline: config.shutdown_timeout.min(patience / 2),
            patience,
        })
    }

    /// The topics that the group's patterns match, bound when they appear.
    fn patterns(&self, plan: GroupPlan, threads: HashMap<String, Arc<Threads>>) -> Patterns {
        let (binding, plan) = (self.binding.clone(), Arc::new(plan));
        let late = (self.config.creates_topics() && !self.config.is_embedded())
            .then(|| (self.watch.clone(), self.found.topics.clone()));
        let find: PlanFor = Box::new(move |topic| {
            let bound = plan.plan(topic, &threads, &binding).map_err(|error| error.to_string())?;
            if let Some((watch, known)) = &late
                && bound.is_some()
                && !known.contains(topic)
            {
                watch.make_dead_letters(plan.clone(), topic.to_owned());
            }
            Ok(bound)
        });
        Patterns::new(find, self.cluster.clone())
    }
}
