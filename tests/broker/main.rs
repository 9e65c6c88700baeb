//! The suite against a real Kafka: runs where `NARAD_TEST_BROKERS` is set, as `tests/kafka/kafka.sh` exports
//! it.

mod deleting;
mod deployment;
mod hostile;
mod joining;
mod kafkajs;
mod lag;
mod security;
mod sending;
mod starting;
mod tokens;
mod trouble;
