//! What a group counts, and tells of itself.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use super::commits::Commits;
use super::lane::Lane;
use super::outages::Outages;
use super::shared::Shared;
use super::standing::Standing;
use crate::engine::Tally;
use crate::supervision::Supervision;
use crate::view::GroupView;

/// So many types that nobody takes are logged by a group.
pub(super) const SAID_TYPES: usize = 1024;

/// The counters of one group.
#[derive(Debug)]
pub(crate) struct GroupStats {
    name: String,
    handled: AtomicU64,
    skipped: AtomicU64,
    dead_lettered: AtomicU64,
    blocked: AtomicUsize,
    halted: AtomicBool,
    /// Topics that a pattern matches and that cannot be handled.
    left_out: AtomicUsize,
    supervision: Arc<Supervision>,
    /// Types nobody takes that were logged: once each, and not without bound.
    unknown: Mutex<HashSet<String>>,
    stuck: Mutex<Vec<String>>,
    outages: Outages,
    standing: Mutex<Standing>,
    commits: Commits,
    /// The group, while it runs.
    running: OnceLock<Weak<Shared>>,
}

/// One record whose key waits because neither its handler nor its dead letter takes it.
#[derive(Debug)]
pub(crate) struct Blocked(Arc<GroupStats>);

impl Drop for Blocked {
    fn drop(&mut self) {
        self.0.blocked.fetch_sub(1, Relaxed);
    }
}

impl GroupStats {
    pub(crate) fn new(name: &str, supervision: Arc<Supervision>) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            handled: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            dead_lettered: AtomicU64::new(0),
            blocked: AtomicUsize::new(0),
            halted: AtomicBool::new(false),
            left_out: AtomicUsize::new(0),
            supervision,
            unknown: Mutex::default(),
            stuck: Mutex::default(),
            outages: Outages::default(),
            standing: Mutex::default(),
            commits: Commits::default(),
            running: OnceLock::new(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Counts what records came to.
    pub(super) fn count(&self, tally: &Tally) {
        self.handled.fetch_add(tally.handled, Relaxed);
        self.skipped.fetch_add(tally.skipped + tally.unknown_type, Relaxed);
        self.dead_lettered.fetch_add(tally.dead_lettered + tally.tombstone + tally.malformed, Relaxed);
    }

    pub(crate) fn blocked(self: &Arc<Self>) -> Blocked {
        self.blocked.fetch_add(1, Relaxed);
        Blocked(self.clone())
    }

    /// The topics that take nothing now.
    pub(super) fn outages(&self) -> &Outages {
        &self.outages
    }

    pub(super) fn blocked_records(&self) -> usize {
        self.blocked.load(Relaxed)
    }

    /// Where the group stands.
    pub(crate) fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of its commits.
    pub(super) fn commits(&self) -> &Commits {
        &self.commits
    }

    /// From now on it runs.
    pub(super) fn runs(&self, group: &Arc<Shared>) {
        let _ = self.running.set(Arc::downgrade(group));
    }

    /// The lanes of its partitions.
    fn lanes(&self) -> Vec<Arc<Lane>> {
        self.running.get().and_then(Weak::upgrade).map_or_else(Vec::new, |group| group.committer.lanes())
    }

    pub(crate) fn view(&self) -> GroupView {
        let mut assigned = BTreeMap::<String, Vec<i32>>::new();
        for lane in self.lanes() {
            assigned.entry(lane.source().topic.to_string()).or_default().push(lane.source().partition);
        }
        let standing = self.standing();
        let (now, stood) = standing.stands();
        let (generation, member) = standing.membership();
        let (ready, rebalances) = (standing.is_ready(), standing.rebalances());
        drop(standing);
        GroupView {
            group: self.name.clone(),
            state: now.state,
            since: now.since,
            cause: now.cause,
            ready,
            assigned,
            generation,
            member,
            rebalances,
            commits: self.commits.view(),
            blocked: self.blocked_records(),
            stuck: self.stuck(),
            left_out: self.left_out.load(Relaxed),
            stood,
        }
    }

    pub(super) fn set_left_out(&self, topics: usize) {
        self.left_out.store(topics, Relaxed);
    }

    /// What is stuck now; each is said once.
    pub(super) fn set_stuck(&self, stuck: Vec<String>, patience: Duration) {
        let mut known = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        // Each tick, and with a thousand partitions there may be thousands of them.
        let (before, now): (HashSet<&String>, HashSet<&String>) =
            (known.iter().collect(), stuck.iter().collect());
        for attempt in stuck.iter().filter(|attempt| !before.contains(attempt)) {
            tracing::error!(
                "stuck for more than {} s: {attempt}; a timeout = \"…\" on the handler ends such attempts",
                patience.as_secs()
            );
        }
        for attempt in known.iter().filter(|attempt| !now.contains(attempt)) {
            tracing::info!("goes on: {attempt}");
        }
        *known = stuck;
    }

    /// The attempts that take longer than they may.
    fn stuck(&self) -> Vec<String> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn halt(&self) {
        self.halted.store(true, Relaxed);
        self.supervision.halt();
    }

    /// What watches the threads of the group.
    pub(crate) fn supervision(&self) -> &Arc<Supervision> {
        &self.supervision
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.halted.load(Relaxed)
    }

    /// A well-formed record that nobody takes: logged once per type.
    pub(crate) fn nobody_takes(&self, topic: &str, r#type: Option<&str>) {
        // Of a type that is no text the payload's own JSON would be shown.
        let text = r#type.map(|text| if text.starts_with(['{', '[']) { "no text" } else { text });
        let r#type = text.map(|text| crate::outcome::bounded(&text)).unwrap_or_else(|| "none".to_owned());
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if unknown.len() < SAID_TYPES && unknown.insert(format!("{topic} {type}")) {
            tracing::warn!(
                topic,
                group = self.name,
                r#type,
                "no handler takes this type: skipped (logged once per type)"
            );
        }
    }
}
