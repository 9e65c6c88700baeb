//! A Kafka of a test's own, for what would disturb others: its nodes are killed, stopped and started.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::cluster::Cluster;

/// A cluster that ends when it is dropped.
#[derive(Debug)]
pub struct Kafka {
    state: TempDir,
    /// How to reach it.
    pub cluster: Cluster,
}

impl Kafka {
    /// Starts a cluster of so many nodes on free ports.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(nodes: u32) -> Self {
        // A node that is gone is noticed before the sessions of the group's members end.
        let short = "broker.session.timeout.ms=3000\nbroker.heartbeat.interval.ms=500";
        Self::start_with(nodes, if nodes == 3 { short } else { "" })
    }

    /// Starts one with more lines for its properties.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_with(nodes: u32, properties: &str) -> Self {
        let state = tempfile::tempdir().expect("a folder");
        let exports = run(state.path(), &["up", &nodes.to_string()], properties);
        let brokers = exports
            .lines()
            .find_map(|line| line.strip_prefix("export NARAD_TEST_BROKERS='")?.strip_suffix('\''));
        let brokers = brokers.unwrap_or_else(|| panic!("no brokers in {exports}")).to_owned();
        Self { state, cluster: Cluster { brokers } }
    }

    /// Ends a node as `kill -9` does.
    ///
    /// # Panics
    /// When it does not end.
    pub fn kill(&self, node: u32) {
        script(self.state.path(), &["kill", &node.to_string()]);
    }

    /// Stops a node as an orchestrator does: it hands over what it leads.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(&self, node: u32) {
        script(self.state.path(), &["stop", &node.to_string()]);
    }

    /// Has a node do nothing more: its connections stay, and new ones are accepted and hang.
    ///
    /// # Panics
    /// When it does not run.
    pub fn freeze(&self, node: u32) {
        script(self.state.path(), &["freeze", &node.to_string()]);
    }

    /// Has a frozen node go on.
    ///
    /// # Panics
    /// When it does not run.
    pub fn thaw(&self, node: u32) {
        script(self.state.path(), &["thaw", &node.to_string()]);
    }

    /// Starts a node again, with its data.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn restart(&self, node: u32) {
        script(self.state.path(), &["start", &node.to_string()]);
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        script(self.state.path(), &["down"]);
    }
}

fn script(state: &Path, arguments: &[&str]) -> String {
    run(state, arguments, "")
}

fn run(state: &Path, arguments: &[&str], properties: &str) -> String {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("kafka/kafka.sh");
    let mut command = Command::new("bash");
    command.arg(script).args(arguments).env("NARAD_TEST_KAFKA", state);
    if !properties.is_empty() {
        command.env("NARAD_TEST_KAFKA_EXTRA", properties);
    }
    // Small, so that several fit beside each other.
    let output = command.env("NARAD_TEST_KAFKA_HEAP", "320m").output().expect("bash");
    assert!(output.status.success(), "kafka.sh {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
