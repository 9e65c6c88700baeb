//! What a group does with the records of one of its topics.

use std::sync::Arc;

use super::dispatch::Routes;
use super::handler::Handler;
use super::policy::BatchPolicy;
use crate::handler::{Ordering, Start};

/// What a group does with the records of one topic.
#[derive(Debug)]
pub(crate) struct TopicPlan {
    pub(crate) routes: Routes,
    /// The group's own dead-letter topic, for what has nothing to dispatch on.
    pub(crate) dead_letter: Arc<str>,
    pub(crate) ordering: Ordering,
    pub(crate) concurrency: usize,
    pub(crate) start: Start,
    /// The one handler of the topic, where it takes batches.
    pub(crate) batch: Option<(Arc<Handler>, BatchPolicy)>,
}
