//! Producers: what is enqueued is in the log, and acknowledged.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::cluster::Memory;
use crate::error::Result as NaradResult;
use crate::transport::admin::{Admin, NewTopic, Refused};
use crate::transport::fault::{Class, Fault};
use crate::transport::message::{Outgoing, OwnedMessage};
use crate::transport::produce::{
    Asks, BadCertificate, Call, Deliveries, ProducerClient, Producers, Seen, TicketOf,
};
use crate::transport::properties::ClientProperties;

impl<D: Deliveries> Producers<D> for Memory {
    fn producer(&self, _: &ClientProperties, deliveries: D) -> Result<Arc<dyn ProducerClient<D>>, String> {
        Ok(Arc::new(MemoryProducer { memory: self.clone(), deliveries, kept: Mutex::default() }))
    }

    fn second(&self, _: &ClientProperties) -> Option<Box<dyn Asks>> {
        None
    }

    fn bad_certificate(&self, _: &ClientProperties, _: Duration) -> Option<BadCertificate> {
        None
    }

    fn create(&self, _: &ClientProperties, topic: &NewTopic) -> NaradResult<Vec<Refused>> {
        self.request(std::slice::from_ref(topic))
    }

    fn create_embedded(&self, topic: &str) -> NaradResult<()> {
        Admin::create(self, &[NewTopic::named(topic)])
    }
}

struct MemoryProducer<D: Deliveries> {
    memory: Memory,
    deliveries: D,
    /// What is in flight for ever.
    kept: Mutex<Vec<TicketOf<D::Call>>>,
}

impl<D: Deliveries> MemoryProducer<D> {
    fn kept(&self) -> MutexGuard<'_, Vec<TicketOf<D::Call>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Deliveries> Asks for MemoryProducer<D> {
    fn ask(&self, _: Duration) -> Result<Vec<String>, Fault> {
        Ok(Vec::new())
    }
}

impl<D: Deliveries> ProducerClient<D> for MemoryProducer<D> {
    fn deliveries(&self) -> &D {
        &self.deliveries
    }

    fn cluster_id(&self) -> Option<String> {
        Some("memory".to_owned())
    }

    fn enqueue(&self, call: &Arc<D::Call>, records: &mut [Outgoing], from: usize) -> usize {
        let topic = call.topic().to_str().expect("a name");
        for (index, record) in records.iter().enumerate().skip(from) {
            let ticket = call.ticket(index, record);
            let denied = self.memory.lock().denied.get(topic).copied();
            if let Some(fault) = denied {
                self.memory.lock().denials += 1;
                self.deliveries.failed(ticket, fault);
                continue;
            }
            if self.memory.lock().kept.contains(topic) {
                self.kept().push(ticket);
                continue;
            }
            let partition = record.partition.unwrap_or(0);
            let message = OwnedMessage {
                key: record.key.clone(),
                payload: record.payload.clone(),
                headers: record.headers.clone(),
                ..OwnedMessage::default()
            };
            let offset = self.memory.append(topic, partition, message);
            self.deliveries.written(ticket, partition, offset);
        }
        records.len()
    }

    fn serve(&self, patience: Duration) {
        std::thread::sleep(patience);
    }

    fn in_flight(&self) -> usize {
        self.kept().len()
    }

    fn gave_up(&self) -> Option<(Fault, String)> {
        None
    }

    fn purge(&self) {
        let kept = std::mem::take(&mut *self.kept());
        kept.into_iter().for_each(|ticket| self.deliveries.failed(ticket, Fault::of(Class::InDoubt)));
    }

    fn look(&self, topic: &str, _: Duration) -> Result<Seen, String> {
        if self.memory.lock().silent.contains(topic) {
            return Err("silence".to_owned());
        }
        let is_there = self.memory.lock().topics.contains_key(topic);
        Ok(if is_there { Seen::There } else { Seen::Not(Fault::of(Class::UnknownTopic)) })
    }

    fn await_leaders(&self, _: &str, _: Duration) -> bool {
        true
    }
}
