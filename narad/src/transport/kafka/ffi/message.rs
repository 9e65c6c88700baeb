//! A message of librdkafka's, owned.

use std::ffi::CStr;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::{slice, str};

use rdkafka::message::BorrowedMessage;
use rdkafka_sys as sys;

use super::convert::fault;
use crate::transport::{NoRecord, Unread};

/// A message of librdkafka's, owned until it is dropped.
///
/// It must not outlive its client: whoever holds one holds the client as well (see `Source` in `record.rs`).
pub(crate) struct KafkaMessage {
    raw: NonNull<sys::rd_kafka_message_t>,
    /// Belong to the message. librdkafka parses them at the first look, which costs as much as a tenth of a
    /// record's way: not before somebody looks.
    headers: OnceLock<Option<NonNull<sys::rd_kafka_headers_t>>>,
    /// Whether the payload is UTF-8: not known, or one of the next two. Whoever finds out first writes what
    /// all others would.
    is_text: AtomicU8,
}

const UNKNOWN: u8 = 0;
const TEXT: u8 = 1;
const BYTES: u8 = 2;

// SAFETY: a message is not tied to the thread that read it. Its memory is immutable but for the headers,
// which librdkafka parses at the first look into a field of their own that nothing else reads: `headers` lets
// one thread do that, and the others wait for it.
unsafe impl Send for KafkaMessage {}
// SAFETY: as above.
unsafe impl Sync for KafkaMessage {}

impl KafkaMessage {
    /// Takes over a message from a batch read. `Err` where it is an error and no record.
    ///
    /// # Safety
    /// `message` comes from `rd_kafka_consume_batch_queue` and is given to no one else.
    pub(super) unsafe fn take(message: *mut sys::rd_kafka_message_t) -> Result<Self, NoRecord> {
        // SAFETY: the caller's promise; the read gives no null pointers.
        let message = Self {
            raw: unsafe { NonNull::new_unchecked(message) },
            headers: OnceLock::new(),
            is_text: AtomicU8::new(UNKNOWN),
        };
        match message.raw().err {
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(message),
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
                Err(NoRecord::End(message.offset()))
            }
            error => {
                let reason = message.payload().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
                Err(NoRecord::Unread(Unread { fault: fault(error), offset: message.offset(), reason }))
            }
        }
    }

    /// As of which leader epoch the record was written; below zero it is not known.
    pub(crate) fn leader_epoch(&self) -> i32 {
        // SAFETY: the message is alive, and came from a consumer.
        unsafe { sys::rd_kafka_message_leader_epoch(self.raw.as_ptr()) }
    }

    pub(crate) fn offset(&self) -> i64 {
        self.raw().offset
    }

    pub(crate) fn timestamp(&self) -> Option<i64> {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive and `kind` is a valid place for the answer.
        let timestamp = unsafe { sys::rd_kafka_message_timestamp(self.raw.as_ptr(), &mut kind) };
        (timestamp >= 0).then_some(timestamp)
    }

    pub(crate) fn key(&self) -> Option<&[u8]> {
        let raw = self.raw();
        // SAFETY: librdkafka keeps `key_len` bytes at `key` until the message is destroyed; null stands for
        // no key.
        unsafe { bytes(raw.key, raw.key_len) }
    }

    pub(crate) fn payload(&self) -> Option<&[u8]> {
        let raw = self.raw();
        // SAFETY: librdkafka keeps `len` bytes at `payload` until the message is destroyed; null stands for a
        // null value.
        unsafe { bytes(raw.payload, raw.len) }
    }

    /// The payload where it is UTF-8; looked at once.
    pub(crate) fn text(&self) -> Option<&str> {
        let payload = self.payload()?;
        match self.is_text.load(Relaxed) {
            TEXT => {}
            UNKNOWN if is_ascii(payload) || str::from_utf8(payload).is_ok() => {
                self.is_text.store(TEXT, Relaxed);
            }
            _ => {
                self.is_text.store(BYTES, Relaxed);
                return None;
            }
        }
        // SAFETY: these bytes were found to be UTF-8, and do not change.
        Some(unsafe { str::from_utf8_unchecked(payload) })
    }

    /// The header at this place.
    pub(crate) fn header(&self, index: usize) -> Option<(&[u8], Option<&[u8]>)> {
        let headers = (*self.headers.get_or_init(|| self.parse_headers()))?;
        // SAFETY: `headers` belongs to this message.
        unsafe { header(headers, index) }
    }

    fn parse_headers(&self) -> Option<NonNull<sys::rd_kafka_headers_t>> {
        // SAFETY: the message is alive.
        unsafe { parse_headers(self.raw.as_ptr()) }
    }

    fn raw(&self) -> &sys::rd_kafka_message_t {
        // SAFETY: the message is alive until the drop of `self`.
        unsafe { self.raw.as_ref() }
    }
}

impl Drop for KafkaMessage {
    fn drop(&mut self) {
        // SAFETY: owned by `self`, destroyed once.
        unsafe { sys::rd_kafka_message_destroy(self.raw.as_ptr()) }
    }
}

/// The headers of a message that rdkafka read. Its own way to them panics at a name that is not UTF-8.
pub(crate) fn headers(message: &BorrowedMessage<'_>) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    // SAFETY: rdkafka keeps the message alive while it is borrowed.
    let Some(headers) = (unsafe { parse_headers(message.ptr()) }) else { return Vec::new() };
    // SAFETY: the headers belong to the message.
    let of_index = |index| unsafe { header(headers, index) };
    (0..).map_while(of_index).map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec))).collect()
}

/// # Safety
/// The message is alive for as long as the result is used.
unsafe fn parse_headers(message: *mut sys::rd_kafka_message_t) -> Option<NonNull<sys::rd_kafka_headers_t>> {
    let mut headers = ptr::null_mut();
    // SAFETY: the message is alive and `headers` is a valid place for the answer, which belongs to the
    // message.
    let error = unsafe { sys::rd_kafka_message_headers(message, &mut headers) };
    if error == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR { NonNull::new(headers) } else { None }
}

/// # Safety
/// The headers, and with them their message, are alive for as long as the result is used.
unsafe fn header<'a>(
    headers: NonNull<sys::rd_kafka_headers_t>,
    index: usize,
) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
    // SAFETY: the headers are alive and the three places are valid for the answer.
    let error =
        unsafe { sys::rd_kafka_header_get_all(headers.as_ptr(), index, &mut name, &mut value, &mut size) };
    if error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return None;
    }
    // SAFETY: names end with a zero byte, values have `size` bytes or are null; both live as long as the
    // message.
    unsafe { Some((CStr::from_ptr(name).to_bytes(), bytes(value.cast_mut(), size))) }
}

/// # Safety
/// `data` is null, or holds `len` bytes that live as long as the result is used.
unsafe fn bytes<'a>(data: *mut std::ffi::c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!data.is_null()).then(|| unsafe { slice::from_raw_parts(data.cast::<u8>().cast_const(), len) })
}

/// Whether all of it is ASCII, as most JSON is. Whole parts are what the compiler turns into vector
/// instructions, and the last of them may overlap the one before it: half of what `from_utf8` takes.
fn is_ascii(bytes: &[u8]) -> bool {
    let ascii = |part: &[u8; 128]| {
        let mut all = 0;
        for byte in part {
            all |= byte;
        }
        all < 0x80
    };
    let (parts, _) = bytes.as_chunks();
    parts.iter().all(ascii) && bytes.last_chunk().map_or_else(|| bytes.is_ascii(), ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wherever_it_stands_what_is_not_ascii_is_found() {
        for length in 0..300 {
            let mut bytes = vec![0x7f; length];
            assert!(is_ascii(&bytes), "{length}");
            for place in 0..length {
                bytes[place] = 0x80;
                assert!(!is_ascii(&bytes), "{place} of {length}");
                bytes[place] = 0x7f;
            }
        }
    }
}
