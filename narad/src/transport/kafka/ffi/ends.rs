//! Where many logs begin and end: their leaders are asked all at once, each of them once.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::ptr::{self, NonNull};
use std::slice;
use std::time::{Duration, Instant};

use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka_sys as sys;

use super::commit::{Answer, List};
use super::convert::{fault, milliseconds};
use super::handle::Handle;
use crate::transport::{End, Fault, Which};

/// So often whoever waits for answers does something else.
const MEANWHILE: Duration = Duration::from_millis(50);

/// A question that is on its way to the leaders.
pub(crate) struct Asked<'a> {
    answer: Answer,
    partitions: &'a [(&'a str, i32)],
    deadline: Instant,
    /// Its queue is given back before it.
    _client: Handle<'a>,
}

/// Asks the leaders of these partitions, each of which is named once. An answer that has not come within so
/// long is an error.
pub(crate) fn ask<'a>(
    client: Handle<'a>,
    partitions: &'a [(&'a str, i32)],
    which: Which,
    timeout: Duration,
) -> Asked<'a> {
    let spec = match which {
        Which::Lowest => sys::rd_kafka_OffsetSpec_t::RD_KAFKA_OFFSET_SPEC_EARLIEST,
        Which::Next => sys::rd_kafka_OffsetSpec_t::RD_KAFKA_OFFSET_SPEC_LATEST,
    };
    let mut list = List::new(partitions.len());
    for (topic, partition) in partitions {
        if let Some(element) = list.add(topic, *partition) {
            element.offset = spec as i64;
        }
    }
    // SAFETY: the client is alive and outlives the queue (`Asked` borrows it); list and options are copied by
    // the call, and the options are destroyed once. An error of a setting is ours to destroy; there is none
    // for values of the right kind.
    let answer = unsafe {
        let answer = Answer(NonNull::new_unchecked(sys::rd_kafka_queue_new(client.as_ptr())));
        let options = sys::rd_kafka_AdminOptions_new(
            client.as_ptr(),
            sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS,
        );
        sys::rd_kafka_AdminOptions_set_request_timeout(options, milliseconds(timeout), ptr::null_mut(), 0);
        // As consumers read: an open transaction is behind the end.
        let committed = sys::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED;
        let error = sys::rd_kafka_AdminOptions_set_isolation_level(options, committed);
        if !error.is_null() {
            sys::rd_kafka_error_destroy(error);
        }
        sys::rd_kafka_ListOffsets(client.as_ptr(), list.as_ptr(), options, answer.0.as_ptr());
        sys::rd_kafka_AdminOptions_destroy(options);
        answer
    };
    Asked { answer, partitions, deadline: Instant::now() + timeout, _client: client }
}

impl Asked<'_> {
    /// Waits for the answers, in the order of the partitions, and calls this again and again meanwhile.
    pub(crate) fn answers_while(self, meanwhile: impl Fn()) -> Vec<Result<End, Fault>> {
        let mut told = BTreeMap::new();
        let mut otherwise: Fault = Code::OperationTimedOut.into();
        // SAFETY: the queue is alive; the event is destroyed once, at the end, and all that is read of it
        // belongs to it: `count` results, each with a partition whose topic is a C string.
        unsafe {
            let event = loop {
                let patience = self.deadline.saturating_duration_since(Instant::now());
                let wait = milliseconds(patience.min(MEANWHILE));
                let event = sys::rd_kafka_queue_poll(self.answer.0.as_ptr(), wait);
                if !event.is_null() || patience.is_zero() {
                    break event;
                }
                meanwhile();
            };
            let result =
                if event.is_null() { ptr::null() } else { sys::rd_kafka_event_ListOffsets_result(event) };
            if !result.is_null() {
                let error = sys::rd_kafka_event_error(event);
                if error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                    otherwise = fault(error);
                }
                let mut count = 0;
                let infos = sys::rd_kafka_ListOffsets_result_infos(result, &mut count);
                let infos = if infos.is_null() { &[] } else { slice::from_raw_parts(infos, count) };
                for info in infos {
                    let element = sys::rd_kafka_ListOffsetsResultInfo_topic_partition(*info);
                    let topic = CStr::from_ptr((*element).topic).to_string_lossy().into_owned();
                    let end = match (*element).err {
                        sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(End {
                            offset: (*element).offset,
                            epoch: sys::rd_kafka_topic_partition_get_leader_epoch(element),
                        }),
                        error => Err(fault(error)),
                    };
                    told.insert((topic, (*element).partition), end);
                }
            }
            if !event.is_null() {
                sys::rd_kafka_event_destroy(event);
            }
        }
        let of = |(topic, partition): &(&str, i32)| match told.remove(&((*topic).to_owned(), *partition)) {
            // The partitions of a leader that did not answer are left as they were.
            Some(Ok(end)) if end.offset < 0 => Err(Code::OperationTimedOut.into()),
            Some(told) => told,
            None => Err(otherwise),
        };
        self.partitions.iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::net::TcpListener;

    use super::*;
    use crate::transport::{embedded, idle_member, idle_member_at};

    #[test]
    fn who_waits_for_a_leader_that_does_not_answer_does_something_else_meanwhile() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = idle_member_at(&silent.local_addr().unwrap().to_string(), "silence");
        let calls = Cell::new(0);
        let asked = client.ask_leaders(&[("silent", 0)], Which::Next, Duration::from_millis(500));
        let answers = asked.answers_while(|| calls.set(calls.get() + 1));
        assert!(answers[0].is_err() && calls.get() > 0, "{answers:?} after {} calls", calls.get());
        client.close(Duration::from_secs(10));
    }

    #[test]
    fn many_partitions_are_asked_after_at_once_and_each_has_an_answer_of_its_own() {
        embedded::create_topic("ends").unwrap();
        let client = idle_member("ends");
        let partitions = [("ends", 3), ("ends", 77), ("ends", 0)];
        let patience = Duration::from_secs(30);
        let asked =
            [Which::Lowest, Which::Next].map(|which| client.ask_leaders(&partitions, which, patience));
        for answers in asked.map(|asked| asked.answers_while(|| {})) {
            let offsets: Vec<_> = answers.iter().map(|end| end.map(|end| end.offset)).collect();
            assert_eq!(
                (offsets[0], offsets[2]),
                (Ok(0), Ok(0)),
                "an empty log begins and ends at its first offset"
            );
            assert!(offsets[1].is_err(), "there is no such partition: {offsets:?}");
        }
        client.close(Duration::from_secs(10));
    }
}
