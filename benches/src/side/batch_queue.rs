//! The one thing here that rdkafka has no safe way for: reading a consumer's queue in batches. The bindings
//! are called in this file alone.
#![allow(unsafe_code)]

use std::ptr::{self, NonNull};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka_sys as sys;

/// The queue of a consumer, read by this only.
pub(super) struct BatchQueue<'c> {
    queue: NonNull<sys::rd_kafka_queue_t>,
    batch: Vec<*mut sys::rd_kafka_message_t>,
    _consumer: &'c BaseConsumer,
}

impl<'c> BatchQueue<'c> {
    pub(super) fn of(consumer: &'c BaseConsumer) -> Self {
        // SAFETY: the client is alive for 'c; the queue that it returns is ours until `drop`.
        let queue = unsafe { sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
        Self {
            queue: NonNull::new(queue).expect("the consumer's queue"),
            batch: vec![ptr::null_mut(); 4096],
            _consumer: consumer,
        }
    }

    /// Reads what comes within 10 ms, or until the batch is full; `each` gets partition, offset and value.
    pub(super) fn read(&mut self, mut each: impl FnMut(i32, i64, &[u8])) {
        // SAFETY: `batch` has room for as many pointers as it is long.
        let read = unsafe {
            sys::rd_kafka_consume_batch_queue(
                self.queue.as_ptr(),
                10,
                self.batch.as_mut_ptr(),
                self.batch.len(),
            )
        };
        for &message in &self.batch[..usize::try_from(read).unwrap_or(0)] {
            // SAFETY: the pointer is valid until it is destroyed below, once; `payload` has `len` bytes where
            // it is not null.
            unsafe {
                let record = &*message;
                if record.err == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
                    && !record.payload.is_null()
                {
                    each(
                        record.partition,
                        record.offset,
                        std::slice::from_raw_parts(record.payload.cast(), record.len),
                    );
                }
                sys::rd_kafka_message_destroy(message);
            }
        }
    }
}

impl Drop for BatchQueue<'_> {
    fn drop(&mut self) {
        // SAFETY: the reference taken in `of` is given back once.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}
