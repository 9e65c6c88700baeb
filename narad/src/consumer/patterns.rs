//! The topics of a group's patterns: those that come get a plan, those that were deleted leave. A topic is a
//! stranger's until it is planned: whatever is wrong with it, the application goes on without it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use super::cluster_topics::ClusterTopics;
use super::plan::TopicPlan;

/// A topic that was missing in so many reads in a row is gone. One read may miss it: a broker that has just
/// begun does not know all.
const GONE: u32 = 2;

/// What a topic gets: a plan of its own, `None` where no pattern matches it, or why it cannot have one.
pub(crate) type PlanFor = Box<dyn Fn(&str) -> Result<Option<Arc<TopicPlan>>, String> + Send + Sync>;

/// What the patterns of one group have found; its control thread's.
pub(crate) struct Patterns {
    plan_for: PlanFor,
    cluster: Arc<ClusterTopics>,
    /// The last read of the cluster's topics that was looked at, and what it told.
    seen: u64,
    known: Arc<BTreeSet<String>>,
    /// In how many reads in a row each was missing.
    found: BTreeMap<String, u32>,
    /// They match and cannot be handled; each is said once.
    left_out: BTreeSet<String>,
}

impl Patterns {
    pub(crate) fn new(plan_for: PlanFor, cluster: Arc<ClusterTopics>) -> Self {
        Self {
            plan_for,
            cluster,
            seen: 0,
            known: Arc::default(),
            found: BTreeMap::new(),
            left_out: BTreeSet::new(),
        }
    }

    /// Looks at the cluster's topics, where they were read anew, and puts the plans right; `false` where
    /// there is nothing new. A plan stays as long as the process has a partition of its topic.
    pub(super) fn look(
        &mut self,
        group: &str,
        plans: &mut HashMap<String, Arc<TopicPlan>>,
        is_assigned: impl Fn(&str) -> bool,
    ) -> bool {
        let Some((read, topics)) = self.cluster.since(self.seen) else { return false };
        self.seen = read;
        // No topic at all is what a broker says that knows nothing yet.
        if topics.is_empty() {
            return false;
        }
        self.left_out.retain(|topic| topics.contains(topic));
        // A large cluster has many topics, and few new ones.
        let known = std::mem::replace(&mut self.known, topics.clone());
        for topic in topics.difference(&known) {
            if plans.contains_key(topic) {
                continue;
            }
            match (self.plan_for)(topic) {
                Ok(Some(plan)) => {
                    plans.insert(topic.clone(), plan);
                    self.found.insert(topic.clone(), 0);
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(
                        group,
                        topic,
                        error,
                        "a topic matches a pattern and cannot be handled: it is left out, and nothing of it \
                         is read"
                    );
                    self.left_out.insert(topic.clone());
                }
            }
        }
        self.found.retain(|topic, missing| {
            if topics.contains(topic) {
                *missing = 0;
                return true;
            }
            *missing += 1;
            if *missing == GONE {
                tracing::info!(group, topic, "a topic of a pattern was deleted, or may not be seen any more: it is no longer subscribed");
            }
            let stays = *missing < GONE || is_assigned(topic);
            if !stays {
                plans.remove(topic);
            }
            stays
        });
        true
    }

    /// Whether the group subscribes to the topic.
    pub(super) fn subscribes(&self, topic: &str) -> bool {
        self.found.get(topic).is_none_or(|missing| *missing < GONE)
    }

    /// How many topics match and cannot be handled.
    pub(super) fn left_out(&self) -> usize {
        self.left_out.len()
    }
}

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patterns")
            .field("found", &self.found)
            .field("left_out", &self.left_out)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use narad_syntax::options::Options;

    use super::*;
    use crate::engine::Routes;
    use crate::record::TypeHeaders;

    fn plan() -> Arc<TopicPlan> {
        Arc::new(TopicPlan {
            handlers: Vec::new(),
            routes: Routes::new(Vec::new()),
            options: Options::NONE.in_force(true),
            type_headers: TypeHeaders::default(),
            batch: None,
            dead_letter: "p.dlq".into(),
        })
    }

    /// Patterns that take what begins with `p`, but cannot handle what ends with an exclamation mark.
    fn patterns(cluster: &Arc<ClusterTopics>) -> Patterns {
        let plan_for = |topic: &str| match topic {
            _ if topic.ends_with('!') => Err("it cannot be handled".to_owned()),
            _ => Ok(topic.starts_with('p').then(plan)),
        };
        Patterns::new(Box::new(plan_for), cluster.clone())
    }

    fn topics(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn subscribed(patterns: &Patterns, plans: &HashMap<String, Arc<TopicPlan>>) -> BTreeSet<String> {
        plans.keys().filter(|topic| patterns.subscribes(topic)).cloned().collect()
    }

    #[test]
    fn what_matches_comes_and_what_cannot_be_handled_is_left_out_and_nothing_else_happens() {
        let cluster = ClusterTopics::new(Arc::new(topics(&["p1", "p2!", "other"])));
        let (mut patterns, mut plans) = (patterns(&cluster), HashMap::from([("named".to_owned(), plan())]));
        assert!(patterns.look("g", &mut plans, |_| false));
        assert_eq!(subscribed(&patterns, &plans), topics(&["named", "p1"]));
        assert_eq!(patterns.left_out(), 1);
        assert!(!patterns.look("g", &mut plans, |_| false), "nothing was read since");
        cluster.tell(topics(&["p1", "p3"]));
        assert!(patterns.look("g", &mut plans, |_| false));
        assert_eq!(subscribed(&patterns, &plans), topics(&["named", "p1", "p3"]));
        assert_eq!(patterns.left_out(), 0, "it is gone");
    }

    #[test]
    fn a_topic_that_was_deleted_leaves_the_subscription_and_its_plan_goes_with_its_last_partition() {
        let cluster = ClusterTopics::new(Arc::new(topics(&["p1", "p2"])));
        let (mut patterns, mut plans) = (patterns(&cluster), HashMap::from([("named".to_owned(), plan())]));
        patterns.look("g", &mut plans, |_| true);
        cluster.tell(topics(&["p2"]));
        patterns.look("g", &mut plans, |_| true);
        assert!(patterns.subscribes("p1"), "one read may miss it");
        cluster.tell(BTreeSet::new());
        assert!(!patterns.look("g", &mut plans, |_| true), "a broker that knows nothing is not believed");
        cluster.tell(topics(&["p2"]));
        patterns.look("g", &mut plans, |_| true);
        assert_eq!(
            subscribed(&patterns, &plans),
            topics(&["named", "p2"]),
            "what is named stays whatever is read"
        );
        assert!(plans.contains_key("p1"), "its partition is still here");
        cluster.tell(topics(&["p2"]));
        patterns.look("g", &mut plans, |_| false);
        assert!(!plans.contains_key("p1"));
        cluster.tell(topics(&["p1", "p2"]));
        patterns.look("g", &mut plans, |_| false);
        assert_eq!(subscribed(&patterns, &plans), topics(&["named", "p1", "p2"]), "it was made anew");
    }
}
