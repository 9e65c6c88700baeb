//! Committed offsets with their metadata, written and read with a deadline.

use std::ffi::CString;
use std::ptr::{self, NonNull};
use std::slice;
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;
use rdkafka_sys as sys;

use super::milliseconds;
use crate::transport::Client;

/// What is committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The next offset to be read.
    pub(crate) next: i64,
    /// ASCII, so that every client can read it.
    pub(crate) metadata: String,
    /// The highest leader epoch that was read of the partition; below zero it is not known. A broker tells by it whether its log still is the one
    /// that was read.
    pub(crate) epoch: i32,
}

/// Why a commit failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitError {
    /// No answer in time.
    TimedOut,
    /// The coordinator's answer.
    Refused(RDKafkaErrorCode),
}

impl std::fmt::Display for CommitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TimedOut => f.write_str("the group coordinator did not answer in time"),
            Self::Refused(code) => write!(f, "{code}"),
        }
    }
}

/// A list of partitions, owned.
struct List(NonNull<sys::rd_kafka_topic_partition_list_t>);

impl List {
    fn new(size: usize) -> Self {
        // SAFETY: it allocates or aborts.
        Self(unsafe { NonNull::new_unchecked(sys::rd_kafka_topic_partition_list_new(size as i32)) })
    }

    /// Adds a partition; the place is valid until the next one is added.
    fn add(&mut self, topic: &str, partition: i32) -> Option<&mut sys::rd_kafka_topic_partition_t> {
        let topic = CString::new(topic).ok()?;
        // SAFETY: the list is ours, the topic is copied, and the result points into the list.
        unsafe { sys::rd_kafka_topic_partition_list_add(self.0.as_ptr(), topic.as_ptr(), partition).as_mut() }
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
        // SAFETY: owned, destroyed once; it frees the metadata of its elements, which `rd_malloc` (malloc) gave.
        unsafe { sys::rd_kafka_topic_partition_list_destroy(self.0.as_ptr()) }
    }
}

/// A queue of our own for one answer.
struct Answer(NonNull<sys::rd_kafka_queue_t>);

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: owned, given back once; an answer that comes later finds the queue gone, which librdkafka counts references for.
        unsafe { sys::rd_kafka_queue_destroy(self.0.as_ptr()) }
    }
}

unsafe extern "C" {
    /// The allocator with which librdkafka frees metadata.
    fn malloc(size: usize) -> *mut std::ffi::c_void;
}

/// An answer is waited for in steps of this many milliseconds, between which the caller may give up.
const STEP: i32 = 50;

/// Commits positions and waits for the coordinator's answer, until the caller gives up: `Ok` only where every partition was accepted.
pub(crate) fn commit<'a>(
    client: &Client,
    positions: impl ExactSizeIterator<Item = (&'a str, i32, &'a Position)>,
    gives_up: impl Fn() -> bool,
) -> Result<(), CommitError> {
    let mut list = List::new(positions.len());
    for (topic, partition, position) in positions {
        let Some(element) = list.add(topic, partition) else { continue };
        element.offset = position.next;
        if position.epoch >= 0 {
            // SAFETY: the element belongs to the list, and no other one was added since.
            unsafe { sys::rd_kafka_topic_partition_set_leader_epoch(element, position.epoch) };
        }
        if !position.metadata.is_empty() {
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
    }
    // SAFETY: the client is alive; the queue, the list and the event live until the end of this function, each destroyed once. Without a
    // callback the answer comes as an event on the queue.
    unsafe {
        let answer = Answer(NonNull::new_unchecked(sys::rd_kafka_queue_new(client.native())));
        let error = sys::rd_kafka_commit_queue(client.native(), list.0.as_ptr(), answer.0.as_ptr(), None, ptr::null_mut());
        if error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(CommitError::Refused(error.into()));
        }
        let event = loop {
            let event = sys::rd_kafka_queue_poll(answer.0.as_ptr(), STEP);
            if !event.is_null() {
                break event;
            }
            if gives_up() {
                return Err(CommitError::TimedOut);
            }
        };
        let mut error = sys::rd_kafka_event_error(event);
        let offsets = sys::rd_kafka_event_topic_partition_list(event);
        if error == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR && !offsets.is_null() && (*offsets).cnt > 0 {
            let elements = slice::from_raw_parts((*offsets).elems, (*offsets).cnt as usize);
            let failed =
                elements.iter().map(|element| element.err).find(|error| *error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR);
            error = failed.unwrap_or(error);
        }
        sys::rd_kafka_event_destroy(event);
        match error {
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            error => Err(CommitError::Refused(error.into())),
        }
    }
}

/// What is committed for partitions, in their order; `None` where nothing is. Metadata that is not ASCII is somebody else's and left out.
pub(crate) fn committed(client: &Client, partitions: &[(&str, i32)], timeout: Duration) -> Result<Vec<Option<Position>>, CommitError> {
    let mut list = List::new(partitions.len());
    for (topic, partition) in partitions {
        list.add(topic, *partition);
    }
    // SAFETY: client and list are alive; the call fills the list's elements in place.
    let error = unsafe { sys::rd_kafka_committed(client.native(), list.0.as_ptr(), milliseconds(timeout)) };
    if error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Err(if error == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__TIMED_OUT {
            CommitError::TimedOut
        } else {
            CommitError::Refused(error.into())
        });
    }
    if list.elements().len() != partitions.len() {
        return Err(CommitError::TimedOut);
    }
    list.elements()
        .iter()
        .map(|element| {
            if element.err != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Err(CommitError::Refused(element.err.into()));
            }
            if element.offset < 0 {
                return Ok(None);
            }
            let metadata = if element.metadata.is_null() {
                &[]
            } else {
                // SAFETY: the element holds `metadata_size` bytes until the list is destroyed.
                unsafe { slice::from_raw_parts(element.metadata.cast::<u8>().cast_const(), element.metadata_size) }
            };
            let metadata = if metadata.is_ascii() { String::from_utf8_lossy(metadata).into_owned() } else { String::new() };
            // SAFETY: the element belongs to the list, which is alive.
            let epoch = unsafe { sys::rd_kafka_topic_partition_get_leader_epoch(element) };
            Ok(Some(Position { next: element.offset, metadata, epoch }))
        })
        .collect()
}
