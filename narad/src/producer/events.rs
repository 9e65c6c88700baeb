//! What librdkafka reports: acknowledgements go to their calls, faults and answers to the connection.

use std::sync::Arc;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::Sent;
use super::ack::Ticket;
use super::failure::Failure;
use super::topics::Topics;
use crate::config::without_pem;
use crate::connection::Connection;
use crate::transport::admin::{self, NewTopic};

/// What librdkafka reports to the client.
pub(super) struct Events {
    pub(super) connection: Arc<Connection>,
    pub(super) topics: Arc<Topics>,
    pub(super) brokers: Vec<String>,
}

impl Events {
    pub(super) fn failure(&self, code: Code, topic: &str) -> Failure {
        Failure::of(code, topic, || admin::create_command(&self.brokers, &NewTopic::named(topic)))
    }
}

impl ClientContext for Events {
    /// Its warnings repeat with each attempt to connect; Narad says outages itself, once. Some faults come as a log line only.
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        if facility == "FAIL" {
            // `[thrd:…]: ` names a thread of librdkafka's.
            self.connection.fault(text.split_once("]: ").map_or(text, |(_, reason)| reason));
        } else {
            tracing::debug!(target: "librdkafka", facility, "{}", without_pem(text));
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            // "0/1 brokers are down": one is back since.
            Some(Code::AllBrokersDown) => match reason.split_once(' ').and_then(|(counts, _)| counts.split_once('/')) {
                Some((down, all)) if down != all => {}
                _ => self.connection.all_down(),
            },
            _ => self.connection.fault(reason),
        }
    }

    fn stats_raw(&self, _: &[u8]) {}
}

impl ProducerContext for Events {
    type DeliveryOpaque = Ticket;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Ticket) {
        let outcome = match result {
            Ok(record) => {
                self.connection.answered();
                // No proof without an offset: where a partition's first records are refused and those behind them taken (a leader that has only
                // begun), librdkafka 2.12 reports the refused ones as written. A broker that took them gives their offset; acks=all is locked.
                if record.offset() >= 0 {
                    Ok(Sent { topic: Arc::clone(ticket.topic()), partition: Some(record.partition()), offset: Some(record.offset()) })
                } else {
                    Err(Failure::unknown())
                }
            }
            Err((error, _)) => {
                let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
                // Codes above zero are a broker's own.
                if code as i32 > 0 {
                    self.connection.answered();
                }
                if matches!(code, Code::UnknownTopic | Code::UnknownTopicOrPartition) {
                    self.topics.forget(ticket.topic());
                }
                Err(self.failure(code, ticket.topic()))
            }
        };
        ticket.resolve(outcome);
    }
}
