//! The producer's client.

mod certificates;
mod context;
mod second;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::producer::{BaseProducer, Producer, PurgeConfig};
use rdkafka::types::RDKafkaErrorCode as Code;

use super::admin::{KafkaAdmin, await_leaders, leaders_answer};
use super::embedded;
use super::ffi::{Handle, LoggedIn, produce};
use super::transport::Kafka;
use crate::error::Result as NaradResult;
use crate::transport::admin::{Admin, NewTopic, Refused};
use crate::transport::{
    Asks, BadCertificate, Call, ClientProperties, Deliveries, Fault, Outgoing, ProducerClient, Producers,
    Seen, TicketOf,
};
use context::Context;

impl<D: Deliveries> Producers<D> for Kafka {
    fn producer(
        &self,
        properties: &ClientProperties,
        deliveries: D,
    ) -> Result<Arc<dyn ProducerClient<D>>, String> {
        let made = properties
            .native()
            .and_then(|config| Ok(BaseProducer::from_config_and_context(&config, Context(deliveries))?));
        match made {
            Ok(producer) => {
                let tokens = properties.tokens();
                let producer = LoggedIn::new(producer, tokens, |producer| Handle::of(producer.client()));
                Ok(Arc::new(KafkaProducer(producer)))
            }
            Err(refusal) => Err(properties.worded(refusal)),
        }
    }

    fn second(&self, properties: &ClientProperties) -> Option<Box<dyn Asks>> {
        second::open(properties)
    }

    fn bad_certificate(&self, properties: &ClientProperties, patience: Duration) -> Option<BadCertificate> {
        certificates::examine(properties, patience)
    }

    fn create(&self, properties: &ClientProperties, topic: &NewTopic) -> NaradResult<Vec<Refused>> {
        KafkaAdmin::open(properties)?.request(std::slice::from_ref(topic))
    }

    fn create_embedded(&self, topic: &str) -> NaradResult<()> {
        embedded::create_topic(topic)
    }
}

struct KafkaProducer<D: Deliveries>(LoggedIn<BaseProducer<Context<D>>>);

impl<D: Deliveries> KafkaProducer<D> {
    fn hand_over(
        &self,
        call: &D::Call,
        record: &Outgoing,
        ticket: TicketOf<D::Call>,
    ) -> Result<(), (Code, TicketOf<D::Call>)> {
        let is_empty = || self.0.in_flight_count() == 0;
        match produce::produce(&self.0, call.topic(), record, ticket) {
            // What finds no room in an empty queue never will; the queue may have emptied since.
            Err((Code::QueueFull, ticket)) if is_empty() => {
                match produce::produce(&self.0, call.topic(), record, ticket) {
                    Err((Code::QueueFull, ticket)) if is_empty() => Err((Code::MessageSizeTooLarge, ticket)),
                    other => other,
                }
            }
            other => other,
        }
    }
}

impl<D: Deliveries> Asks for KafkaProducer<D> {
    fn ask(&self, patience: Duration) -> Result<Vec<String>, Fault> {
        Ok(produce::ask_any_broker(self.0.client(), patience)?)
    }
}

impl<D: Deliveries> ProducerClient<D> for KafkaProducer<D> {
    fn deliveries(&self) -> &D {
        &self.0.context().0
    }

    fn enqueue(&self, call: &Arc<D::Call>, records: &mut [Outgoing], from: usize) -> usize {
        let several = records.len() > 1;
        let mut next = from;
        while let Some(record) = records.get_mut(next) {
            match self.hand_over(call, record, call.ticket(next, record)) {
                Ok(()) => {}
                // One that gave up is replaced.
                Err((Code::QueueFull | Code::Fatal, _)) => break,
                Err((code, ticket)) => self.deliveries().refused(ticket, code.into()),
            }
            if several {
                // Its memory is not needed any more.
                *record = Outgoing::default();
            }
            next += 1;
        }
        next
    }

    fn serve(&self, patience: Duration) {
        self.0.poll(patience);
    }

    fn in_flight(&self) -> usize {
        self.0.in_flight_count().max(0) as usize
    }

    fn gave_up(&self) -> Option<(Fault, String)> {
        self.0.client().fatal_error().map(|(code, reason)| (code.into(), reason))
    }

    fn cluster_id(&self) -> Option<String> {
        produce::cluster_id(self.0.client())
    }

    fn purge(&self) {
        self.0.purge(PurgeConfig::default().queue().inflight());
    }

    fn look(&self, topic: &str, patience: Duration) -> Result<Seen, String> {
        if !narad_syntax::topic::is_name(topic) {
            return Ok(Seen::Not(Code::InvalidTopic.into()));
        }
        let client = self.0.client();
        let metadata = client.fetch_metadata(Some(topic), patience).map_err(|error| error.to_string())?;
        let shown = metadata.topics().iter().find(|shown| shown.name() == topic);
        match shown.map_or(Some(Code::UnknownTopicOrPartition), |shown| shown.error().map(Code::from)) {
            None | Some(Code::LeaderNotAvailable | Code::ReplicaNotAvailable) => {
                // It may be a new one. Where a leader is away for longer, librdkafka waits for it, and the
                // other partitions go on.
                if !shown.is_some_and(|shown| leaders_answer(client, shown, patience)) {
                    await_leaders(client, topic, patience);
                }
                Ok(Seen::There)
            }
            Some(code) => Ok(Seen::Not(code.into())),
        }
    }

    fn await_leaders(&self, topic: &str, patience: Duration) -> bool {
        await_leaders(self.0.client(), topic, patience)
    }
}
