//! From checked plans to running groups.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::setup::Setup;
use crate::application::Narad;
use crate::assemble::{Binding, GroupPlan};
use crate::config::{ClientKind, Config};
use crate::consumer::{ClusterTopics, GroupParts, Groups, Patterns, PlanFor, Shown, Workers};
use crate::error::{Error, Result};
use crate::topics::{self, Found, TopicWatch, Watching};

/// Makes sure of the topics, on a thread that nobody has to wait for: a runtime waits for its own at its end.
pub(super) async fn ensure_topics(config: Config, plans: Vec<GroupPlan>) -> Result<(Vec<GroupPlan>, Found)> {
    let (done, ensured) = oneshot::channel();
    let ensure = move || drop(done.send(topics::ensure(&config, &plans).map(|found| (plans, found))));
    let thread = std::thread::Builder::new().name("narad-topics".to_owned()).spawn(ensure);
    thread.map_err(|error| Error::Start(format!("no thread for the topics: {error}")))?;
    ensured.await.unwrap_or_else(|_| Err(Error::Start("the start broke off".to_owned())))
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
            let binding =
                Binding { states: setup.states.clone(), narad: narad.clone(), layers: setup.layers.clone() };
            let mut groups = Groups::default();
            let count = plans.len();
            let cluster = ClusterTopics::new(found.topics.clone());
            let watch = TopicWatch::new(cluster.clone());
            let watching =
                plans.iter().any(GroupPlan::has_patterns).then(|| watch.begin(config.clone())).transpose();
            let watching =
                watching.map_err(|error| Error::Start(format!("no thread for the topics: {error}")))?;
            for (plan, shown) in plans.into_iter().zip(shown) {
                let threads = plan.threads(&runtime);
                let topics = plan.topics().into_iter().map(|topic| {
                    let bound = plan.plan(&topic, &threads, &binding)?;
                    Ok(bound.map(|bound| (topic, bound)))
                });
                let topics = topics.filter_map(Result::transpose).collect::<Result<_>>()?;
                let share = found.shares.get(&plan.name).copied();
                // What the application sets is meant for each partition, however many there are.
                let sized_for = share.filter(|_| !config.sets_prefetch());
                let client = config.client_config(ClientKind::Consumer {
                    group: &plan.name,
                    partitions: share.unwrap_or(16),
                    groups: count,
                })?;
                // librdkafka's default is five minutes.
                let poll = config
                    .librdkafka
                    .get("max.poll.interval.ms")
                    .and_then(|value| value.parse().ok())
                    .unwrap_or(300_000);
                let revoke_deadline = config.shutdown_timeout.min(Duration::from_millis(poll) / 2);
                let name = plan.name.clone();
                let patterns = plan.has_patterns().then(|| {
                    let (binding, plan) = (binding.clone(), Arc::new(plan));
                    let late = (config.creates_topics() && !config.is_embedded())
                        .then(|| (watch.clone(), found.topics.clone()));
                    let find: PlanFor = Box::new(move |topic| {
                        let bound =
                            plan.plan(topic, &threads, &binding).map_err(|error| error.to_string())?;
                        if let Some((watch, known)) = &late
                            && bound.is_some()
                            && !known.contains(topic)
                        {
                            watch.make_dead_letters(plan.clone(), topic.to_owned());
                        }
                        Ok(bound)
                    });
                    Patterns::new(find, cluster.clone())
                });
                let parts = GroupParts {
                    name: name.clone(),
                    client,
                    transport: Arc::new(crate::transport::Kafka),
                    sized_for,
                    topics,
                    patterns,
                    producer: narad.producer().clone(),
                    workers: needed.clone(),
                    budget: budget.clone(),
                    shown,
                    commit_interval: config.commit_interval,
                    revoke_deadline,
                    patience: Duration::from_millis(poll),
                };
                groups
                    .start(parts)
                    .map_err(|error| Error::Start(format!("group {name} does not start: {error}")))?;
            }
            Ok((groups, watching))
        });
        let (groups, watching) =
            started.await.map_err(|error| Error::Start(format!("the start broke off: {error}")))??;
        Ok((groups, workers, watching))
    }
}
