//! Sending, in figures.

use std::fmt::Result;

use prometheus_client::registry::Unit;

use super::families::Families;
use crate::application::Application;

pub(super) fn encode(application: &Application, families: &mut Families<'_>) -> Result {
    let producer = &application.producer;
    let of_all = |value: f64| [([], value)];
    families.gauge(
        ("narad_connected", None),
        "1 while a broker answers, else 0",
        of_all(f64::from(u8::from(producer.is_connected()))),
    )?;
    let (records, bytes) = producer.waiting();
    families.gauge(
        ("narad_send_queue_records", None),
        "Records that were sent and are not acknowledged, in Narad and in librdkafka",
        of_all(records as f64),
    )?;
    families.gauge(
        ("narad_send_queue", Some(Unit::Bytes)),
        "The bytes of these records",
        of_all(bytes as f64),
    )
}
