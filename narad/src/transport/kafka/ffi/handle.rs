//! What the calls of this module are made with: the native handle of a client that is alive.

use std::any::Any;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;

use rdkafka::client::{Client, ClientContext};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka_sys as sys;

/// The native handle of a client, which is borrowed for as long: it is alive.
#[derive(Clone, Copy)]
pub(crate) struct Handle<'a> {
    client: NonNull<sys::rd_kafka_t>,
    alive: PhantomData<&'a sys::rd_kafka_t>,
}

impl<'a> Handle<'a> {
    pub(crate) fn of<C: ClientContext>(client: &'a Client<C>) -> Self {
        // SAFETY: a client of rdkafka's has a handle from its creation to its drop.
        Self { client: unsafe { NonNull::new_unchecked(client.native_ptr()) }, alive: PhantomData }
    }

    pub(super) fn as_ptr(self) -> *mut sys::rd_kafka_t {
        self.client.as_ptr()
    }
}

/// The native handle of a consumer, which is kept alive.
#[derive(Clone)]
pub(crate) struct Kept {
    client: NonNull<sys::rd_kafka_t>,
    _keeps: Arc<dyn Any + Send + Sync>,
}

// SAFETY: a client of librdkafka's may be used from any thread; the consumer that is kept says so of itself.
unsafe impl Send for Kept {}
// SAFETY: as above.
unsafe impl Sync for Kept {}

impl Kept {
    pub(crate) fn of<C: ConsumerContext + 'static>(consumer: &Arc<BaseConsumer<C>>) -> Self {
        Self { client: Handle::of(consumer.client()).client, _keeps: consumer.clone() }
    }

    pub(super) fn handle(&self) -> Handle<'_> {
        Handle { client: self.client, alive: PhantomData }
    }
}
