//! A client of a group that does nothing with what it is told, for tests that ask the cluster something.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Client;
use crate::transport::{ClientProperties, EMBEDDED, NoEvents};

/// On the embedded broker. It joins once it subscribes to something.
pub(crate) fn idle_member(group: &str) -> Arc<Client> {
    idle_member_at(EMBEDDED, group)
}

/// The same elsewhere.
pub(crate) fn idle_member_at(brokers: &str, group: &str) -> Arc<Client> {
    let mut config = ClientProperties::of_member(group);
    config.set("bootstrap.servers", brokers);
    Client::create(&config, Arc::new(NoEvents)).unwrap()
}

/// Polls until the client is a member of its group.
///
/// # Panics
/// Where it is not let in.
pub(crate) fn await_joined(client: &Client) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while client
        .membership()
        .is_none_or(|membership| membership.member.is_empty() || membership.generation <= 0)
    {
        client.poll(Duration::from_millis(5));
        assert!(Instant::now() < deadline, "the group is joined");
    }
}
