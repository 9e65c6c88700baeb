//! What librdkafka reports of a producer, told in words of ours.

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;
use rdkafka::types::RDKafkaErrorCode as Code;

use crate::transport::kafka::said;
use crate::transport::{Deliveries, Fault, TicketOf};

pub(super) struct Context<D>(pub(super) D);

impl<D: Deliveries> ClientContext for Context<D> {
    /// Its warnings repeat with each attempt to connect; Narad says outages itself, once. Some faults come as
    /// a log line only.
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        let text = said(text);
        if facility == "FAIL" {
            // `[thrd:…]: ` names a thread of librdkafka's.
            self.0.disturbed(None, text.split_once("]: ").map_or(text, |(_, reason)| reason));
        } else {
            tracing::debug!(target: "librdkafka", facility, "{text}");
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            // "0/1 brokers are down": one is back since.
            Some(Code::AllBrokersDown) => {
                match reason.split_once(' ').and_then(|(counts, _)| counts.split_once('/')) {
                    Some((down, all)) if down != all => {}
                    _ => self.0.all_down(),
                }
            }
            code => self.0.disturbed(code.map(Fault::from), reason),
        }
    }

    fn stats_raw(&self, _: &[u8]) {}
}

impl<D: Deliveries> ProducerContext for Context<D> {
    type DeliveryOpaque = TicketOf<D::Call>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: TicketOf<D::Call>) {
        match result {
            Ok(record) => self.0.written(ticket, record.partition(), record.offset()),
            Err((error, _)) => {
                let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
                self.0.failed(ticket, code.into());
            }
        }
    }
}
