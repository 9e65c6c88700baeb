//! What librdkafka's calls take and give, in types of ours.

use std::time::Duration;

use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};

use crate::transport::Fault;

/// What an error of a call means.
pub(super) fn fault(error: RDKafkaRespErr) -> Fault {
    RDKafkaErrorCode::from(error).into()
}

/// As librdkafka takes a time to wait.
pub(super) fn milliseconds(time: Duration) -> i32 {
    time.as_millis().try_into().unwrap_or(i32::MAX)
}
