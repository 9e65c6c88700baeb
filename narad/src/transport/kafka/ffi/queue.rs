//! The queue of one partition: detached from the consumer's, read in batches, and telling when it has
//! something.

use std::ffi::{CString, c_void};
use std::ptr::{self, NonNull};

use rdkafka_sys as sys;

use super::handle::{Handle, Kept};
use super::message::KafkaMessage;
use crate::transport::NoRecord;

/// What is called when the queue goes from empty to not empty.
pub(crate) type Ready = Box<dyn Fn() + Send + Sync>;

/// The queue of one assigned partition. Read by one thread at a time (`&mut self`).
///
/// librdkafka calls `ready` when the queue goes from empty to not empty, and only then: who reads has to read
/// until nothing comes, or to remember that there was more.
pub(crate) struct Queue {
    queue: NonNull<sys::rd_kafka_queue_t>,
    /// What librdkafka calls with; freed after the queue no longer calls.
    ready: *mut Ready,
    batch: Vec<*mut sys::rd_kafka_message_t>,
    /// Keeps the client alive while its queue is.
    _client: Kept,
}

// SAFETY: librdkafka's queues may be used from any thread; `&mut self` lets one thread read at a time.
unsafe impl Send for Queue {}

impl Queue {
    /// Detaches the queue of a partition from the consumer's. To be called before the partition is assigned:
    /// what was fetched by then would stay in the consumer's queue, and order would be lost.
    pub(crate) fn detach(client: Kept, topic: &str, partition: i32, ready: Ready) -> Option<Self> {
        let name = CString::new(topic).ok()?;
        // SAFETY: the client is alive (`client` holds it) and `name` ends with a zero byte.
        let queue = NonNull::new(unsafe {
            sys::rd_kafka_queue_get_partition(client.handle().as_ptr(), name.as_ptr(), partition)
        })?;
        let ready: *mut Ready = Box::into_raw(Box::new(ready));
        // SAFETY: `queue` is ours until `drop`; a null target ends the forwarding to the consumer's queue;
        // `ready` lives until `drop` has taken the callback away.
        unsafe {
            sys::rd_kafka_queue_forward(queue.as_ptr(), ptr::null_mut());
            sys::rd_kafka_queue_cb_event_enable(queue.as_ptr(), Some(on_ready), ready.cast());
        }
        Some(Self { queue, ready, batch: vec![ptr::null_mut(); 256], _client: client })
    }

    /// Reads what is there, up to `max` records, without waiting.
    pub(crate) fn read(&mut self, max: usize) -> Taken<'_> {
        let max = max.min(self.batch.len());
        // SAFETY: `batch` has room for `max` pointers; this is the only reader of the queue.
        let read = unsafe {
            sys::rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, self.batch.as_mut_ptr(), max)
        };
        let read = usize::try_from(read).unwrap_or(0);
        Taken { batch: &self.batch[..read], more: read == max }
    }
}

/// What was read at once: messages that nobody else has.
pub(crate) struct Taken<'a> {
    batch: &'a [*mut sys::rd_kafka_message_t],
    more: bool,
}

impl Taken<'_> {
    /// Gives each of them away; `true` where the queue may hold more.
    pub(crate) fn each(mut self, mut each: impl FnMut(Result<KafkaMessage, NoRecord>)) -> bool {
        while let Some((message, rest)) = self.batch.split_first() {
            self.batch = rest;
            // SAFETY: it comes from a batch read, and is in this batch no more.
            each(unsafe { KafkaMessage::take(*message) });
        }
        self.more
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        for message in self.batch {
            // SAFETY: it comes from a batch read, and nobody was given it.
            drop(unsafe { KafkaMessage::take(*message) });
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: taking the callback away locks the queue, so that no call of it is under way or comes
        // later; then `ready` is ours again. The queue is given back once.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, ptr::null_mut());
            drop(Box::from_raw(self.ready));
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

/// How many events wait to be polled: rebalances, errors, strays. What waits is counted until the poll takes
/// it.
pub(crate) fn waiting_events(client: Handle<'_>) -> usize {
    // SAFETY: the client is alive; the queue is given back once.
    unsafe {
        let Some(queue) = NonNull::new(sys::rd_kafka_queue_get_consumer(client.as_ptr())) else { return 0 };
        let waiting = sys::rd_kafka_queue_length(queue.as_ptr());
        sys::rd_kafka_queue_destroy(queue.as_ptr());
        waiting
    }
}

/// Called by librdkafka's threads with the queue locked: it must not call back into librdkafka, nor unwind.
unsafe extern "C" fn on_ready(_client: *mut sys::rd_kafka_t, ready: *mut c_void) {
    // SAFETY: `ready` is the box made in `detach`, alive until the callback is taken away.
    let ready = unsafe { &*ready.cast::<Ready>() };
    ready();
}
