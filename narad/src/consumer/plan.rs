//! What a group does with the records of one of its topics.

use std::sync::Arc;

use narad_syntax::options::InForce;

use super::handler::Handler;
use crate::engine::{BatchPolicy, Routes};
use crate::record::TypeHeaders;

/// What a group does with the records of one topic.
#[derive(Debug)]
pub(crate) struct TopicPlan {
    pub(crate) handlers: Vec<Arc<Handler>>,
    /// Of its handlers, in their order.
    pub(crate) routes: Routes,
    /// The group's own dead-letter topic, for what has nothing to dispatch on.
    pub(crate) dead_letter: Arc<str>,
    /// Those that belong to the group on the topic count here.
    pub(crate) options: InForce<String>,
    pub(crate) type_headers: TypeHeaders,
    /// The one handler of the topic, where it takes batches.
    pub(crate) batch: Option<(Arc<Handler>, BatchPolicy)>,
}
