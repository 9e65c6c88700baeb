//! How many members groups have: their coordinators are asked all at once.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::ptr::{self, NonNull};
use std::slice;
use std::time::Duration;

use rdkafka::client::{Client, ClientContext};
use rdkafka_sys as sys;

use super::commit::Answer;
use super::convert::milliseconds;

/// The members of each group that a coordinator tells of within this time. Those that it refuses, or whose
/// coordinator does not answer, are left out. Blocks.
pub(crate) fn group_members<C: ClientContext>(
    client: &Client<C>,
    groups: &[&str],
    timeout: Duration,
) -> BTreeMap<String, usize> {
    let names: Vec<CString> = groups.iter().filter_map(|group| CString::new(*group).ok()).collect();
    let mut names: Vec<_> = names.iter().map(|name| (name.as_ptr(), name)).collect();
    // librdkafka refuses a question about a group twice.
    names.sort_by_key(|(_, name)| *name);
    names.dedup_by_key(|(_, name)| *name);
    let mut pointers: Vec<_> = names.iter().map(|(pointer, _)| *pointer).collect();
    let mut members = BTreeMap::new();
    if pointers.is_empty() {
        return members;
    }
    // SAFETY: the client is borrowed, hence alive, and the queue is given back before it. Names and options
    // are copied by the call, and the options are destroyed once; an error of a setting is ours to destroy,
    // and there is none for a value of the right kind. The event is destroyed once, at the end, and all that
    // is read of it belongs to it: `count` descriptions, each with a name that is a C string.
    unsafe {
        let answer = Answer(NonNull::new_unchecked(sys::rd_kafka_queue_new(client.native_ptr())));
        let options = sys::rd_kafka_AdminOptions_new(
            client.native_ptr(),
            sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS,
        );
        let error = sys::rd_kafka_AdminOptions_set_request_timeout(
            options,
            milliseconds(timeout),
            ptr::null_mut(),
            0,
        );
        debug_assert!(error == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR, "{error:?}");
        sys::rd_kafka_DescribeConsumerGroups(
            client.native_ptr(),
            pointers.as_mut_ptr(),
            pointers.len(),
            options,
            answer.0.as_ptr(),
        );
        sys::rd_kafka_AdminOptions_destroy(options);
        let event = sys::rd_kafka_queue_poll(answer.0.as_ptr(), milliseconds(timeout));
        if event.is_null() {
            return members;
        }
        let result = sys::rd_kafka_event_DescribeConsumerGroups_result(event);
        if !result.is_null() {
            let mut count = 0;
            let described = sys::rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count);
            let described = if described.is_null() { &[] } else { slice::from_raw_parts(described, count) };
            for group in described {
                let error = sys::rd_kafka_ConsumerGroupDescription_error(*group);
                if !error.is_null()
                    && sys::rd_kafka_error_code(error) != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
                {
                    continue;
                }
                let name = CStr::from_ptr(sys::rd_kafka_ConsumerGroupDescription_group_id(*group));
                members.insert(
                    name.to_string_lossy().into_owned(),
                    sys::rd_kafka_ConsumerGroupDescription_member_count(*group),
                );
            }
        }
        sys::rd_kafka_event_destroy(event);
    }
    members
}
