//! Whether the application is connected, as a value and as `GET /health/kafka`.

mod group;

use std::fmt;

use serde::Serialize;

pub use group::GroupHealth;

use crate::view::GroupView;

/// The state of an application. Its `Display` is the JSON of `GET /health/kafka`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    status: &'static str,
    client_id: String,
    brokers: Vec<String>,
    /// Records whose key waits because neither their handler nor their dead letter takes them.
    blocked: usize,
    /// Attempts that have taken longer than `max.poll.interval.ms`: which handler, at which record.
    stuck: Vec<String>,
    groups: Vec<GroupHealth>,
    /// The application is stopping.
    draining: bool,
}

impl Health {
    /// That of an application without groups, which no record waits for.
    pub(crate) fn new(connected: bool, client_id: &str, brokers: &[String]) -> Self {
        let status = if connected { "connected" } else { "disconnected" };
        let (client_id, brokers) = (client_id.to_owned(), brokers.to_vec());
        Self {
            status,
            client_id,
            brokers,
            blocked: 0,
            stuck: Vec::new(),
            groups: Vec::new(),
            draining: false,
        }
    }

    /// That of one that runs groups; `broken` are threads of Narad's own that have panicked.
    pub(crate) fn with_work(self, groups: Vec<GroupView>, broken: Vec<String>, draining: bool) -> Self {
        let blocked = groups.iter().map(|group| group.blocked).sum();
        let stuck = groups.iter().flat_map(|group| group.stuck.clone()).chain(broken).collect();
        let groups = groups.into_iter().map(GroupHealth::from).collect();
        Self { blocked, stuck, groups, draining, ..self }
    }

    /// Whether a broker answered within the last seconds.
    pub fn is_connected(&self) -> bool {
        self.status == "connected"
    }

    /// Whether the application does its work: it is connected, each of its groups [is
    /// ready](GroupHealth::is_ready), no record is [blocked](Self::blocked), no attempt is
    /// [stuck](Self::stuck), and it is not stopping. `GET /health/kafka` answers 503 where it does not.
    pub fn is_ready(&self) -> bool {
        self.causes().is_empty()
    }

    /// Why it is not [ready](Self::is_ready), a line each; empty where it is.
    pub(crate) fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        if !self.is_connected() {
            causes.push(format!("no broker of {} answers", self.brokers.join(", ")));
        }
        for group in self.groups.iter().filter(|group| !group.is_ready()) {
            let cause = group.cause().map(|cause| format!(": {cause}")).unwrap_or_default();
            causes.push(format!("the group {} is {}{cause}", group.group(), group.state()));
        }
        if self.blocked > 0 {
            causes.push(format!("{} records wait that neither handler nor dead letter takes", self.blocked));
        }
        causes.extend(self.stuck.iter().cloned());
        if self.draining {
            causes.push("the application is stopping".to_owned());
        }
        causes
    }

    /// The groups of this process. Before [`run`](crate::Narad::run) there are none.
    pub fn groups(&self) -> &[GroupHealth] {
        &self.groups
    }

    /// Whether the application is stopping: it finishes the records in flight, and starts no more.
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// Attempts that have taken longer than `max.poll.interval.ms` (5 minutes, unless
    /// `NARAD_KAFKA_MAX_POLL_INTERVAL_MS` says otherwise): the handler and the record of each. If a handler
    /// blocks its thread, only its group is known. Threads of Narad's own that have panicked are listed, too:
    /// the application halts then.
    pub fn stuck(&self) -> &[String] {
        &self.stuck
    }

    /// The client id.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The configured brokers.
    pub fn brokers(&self) -> &[String] {
        &self.brokers
    }

    /// Records whose key waits because neither their handler nor their dead letter takes them.
    pub fn blocked(&self) -> usize {
        self.blocked
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}
