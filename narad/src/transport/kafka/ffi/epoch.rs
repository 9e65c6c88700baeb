//! Leader epochs in rdkafka's lists: by them a broker tells whether its log is still the one that was read.

use std::ffi::CString;

use rdkafka::{Offset, TopicPartitionList};
use rdkafka_sys as sys;

/// Adds a partition with an offset, and says as of which leader epoch that is; below zero it is not known. A
/// name with a NUL in it is none of Kafka's, and left out.
///
/// rdkafka's own way looks for what it has just added, from the first partition on.
pub(crate) fn add_position(
    list: &mut TopicPartitionList,
    topic: &str,
    partition: i32,
    offset: Offset,
    epoch: i32,
) {
    let (Ok(topic), Some(offset)) = (CString::new(topic), offset.to_raw()) else { return };
    // SAFETY: the list is alive and borrowed by us alone; it copies the topic; the element that is added
    // belongs to it, and no other one is added before we are done with it.
    unsafe {
        let element = sys::rd_kafka_topic_partition_list_add(list.ptr(), topic.as_ptr(), partition);
        (*element).offset = offset;
        if epoch >= 0 {
            sys::rd_kafka_topic_partition_set_leader_epoch(element, epoch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_thousand_partitions_each_has_the_offset_and_the_epoch_that_it_was_added_with() {
        let mut list = TopicPartitionList::with_capacity(1_000);
        let topic = |number: i32| if number % 2 == 0 { "even" } else { "odd" };
        for number in 0..1_000 {
            add_position(&mut list, topic(number), number, Offset::Offset(number.into()), number % 3 - 1);
        }
        let elements = list.elements();
        assert_eq!(elements.len(), 1_000);
        for (number, element) in (0..).zip(&elements) {
            assert_eq!((element.topic(), element.partition()), (topic(number), number));
            assert_eq!(element.offset(), Offset::Offset(number.into()));
            let name = CString::new(element.topic()).unwrap();
            // SAFETY: the list is alive, and so is the element of it that is found.
            let epoch = unsafe {
                let found = sys::rd_kafka_topic_partition_list_find(list.ptr(), name.as_ptr(), number);
                sys::rd_kafka_topic_partition_get_leader_epoch(found)
            };
            assert_eq!(epoch, number % 3 - 1);
        }
    }
}
