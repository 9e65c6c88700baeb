//! Whether the leaders of partitions have begun to lead.

use std::time::Duration;

use rdkafka::client::{Client, ClientContext};
use rdkafka::{Offset, TopicPartitionList};
use rdkafka_sys as sys;

use super::convert::milliseconds;
use super::epoch::add_position;

/// Asks the leaders of these partitions for their end, each leader once for all of its own; `false` where one
/// does not answer in time, or not as the leader. Blocks.
pub(crate) fn answer<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    partitions: impl Iterator<Item = i32>,
    timeout: Duration,
) -> bool {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        add_position(&mut list, topic, partition, Offset::End, -1);
    }
    // SAFETY: client and list are borrowed, hence alive; the call fills the list's elements in place and
    // keeps nothing of it. An answer that comes after the time is let go by librdkafka, which does not look
    // at the call's state then.
    let error =
        unsafe { sys::rd_kafka_offsets_for_times(client.native_ptr(), list.ptr(), milliseconds(timeout)) };
    error == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        && list.elements().iter().all(|element| element.error().is_ok())
}
