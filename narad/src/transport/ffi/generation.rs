//! The generation of a group: counts its rebalances.

use std::ptr::NonNull;

use rdkafka_sys as sys;

use crate::transport::Client;

/// The generation in which the client is a member of its group, with the new protocol its epoch; `None` where it is no member.
pub(crate) fn generation(client: &Client) -> Option<i32> {
    // SAFETY: the client is alive; what is given back is ours until it is destroyed.
    let metadata = NonNull::new(unsafe { sys::rd_kafka_consumer_group_metadata(client.native()) })?;
    // SAFETY: read before it is destroyed, once.
    let generation = unsafe {
        let generation = sys::rd_kafka_consumer_group_metadata_generation_id(metadata.as_ptr());
        sys::rd_kafka_consumer_group_metadata_destroy(metadata.as_ptr());
        generation
    };
    (generation >= 0).then_some(generation)
}
