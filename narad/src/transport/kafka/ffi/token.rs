//! Tokens for a client that logs in with them, from any thread. rdkafka sets one inside of a poll only, when
//! librdkafka asks for it.

use std::ffi::{CString, c_char};
use std::ops::Deref;
use std::ptr::NonNull;
use std::time::SystemTime;

use rdkafka::types::RDKafkaRespErr;
use rdkafka_sys as sys;

use super::handle::Handle;
use crate::login::{Joined, Recipient, Token, Tokens};

/// A client, and its place among those that are given tokens.
pub(crate) struct LoggedIn<T> {
    // Before the client, which ends after it: see `Native`.
    _joined: Option<Joined>,
    client: T,
}

/// The native handle of a client that lives longer than this.
struct Native(NonNull<sys::rd_kafka_t>);

// SAFETY: a client of librdkafka's may be used from any thread.
unsafe impl Send for Native {}

impl<T> LoggedIn<T> {
    /// The client is given the token that there is, and every later one, as long as it lives.
    pub(crate) fn new(client: T, tokens: Option<&Tokens>, handle: fn(&T) -> Handle<'_>) -> Self {
        let native = NonNull::new(handle(&client).as_ptr()).map(Native);
        let _joined = tokens.zip(native).map(|(tokens, native)| tokens.join(Box::new(native)));
        Self { _joined, client }
    }
}

impl<T> Deref for LoggedIn<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.client
    }
}

impl Recipient for Native {
    fn take(&self, token: &Token) {
        let expires_at = token.expires_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let expires_at = i64::try_from(expires_at.as_millis()).unwrap_or(i64::MAX / 1_000);
        let extensions = token.extensions.iter().flat_map(|(name, value)| [name, value]);
        let texts = [&token.value, &token.principal].into_iter().chain(extensions);
        // A token with a NUL in it was refused before.
        let Ok(texts) = texts.map(|text| CString::new(text.as_str())).collect::<Result<Vec<_>, _>>() else {
            return;
        };
        let mut pointers: Vec<*const c_char> = texts.iter().map(|text| text.as_ptr()).collect();
        let extensions = pointers.split_off(2);
        let mut said = [0; 512];
        // SAFETY: the client is alive: it ends after `LoggedIn` has taken this away from those that are
        // called, under the lock that callers hold. The texts live as long as this call, which copies them;
        // the numbers are those of the array and of the buffer.
        let code = unsafe {
            sys::rd_kafka_oauthbearer_set_token(
                self.0.as_ptr(),
                pointers[0],
                expires_at,
                pointers[1],
                extensions.as_ptr().cast_mut(),
                extensions.len(),
                said.as_mut_ptr(),
                said.len(),
            )
        };
        if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            // Its text may hold the token.
            tracing::debug!(target: "narad", ?code, "librdkafka does not take a token");
        }
    }

    fn lacks(&self, why: &str) {
        let Ok(why) = CString::new(why) else { return };
        // SAFETY: the client is alive, as above; the text is copied.
        unsafe { sys::rd_kafka_oauthbearer_set_token_failure(self.0.as_ptr(), why.as_ptr()) };
    }
}
