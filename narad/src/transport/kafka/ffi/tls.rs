//! What TLS says of a broker's certificate: librdkafka's own text is the same for one that has expired, one
//! of another host, and one of an unknown CA.

use std::ffi::{c_char, c_int, c_void};
use std::{ptr, slice};

use rdkafka::ClientConfig;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::KafkaResult;
use rdkafka::types::RDKafkaType;
use rdkafka_sys as sys;

/// Is told of the certificates of a handshake, on a thread of librdkafka's; it must not panic.
pub(crate) trait Examines: ClientContext + Sync {
    /// One certificate: OpenSSL's error (`X509_V_ERR_…`; 0 is none), how far it is from the broker's own (0),
    /// and its bytes.
    fn certificate(&self, error: i32, depth: i32, der: &[u8]);
}

/// A client whose handshakes are told to its context. What is wrong with a certificate ends the handshake as
/// ever.
pub(crate) fn examining_client<C: Examines>(config: &ClientConfig, context: C) -> KafkaResult<Client<C>> {
    let native = config.create_native_config()?;
    // SAFETY: the configuration is alive, and `verify` has the type that rdkafka.h gives to the callback.
    // Where librdkafka has no TLS the call does nothing but say so.
    unsafe { sys::rd_kafka_conf_set_ssl_cert_verify_cb(native.ptr(), Some(verify::<C>)) };
    Client::new(config, native, RDKafkaType::RD_KAFKA_PRODUCER, context)
}

unsafe extern "C" fn verify<C: Examines>(
    _client: *mut sys::rd_kafka_t,
    _broker: *const c_char,
    _id: i32,
    error: *mut c_int,
    depth: c_int,
    der: *const c_char,
    size: usize,
    _text: *mut c_char,
    _text_size: usize,
    opaque: *mut c_void,
) -> c_int {
    debug_assert!(!ptr::eq(opaque, ptr::null()), "the client has a context");
    // SAFETY: `Client::new` makes the opaque the address of its context, which lives until the client is
    // destroyed, and with it this thread; it is `Sync`. librdkafka gives the certificate's bytes with their
    // number, and a place for the error, for the time of this call.
    let (context, error, der) =
        unsafe { (&*opaque.cast_const().cast::<C>(), *error, slice::from_raw_parts(der.cast::<u8>(), size)) };
    context.certificate(error, depth, der);
    c_int::from(error == 0)
}
