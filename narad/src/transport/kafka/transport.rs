//! What this room lends to the others.

use std::sync::Arc;

use super::admin::KafkaAdmin;
use super::client::Client;
use crate::error::Result;
use crate::transport::admin::Admin;
use crate::transport::{ClientProperties, GroupEvents, Member, Transport};

/// Kafka by librdkafka.
pub(crate) struct Kafka;

impl Transport for Kafka {
    fn member(
        &self,
        properties: &ClientProperties,
        events: Arc<dyn GroupEvents>,
    ) -> Result<Arc<dyn Member>, String> {
        Ok(Client::create(properties, events)?)
    }

    fn admin(&self, properties: &ClientProperties) -> Result<Box<dyn Admin>> {
        Ok(Box::new(KafkaAdmin::open(properties)?))
    }
}
