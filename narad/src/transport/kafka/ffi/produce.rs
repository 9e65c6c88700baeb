//! Sending records whose header names need not be UTF-8, one pointer for the opaque of a record, and a
//! request that asks brokers for nothing but a sign of life.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::client::{Client, ClientContext};
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use rdkafka::types::{RDKafkaErrorCode, RDKafkaHeaders};
use rdkafka::util::IntoOpaque;
use rdkafka_sys as sys;

use super::Handle;
use super::convert::milliseconds;
use crate::transport::{Outgoing, Ticket};

/// `RD_KAFKA_VTYPE_…`: the tags of the variadic arguments of `rd_kafka_producev`.
mod tag {
    use std::ffi::c_int;

    use rdkafka_sys::rd_kafka_vtype_t as vtype;

    pub(super) const END: c_int = vtype::RD_KAFKA_VTYPE_END as c_int;
    pub(super) const TOPIC: c_int = vtype::RD_KAFKA_VTYPE_TOPIC as c_int;
    pub(super) const PARTITION: c_int = vtype::RD_KAFKA_VTYPE_PARTITION as c_int;
    pub(super) const VALUE: c_int = vtype::RD_KAFKA_VTYPE_VALUE as c_int;
    pub(super) const KEY: c_int = vtype::RD_KAFKA_VTYPE_KEY as c_int;
    pub(super) const OPAQUE: c_int = vtype::RD_KAFKA_VTYPE_OPAQUE as c_int;
    pub(super) const MSGFLAGS: c_int = vtype::RD_KAFKA_VTYPE_MSGFLAGS as c_int;
    pub(super) const TIMESTAMP: c_int = vtype::RD_KAFKA_VTYPE_TIMESTAMP as c_int;
    pub(super) const HEADERS: c_int = vtype::RD_KAFKA_VTYPE_HEADERS as c_int;
}

/// Enqueues one record. librdkafka copies it; the ticket comes back with the delivery report, or here with
/// the error.
pub(crate) fn produce<C: ProducerContext>(
    client: &BaseProducer<C>,
    topic: &CStr,
    record: &Outgoing,
    ticket: C::DeliveryOpaque,
) -> Result<(), (RDKafkaErrorCode, C::DeliveryOpaque)> {
    let headers = headers(record);
    let (payload, payload_len) = pointer(record.payload.as_deref());
    let (key, key_len) = pointer(record.key.as_deref());
    let opaque = ticket.into_ptr();
    // SAFETY: the client is borrowed, hence alive, and its context takes tickets; every tag is followed by
    // the arguments that rdkafka.h names for it, in their C types; the list ends with END; all pointers live
    // until the call returns, and MSG_F_COPY has the bytes copied.
    let code = unsafe {
        sys::rd_kafka_producev(
            client.client().native_ptr(),
            tag::TOPIC,
            topic.as_ptr(),
            tag::PARTITION,
            record.partition.unwrap_or(-1),
            tag::MSGFLAGS,
            sys::RD_KAFKA_MSG_F_COPY,
            tag::VALUE,
            payload,
            payload_len,
            tag::KEY,
            key,
            key_len,
            tag::TIMESTAMP,
            // 0 is now.
            record.timestamp.unwrap_or(0),
            tag::OPAQUE,
            opaque,
            tag::HEADERS,
            headers,
            tag::END,
        )
    };
    let code = RDKafkaErrorCode::from(code);
    if code == RDKafkaErrorCode::NoError {
        // librdkafka owns the headers and the ticket now.
        return Ok(());
    }
    if !headers.is_null() {
        // SAFETY: the call failed, so that the headers are still ours, and nothing else has the pointer.
        unsafe { sys::rd_kafka_headers_destroy(headers) };
    }
    // SAFETY: the call failed, so that librdkafka keeps no copy of the pointer that `into_ptr` made above.
    Err((code, unsafe { C::DeliveryOpaque::from_ptr(opaque) }))
}

/// A null value differs from an empty one by its pointer, so that an empty slice keeps its own.
fn pointer(bytes: Option<&[u8]>) -> (*const c_void, usize) {
    bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr().cast(), bytes.len()))
}

fn headers(record: &Outgoing) -> *mut RDKafkaHeaders {
    if record.headers.is_empty() {
        return ptr::null_mut();
    }
    // SAFETY: no preconditions; librdkafka aborts when it is out of memory.
    let headers = unsafe { sys::rd_kafka_headers_new(record.headers.len()) };
    for (name, value) in &record.headers {
        let (value, value_len) = pointer(value.as_deref());
        // SAFETY: `headers` is ours, both slices live for the call, which copies them by their lengths.
        // Adding fails only for read-only lists.
        unsafe {
            sys::rd_kafka_header_add(
                headers,
                name.as_ptr().cast::<c_char>(),
                name.len() as isize,
                value,
                value_len as isize,
            )
        };
    }
    headers
}

/// Asks any broker for the metadata of the topics in use, and waits for the answer; gives the addresses that
/// the brokers advertise.
///
/// rdkafka's own call asks for every topic of the cluster, which is no sign of life but a load.
pub(crate) fn ask_any_broker<C: ClientContext>(
    client: &Client<C>,
    patience: Duration,
) -> Result<Vec<String>, RDKafkaErrorCode> {
    let mut metadata = ptr::null();
    // SAFETY: the client is borrowed, hence alive; a null topic asks for those that the client knows; the
    // result goes into `metadata`.
    let code = unsafe {
        sys::rd_kafka_metadata(client.native_ptr(), 0, ptr::null_mut(), &mut metadata, milliseconds(patience))
    };
    match RDKafkaErrorCode::from(code) {
        RDKafkaErrorCode::NoError => {
            // SAFETY: without an error `metadata` is ours until it is destroyed; it has as many brokers as it
            // says, each with a host that is a C string. It is freed once, and the addresses are copies.
            unsafe {
                let brokers = match (*metadata).broker_cnt {
                    1.. => std::slice::from_raw_parts((*metadata).brokers, (*metadata).broker_cnt as usize),
                    _ => &[],
                };
                let address = |broker: &sys::rd_kafka_metadata_broker| match CStr::from_ptr(broker.host)
                    .to_string_lossy()
                {
                    host if host.contains(':') => format!("[{host}]:{}", broker.port),
                    host => format!("{host}:{}", broker.port),
                };
                let addresses = brokers.iter().map(address).collect();
                sys::rd_kafka_metadata_destroy(metadata);
                Ok(addresses)
            }
        }
        code => Err(code),
    }
}

/// The cluster's id, where metadata have told it; waits for nothing.
pub(crate) fn cluster_id<C: ClientContext>(client: &Client<C>) -> Option<String> {
    super::cluster_id(Handle::of(client), Duration::ZERO)
}

/// The lowest bit of the pointer says that it is a part.
const PART: usize = 1;

impl<Whole: Send + Sync, Part: Send + Sync> IntoOpaque for Ticket<Whole, Part> {
    fn into_ptr(self) -> *mut c_void {
        // Both are aligned to more than one byte, so that the bit is free.
        const { assert!(align_of::<Whole>() > 1 && align_of::<Part>() > 1) };
        match self {
            Self::Whole(call) => Arc::into_raw(call).cast_mut().cast(),
            Self::Part(part) => Box::into_raw(part).cast::<c_void>().map_addr(|address| address | PART),
        }
    }

    unsafe fn from_ptr(pointer: *mut c_void) -> Self {
        let address = pointer.map_addr(|address| address & !PART);
        // SAFETY: the caller gives back what `into_ptr` made, once; the bit says from which of the two it was
        // made.
        unsafe {
            if pointer.addr() & PART == 0 {
                Self::Whole(Arc::from_raw(address.cast_const().cast::<Whole>()))
            } else {
                Self::Part(Box::from_raw(address.cast()))
            }
        }
    }
}
