//! Leader epochs in rdkafka's lists: by them a broker tells whether its log is still the one that was read.

use std::ffi::CString;

use rdkafka::TopicPartitionList;
use rdkafka_sys as sys;

/// Says as of which leader epoch the offset of a partition in this list is; below zero it is not known.
pub(crate) fn set_leader_epoch(list: &mut TopicPartitionList, topic: &str, partition: i32, epoch: i32) {
    let Ok(topic) = CString::new(topic) else { return };
    if epoch < 0 {
        return;
    }
    // SAFETY: the list is alive and borrowed by us alone; the element that is found belongs to it.
    unsafe {
        let element = sys::rd_kafka_topic_partition_list_find(list.ptr(), topic.as_ptr(), partition);
        if !element.is_null() {
            sys::rd_kafka_topic_partition_set_leader_epoch(element, epoch);
        }
    }
}
