//! A client of a group that does nothing with what it is told, for tests that ask the cluster something.

use std::sync::Arc;

use super::Client;
use crate::transport::{ClientProperties, EMBEDDED, Fault, GroupEvents, Member, OwnedMessage, Partition};

struct Nobody;

impl GroupEvents for Nobody {
    fn assigned(&self, _: &Arc<dyn Member>, _: &mut [Partition]) {}
    fn revoked(&self, _: &Arc<dyn Member>, _: &[Partition]) {}
    fn lost(&self, _: &Arc<dyn Member>, _: &[Partition]) {}
    fn stray(&self, _: &str, _: i32, _: OwnedMessage) {}
    fn error(&self, _: Option<Fault>, _: bool, _: &str) {}
}

/// On the embedded broker. It joins once it subscribes to something.
pub(crate) fn idle_member(group: &str) -> Arc<Client> {
    idle_member_at(EMBEDDED, group)
}

/// The same elsewhere.
pub(crate) fn idle_member_at(brokers: &str, group: &str) -> Arc<Client> {
    let mut config = ClientProperties::of_member(group);
    config.set("bootstrap.servers", brokers);
    Client::create(&config, Arc::new(Nobody)).unwrap()
}
