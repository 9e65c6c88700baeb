//! What the suites share: a cluster to look at from outside, application processes, ledgers, the verifier, and faults.

pub mod cluster;
pub mod conductor;
pub mod kafkajs;
pub mod ledger;
pub mod process;
pub mod proxy;
pub mod verifier;
pub mod wait;

/// A name that no other test of any run has: topics, groups and runs are told apart by it.
pub fn fresh(what: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{what}-{:x}-{:x}-{}", ledger::now(), std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
