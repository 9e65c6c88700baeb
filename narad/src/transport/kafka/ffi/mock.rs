//! librdkafka's mock cluster: the settings that rdkafka's wrapper has no way for.

use std::ffi::{CStr, CString};

use rdkafka_sys as sys;

/// The cluster inside a client that was made with `test.mock.num.brokers`.
///
/// # Safety
/// `client` is alive.
unsafe fn cluster(client: *mut sys::rd_kafka_t) -> Option<*mut sys::rd_kafka_mock_cluster_t> {
    // SAFETY: the caller's promise.
    let cluster = unsafe { sys::rd_kafka_handle_mock_cluster(client) };
    (!cluster.is_null()).then_some(cluster)
}

/// Lets groups form at once, and gives the address of the cluster's broker.
pub fn begin<C: rdkafka::client::ClientContext>(client: &rdkafka::client::Client<C>) -> Option<String> {
    // SAFETY: the client is borrowed, hence alive; the address lives as long as the cluster and is copied.
    unsafe {
        let cluster = cluster(client.native_ptr())?;
        sys::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
        Some(CStr::from_ptr(sys::rd_kafka_mock_cluster_bootstraps(cluster)).to_string_lossy().into_owned())
    }
}

/// Makes a topic; `false` where the cluster refuses.
pub(crate) fn create_topic<C: rdkafka::client::ClientContext>(
    client: &rdkafka::client::Client<C>,
    name: &str,
    partitions: i32,
) -> bool {
    let Ok(name) = CString::new(name) else { return false };
    // SAFETY: the client is borrowed, hence alive; the name is copied.
    unsafe {
        cluster(client.native_ptr()).is_some_and(|cluster| {
            sys::rd_kafka_mock_topic_create(cluster, name.as_ptr(), partitions, 1)
                == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        })
    }
}
