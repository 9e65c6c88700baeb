//! Committed offsets with their metadata, written and read with a deadline.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::ptr::{self, NonNull};
use std::slice;
use std::time::Duration;

use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka_sys as sys;

use super::convert::{fault, milliseconds};
use super::handle::{Handle, Kept};
use crate::transport::{Class, CommitError, Fault, Position, Verdict};

/// A list of partitions, owned.
pub(super) struct List(NonNull<sys::rd_kafka_topic_partition_list_t>);

impl List {
    pub(super) fn new(size: usize) -> Self {
        // SAFETY: it allocates or aborts.
        Self(unsafe { NonNull::new_unchecked(sys::rd_kafka_topic_partition_list_new(size as i32)) })
    }

    /// Adds a partition; the place is valid until the next one is added.
    pub(super) fn add(
        &mut self,
        topic: &str,
        partition: i32,
    ) -> Option<&mut sys::rd_kafka_topic_partition_t> {
        let topic = CString::new(topic).ok()?;
        // SAFETY: the list is ours, the topic is copied, and the result points into the list.
        unsafe { sys::rd_kafka_topic_partition_list_add(self.0.as_ptr(), topic.as_ptr(), partition).as_mut() }
    }

    /// Adds what is to be committed of a partition; a name with a NUL in it is none of Kafka's, and left out.
    fn add_position(&mut self, topic: &str, partition: i32, position: &Position) {
        let Some(element) = self.add(topic, partition) else { return };
        element.offset = position.next;
        if position.epoch >= 0 {
            // SAFETY: the element belongs to the list, and no other one was added since.
            unsafe { sys::rd_kafka_topic_partition_set_leader_epoch(element, position.epoch) };
        }
        if position.metadata.is_empty() {
            return;
        }
        let bytes = position.metadata.as_bytes();
        // SAFETY: as many bytes are asked for as are written; librdkafka frees them with the list.
        unsafe {
            let metadata = malloc(bytes.len());
            if !metadata.is_null() {
                ptr::copy_nonoverlapping(bytes.as_ptr(), metadata.cast::<u8>(), bytes.len());
                element.metadata = metadata;
                element.metadata_size = bytes.len();
            }
        }
    }

    pub(super) fn as_ptr(&mut self) -> *mut sys::rd_kafka_topic_partition_list_t {
        self.0.as_ptr()
    }

    fn elements(&self) -> &[sys::rd_kafka_topic_partition_t] {
        // SAFETY: the list is alive, and `elems` holds `cnt` elements (it may be null where there are none).
        unsafe {
            let list = self.0.as_ref();
            if list.cnt <= 0 { &[] } else { slice::from_raw_parts(list.elems, list.cnt as usize) }
        }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once; it frees the metadata of its elements, which `rd_malloc` (malloc)
        // gave.
        unsafe { sys::rd_kafka_topic_partition_list_destroy(self.0.as_ptr()) }
    }
}

/// A queue of our own for one answer.
pub(super) struct Answer(pub(super) NonNull<sys::rd_kafka_queue_t>);

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: owned, given back once; an answer that comes later finds the queue gone, which librdkafka
        // counts references for.
        unsafe { sys::rd_kafka_queue_destroy(self.0.as_ptr()) }
    }
}

unsafe extern "C" {
    /// The allocator with which librdkafka frees metadata.
    fn malloc(size: usize) -> *mut std::ffi::c_void;
}

/// A coordinator that has just answered has so long to say what it took.
const TAKEN: Duration = Duration::from_secs(3);

/// A commit that is on its way. It stays so when nobody waits for it any more, so that whoever gives up keeps
/// it.
pub(crate) struct Sent {
    /// The client's, and so dropped before it.
    answer: Answer,
    client: Kept,
    positions: Vec<((String, i32), Position)>,
}

// SAFETY: a queue of librdkafka's may be polled and given back by any thread.
unsafe impl Send for Sent {}

/// Sends a commit to the coordinator.
pub(crate) fn commit(client: Kept, positions: Vec<((String, i32), Position)>) -> Result<Sent, Fault> {
    let mut list = List::new(positions.len());
    for ((topic, partition), position) in &positions {
        list.add_position(topic, *partition, position);
    }
    // SAFETY: the client is alive, and the list is copied. Without a callback the answer comes as an event on
    // the queue, which lives as long as what is given back, and so does the client.
    let (answer, error) = unsafe {
        let answer = Answer(NonNull::new_unchecked(sys::rd_kafka_queue_new(client.handle().as_ptr())));
        let error = sys::rd_kafka_commit_queue(
            client.handle().as_ptr(),
            list.0.as_ptr(),
            answer.0.as_ptr(),
            None,
            ptr::null_mut(),
        );
        (answer, error)
    };
    if error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Err(fault(error));
    }
    Ok(Sent { answer, client, positions })
}

impl Sent {
    /// Waits until the coordinator has answered, but no longer than this: what became of each partition.
    /// Without an answer the commit is still on its way.
    pub(crate) fn answer(self, patience: Duration) -> Result<Vec<Verdict>, Self> {
        // SAFETY: the queue is alive, and the event is destroyed once, at the end; its list belongs to it and
        // is read before.
        let (error, refused) = unsafe {
            let event = sys::rd_kafka_queue_poll(self.answer.0.as_ptr(), milliseconds(patience));
            if event.is_null() {
                return Err(self);
            }
            let error = sys::rd_kafka_event_error(event);
            let refused = refused(sys::rd_kafka_event_topic_partition_list(event));
            sys::rd_kafka_event_destroy(event);
            (error, refused)
        };
        let all = error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR && refused.is_empty();
        let taken = self.taken(&refused);
        let unclear = taken.is_none();
        let taken = taken.unwrap_or_default();
        let Self { positions, .. } = self;
        let verdicts = positions.into_iter().enumerate().map(|(number, (place, position))| {
            let verdict = match refused.get(&place) {
                _ if all => Err(fault(error)),
                // It may be another partition's error: asked again.
                Some(code) if unclear && is_of_a_partition(*code) => Err(Code::OperationTimedOut.into()),
                Some(code) if !taken.get(number).is_some_and(|taken| *taken) => Err(*code),
                _ => Ok(()),
            };
            (place, position, verdict)
        });
        Ok(verdicts.collect())
    }

    /// Which of the partitions the coordinator has committed in spite of an error; `None` where it does not
    /// say.
    ///
    /// librdkafka 2.12 gives the error of one partition to all that have none of their own (its
    /// `rd_kafka_cgrp_update_committed_offsets`). Where the error may be of some partitions only, the
    /// coordinator is asked what it took.
    fn taken(&self, refused: &BTreeMap<(String, i32), Fault>) -> Option<Vec<bool>> {
        if self.positions.len() < 2 || !refused.values().any(|code| is_of_a_partition(*code)) {
            return Some(Vec::new());
        }
        let places: Vec<_> =
            self.positions.iter().map(|((topic, partition), _)| (topic.as_str(), *partition)).collect();
        let committed = committed_of_each(self.client.handle(), &places, TAKEN).ok()?;
        // Old coordinators keep no epochs.
        let is =
            |sent: &Position, found: &Position| (sent.next, &sent.metadata) == (found.next, &found.metadata);
        let sent = self.positions.iter().map(|(_, position)| position);
        Some(
            sent.zip(committed)
                .map(|(sent, found)| found.is_ok_and(|found| found.is_some_and(|found| is(sent, &found))))
                .collect(),
        )
    }
}

/// Whether the coordinator may refuse one partition with this and take others.
fn is_of_a_partition(fault: Fault) -> bool {
    matches!(
        fault.class,
        Class::UnknownTopic | Class::TopicDenied | Class::NoteTooLarge | Class::CommitTooLarge
    )
}

/// The partitions of an answer that have an error.
///
/// # Safety
/// The list is alive, or null.
unsafe fn refused(list: *mut sys::rd_kafka_topic_partition_list_t) -> BTreeMap<(String, i32), Fault> {
    // SAFETY: the caller's promise; `elems` holds `cnt` elements, each with a topic that is a C string.
    unsafe {
        let Some(list) = list.as_ref().filter(|list| list.cnt > 0) else { return BTreeMap::new() };
        let elements = slice::from_raw_parts(list.elems, list.cnt as usize).iter();
        let refused =
            elements.filter(|element| element.err != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR);
        let place = |element: &sys::rd_kafka_topic_partition_t| {
            (CStr::from_ptr(element.topic).to_string_lossy().into_owned(), element.partition)
        };
        refused.map(|element| (place(element), fault(element.err))).collect()
    }
}

/// What is committed for partitions, in their order; `None` where nothing is. Metadata that is not ASCII is
/// somebody else's and left out.
pub(crate) fn committed(
    client: Handle<'_>,
    partitions: &[(&str, i32)],
    timeout: Duration,
) -> Result<Vec<Option<Position>>, CommitError> {
    committed_of_each(client, partitions, timeout)?
        .into_iter()
        .map(|position| position.map_err(CommitError::Refused))
        .collect()
}

/// The same, with an error of each partition's own.
fn committed_of_each(
    client: Handle<'_>,
    partitions: &[(&str, i32)],
    timeout: Duration,
) -> Result<Vec<Result<Option<Position>, Fault>>, CommitError> {
    let mut list = List::new(partitions.len());
    for (topic, partition) in partitions {
        list.add(topic, *partition);
    }
    // SAFETY: client and list are alive; the call fills the list's elements in place.
    let error = unsafe { sys::rd_kafka_committed(client.as_ptr(), list.0.as_ptr(), milliseconds(timeout)) };
    if error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Err(if error == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__TIMED_OUT {
            CommitError::TimedOut
        } else {
            CommitError::Refused(fault(error))
        });
    }
    if list.elements().len() != partitions.len() {
        return Err(CommitError::TimedOut);
    }
    let positions = list.elements().iter().map(|element| {
        if element.err != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(fault(element.err));
        }
        if element.offset < 0 {
            return Ok(None);
        }
        let metadata = if element.metadata.is_null() {
            &[]
        } else {
            // SAFETY: the element holds `metadata_size` bytes until the list is destroyed.
            unsafe {
                slice::from_raw_parts(element.metadata.cast::<u8>().cast_const(), element.metadata_size)
            }
        };
        let metadata =
            if metadata.is_ascii() { String::from_utf8_lossy(metadata).into_owned() } else { String::new() };
        // SAFETY: the element belongs to the list, which is alive.
        let epoch = unsafe { sys::rd_kafka_topic_partition_get_leader_epoch(element) };
        Ok(Some(Position { next: element.offset, metadata, epoch }))
    });
    Ok(positions.collect())
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::transport::{Member, await_joined, embedded, idle_member};

    #[test]
    fn of_partitions_in_one_commit_each_has_its_own_verdict() {
        embedded::create_topic("verdicts").unwrap();
        let client = idle_member("verdicts");
        client.subscribe(&["verdicts"]).unwrap();
        await_joined(&client);
        let position = |next| Position { next, metadata: format!("note-{next}"), epoch: -1 };
        let place = |topic: &str| (topic.to_owned(), 0);
        let verdicts = loop {
            let sent = client
                .clone()
                .commit(vec![(place("no-such-topic"), position(3)), (place("verdicts"), position(7))])
                .unwrap();
            let verdicts = sent.answer(Duration::from_secs(60)).ok().expect("an answer");
            // A member has its generation before the others, and the coordinator, are through with the
            // rebalance.
            let is_early = |fault: Fault| matches!(fault.class, Class::Rebalancing | Class::OldGeneration);
            if !verdicts.iter().any(|(.., verdict)| verdict.is_err_and(is_early)) {
                break verdicts;
            }
            client.poll(Duration::from_millis(5));
        };
        let of = |topic: &str| verdicts.iter().find(|(place, ..)| place.0 == topic).expect("a verdict").2;
        assert_eq!(of("verdicts"), Ok(()));
        assert_eq!(of("no-such-topic"), Err(Code::UnknownTopicOrPartition.into()));
        client.close(Duration::from_secs(10));
    }
}
