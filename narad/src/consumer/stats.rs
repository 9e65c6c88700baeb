//! What a group counts, and tells of itself.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::commits::Commits;
use super::counts::Counts;
use super::failures::Failures;
use super::outages::Outages;
use super::standing::Standing;
use crate::clock::Clock;
use crate::engine::{shown_headers, shown_type};
use crate::record::Record;
use crate::supervision::Supervision;

/// So many types that nobody takes are logged by a group.
pub(super) const SAID_TYPES: usize = 1024;

/// The counters of one group.
#[derive(Debug)]
pub(crate) struct GroupStats {
    name: String,
    blocked: AtomicUsize,
    halted: AtomicBool,
    /// Topics that a pattern matches and that cannot be handled.
    left_out: AtomicUsize,
    supervision: Arc<Supervision>,
    clock: Clock,
    /// Types nobody takes that were logged: once each, and not without bound.
    unknown: Mutex<HashSet<String>>,
    stuck: Mutex<Vec<String>>,
    outages: Outages,
    standing: Mutex<Standing>,
    commits: Commits,
    counts: Counts,
    failures: Failures,
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
    pub(crate) fn new(name: &str, supervision: Arc<Supervision>, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            standing: Mutex::new(Standing::new(clock.clone())),
            clock,
            name: name.to_owned(),
            blocked: AtomicUsize::new(0),
            halted: AtomicBool::new(false),
            left_out: AtomicUsize::new(0),
            supervision,
            unknown: Mutex::default(),
            stuck: Mutex::default(),
            outages: Outages::default(),
            commits: Commits::default(),
            counts: Counts::default(),
            failures: Failures::default(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The application's clock.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
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

    /// What became of the records.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What went wrong last.
    pub(super) fn failures(&self) -> &Failures {
        &self.failures
    }

    /// A handler of the group, with the topics that it names: views show it from now on.
    pub(crate) fn knows(&self, handler: &str, topics: &[String]) {
        self.counts.knows(handler, topics);
    }

    pub(super) fn left_out(&self) -> usize {
        self.left_out.load(Relaxed)
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
            tracing::info!("no longer stuck: {attempt}");
        }
        *known = stuck;
    }

    /// The attempts that take longer than they may.
    pub(super) fn stuck(&self) -> Vec<String> {
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

    /// A well-formed record that nobody takes: logged once per type, with the names of its headers, one of
    /// which may be the one that has the type.
    pub(crate) fn nobody_takes(&self, record: &Record, r#type: Option<&str>) {
        let topic = record.topic();
        let text = match r#type {
            Some(_) => "no handler takes this type: skipped (logged once per type)",
            None => {
                "no handler takes a record without a type: skipped (logged once); where one of its headers \
                 has the type, NARAD_TYPE_HEADERS names that header"
            }
        };
        let r#type = shown_type(r#type);
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if unknown.len() < SAID_TYPES && unknown.insert(format!("{topic} {type}")) {
            tracing::warn!(topic, group = self.name, r#type, headers = shown_headers(record), "{text}");
        }
    }
}
