//! What this room lends to the others.

use super::admin::KafkaAdmin;
use crate::error::Result;
use crate::transport::ClientProperties;
use crate::transport::admin::Admin;

/// Kafka by librdkafka.
pub(crate) struct Kafka;

impl Kafka {
    /// A client for administration.
    pub(crate) fn admin(&self, properties: &ClientProperties) -> Result<Box<dyn Admin>> {
        Ok(Box::new(KafkaAdmin::open(properties)?))
    }
}
