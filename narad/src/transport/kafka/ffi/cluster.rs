//! Which cluster a client talks to.

use std::ffi::CStr;
use std::time::Duration;

use rdkafka_sys as sys;

use super::convert::milliseconds;
use super::handle::Handle;

/// The cluster's id. It comes with metadata, which whoever has partitions has seen: only before that is it
/// waited for. `None` where the time is over, or the brokers give none (before Kafka 0.10.1).
///
/// rdkafka's own leaks the text.
pub(crate) fn cluster_id(client: Handle<'_>, timeout: Duration) -> Option<String> {
    // SAFETY: the client is alive; the text is ours, read and copied before it is given back, once, to the
    // allocator that made it.
    unsafe {
        let id = sys::rd_kafka_clusterid(client.as_ptr(), milliseconds(timeout));
        if id.is_null() {
            return None;
        }
        let text = CStr::from_ptr(id).to_string_lossy().into_owned();
        sys::rd_kafka_mem_free(client.as_ptr(), id.cast());
        Some(text)
    }
}
