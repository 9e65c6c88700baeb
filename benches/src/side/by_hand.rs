//! What people write without a framework, written with care: one thread that polls a `BaseConsumer`,
//! serde_json, offsets stored after handling, a `ThreadedProducer`; for handlers that wait, a task for each
//! of many key lanes.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::*};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{
    BaseRecord, FutureProducer, FutureRecord, Producer, ProducerContext, ThreadedProducer,
};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, ClientContext};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{GAP, Measured, Meter, POOL, Task, WARM_UP, percentiles};
use crate::data::{Data, Envelope, User};

/// An envelope before its data is decoded: what that is, its type says.
#[derive(Deserialize)]
pub(super) struct Head<'a> {
    pub(super) id: String,
    pub(super) r#type: String,
    #[serde(rename = "version")]
    _version: String,
    #[serde(rename = "timestamp")]
    _timestamp: String,
    #[serde(rename = "source")]
    _source: String,
    #[serde(borrow)]
    pub(super) data: &'a RawValue,
}

pub(super) enum Event {
    Login { id: String, data: User },
    Action { id: String, data: User },
}

pub(super) fn decode(value: &[u8]) -> Event {
    let head: Head<'_> = serde_json::from_slice(value).expect("an envelope");
    let data = || serde_json::from_str(head.data.get()).expect("a user");
    match head.r#type.as_str() {
        "USER_LOGIN" => Event::Login { data: data(), id: head.id },
        "USER_ACTION" => Event::Action { data: data(), id: head.id },
        other => panic!("unknown type {other}"),
    }
}

impl Event {
    fn data(&self) -> &User {
        match self {
            Self::Login { data, .. } | Self::Action { data, .. } => data,
        }
    }
}

/// The two handlers.
pub(super) fn handle(meter: &Meter, event: Event) -> bool {
    match event {
        Event::Login { id, data } => meter.count(data.seq, id.len()),
        Event::Action { id, data } => meter.count(data.seq, id.len()),
    }
}

pub(super) fn consuming(task: &Task) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &task.brokers)
        .set("group.id", &task.group)
        .set("auto.offset.reset", "earliest");
    config
        .set("enable.auto.offset.store", "false")
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", "5000");
    // What few know: with librdkafka's 1000 this loop runs at a fifth.
    config.set("fetch.queue.backoff.ms", "10").set("socket.nagle.disable", "true");
    config
}

fn consumer(task: &Task) -> BaseConsumer {
    let consumer: BaseConsumer = consuming(task).create().expect("a consumer");
    consumer.subscribe(&[&task.topic]).expect("a subscription");
    consumer
}

/// The loop, around any way to handle a value.
pub(super) fn each(task: &Task, meter: &Meter, mut handle: impl FnMut(&[u8]) -> bool) -> Measured {
    let consumer = consumer(task);
    loop {
        let Some(record) = consumer.poll(Duration::from_millis(100)) else { continue };
        let record = record.expect("a record");
        let last = handle(record.payload().unwrap_or_default());
        consumer.store_offset_from_message(&record).expect("an offset is stored");
        if last {
            break;
        }
    }
    consumer.commit_consumer_state(CommitMode::Sync).expect("a commit");
    meter.measured()
}

pub(super) fn consume(task: &Task) -> Measured {
    let meter = Meter::new(task.records);
    each(task, &meter, |value| handle(&meter, decode(value)))
}

/// What may be committed of a partition whose records end out of order.
#[derive(Default)]
struct Tracker {
    first: i64,
    done: VecDeque<bool>,
}

impl Tracker {
    fn begin(&mut self, offset: i64) {
        if self.done.is_empty() {
            self.first = offset;
        }
        // Offsets that were never delivered are done.
        self.done.resize((offset - self.first) as usize, true);
        self.done.push_back(false);
    }

    /// The last offset before which all is done, where it moved.
    fn end(&mut self, offset: i64) -> Option<i64> {
        let before = self.first;
        self.done[(offset - before) as usize] = true;
        while self.done.front() == Some(&true) {
            self.done.pop_front();
            self.first += 1;
        }
        (self.first > before).then(|| self.first - 1)
    }
}

pub(super) fn io(task: &Task) -> Measured {
    const LANES: usize = 16_384;
    const IN_FLIGHT: usize = 8_192;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let consumer = Arc::new(consumer(task));
    let meter = Arc::new(Meter::new(task.records));
    let done = Arc::new(AtomicUsize::new(0));
    let trackers: Arc<Mutex<HashMap<i32, Tracker>>> = Arc::default();
    let lane = |_| {
        let (sender, mut lane) = tokio::sync::mpsc::unbounded_channel::<(i32, i64, Event)>();
        let (consumer, meter, done, trackers) =
            (consumer.clone(), meter.clone(), done.clone(), trackers.clone());
        let topic = task.topic.clone();
        runtime.spawn(async move {
            while let Some((partition, offset, event)) = lane.recv().await {
                let user = event.data();
                meter.see(&user.user_id, user.seq);
                tokio::time::sleep(Duration::from_millis(5)).await;
                handle(&meter, event);
                let mut trackers = trackers.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(last) = trackers.entry(partition).or_default().end(offset) {
                    consumer.store_offset(&topic, partition, last).expect("an offset is stored");
                }
                drop(trackers);
                done.fetch_add(1, Release);
            }
        });
        sender
    };
    let lanes: Vec<_> = (0..LANES).map(lane).collect();
    let mut taken = 0;
    while taken < task.records {
        if taken - done.load(Acquire) >= IN_FLIGHT {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
        let Some(record) = consumer.poll(Duration::from_millis(100)) else { continue };
        let record = record.expect("a record");
        let event = decode(record.payload().unwrap_or_default());
        let mut trackers = trackers.lock().unwrap_or_else(PoisonError::into_inner);
        trackers.entry(record.partition()).or_default().begin(record.offset());
        drop(trackers);
        let mut hasher = DefaultHasher::new();
        record.key().hash(&mut hasher);
        lanes[hasher.finish() as usize % LANES]
            .send((record.partition(), record.offset(), event))
            .expect("the lane runs");
        taken += 1;
    }
    while done.load(Acquire) < task.records {
        std::thread::sleep(Duration::from_millis(1));
    }
    consumer.commit_consumer_state(CommitMode::Sync).expect("a commit");
    meter.measured()
}

/// Counts acknowledgements.
#[derive(Clone, Default)]
struct Acks(Arc<AtomicUsize>);

impl ClientContext for Acks {}

impl ProducerContext for Acks {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_ok() {
            self.0.fetch_add(1, Relaxed);
        }
    }
}

fn producing(task: &Task, linger: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &task.brokers).set("enable.idempotence", "true").set("acks", "all");
    config.set("linger.ms", linger).set("batch.size", "262144").set("queue.buffering.max.messages", "200000");
    config.set("socket.nagle.disable", "true").set("partitioner", "murmur2_random");
    config
}

pub(super) fn pool() -> Vec<Envelope> {
    Data { records: POOL, keys: POOL, ..Data::default() }.envelopes().map(|(_, envelope)| envelope).collect()
}

fn encode(envelope: &Envelope, value: &mut Vec<u8>) {
    value.clear();
    serde_json::to_writer(value, envelope).expect("an envelope");
}

/// Sends without waiting for the acknowledgement, and again where the queue is full.
fn send(producer: &ThreadedProducer<Acks>, topic: &str, envelope: &Envelope, value: &[u8]) {
    let mut record = BaseRecord::to(topic).key(&envelope.data.user_id).payload(value);
    loop {
        match producer.send(record) {
            Ok(()) => return,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                std::thread::sleep(Duration::from_millis(1));
            }
            Err((error, _)) => panic!("{error}"),
        }
    }
}

pub(super) fn produce(task: &Task) -> Measured {
    let mut pool = pool();
    let acks = Acks::default();
    let producer: ThreadedProducer<Acks> =
        producing(task, "20").create_with_context(acks.clone()).expect("a producer");
    let mut value = Vec::with_capacity(512);
    let start = Instant::now();
    for index in 0..task.records {
        let envelope = &mut pool[index % POOL];
        envelope.data.seq = index as i64;
        encode(envelope, &mut value);
        send(&producer, &task.topic, envelope, &value);
    }
    producer.flush(Duration::from_secs(60)).expect("acknowledgements");
    let seconds = start.elapsed().as_secs_f64();
    Measured { records: acks.0.load(Relaxed), seconds, ..Measured::default() }
}

/// So many tasks that each wait for an acknowledgement before they send again.
pub(super) const TASKS: usize = 256;

pub(super) fn produce_singly(task: &Task) -> Measured {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let pool = Arc::new(pool());
    let producer: FutureProducer = producing(task, "5").create().expect("a producer");
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for first in 0..TASKS {
            let (producer, pool, acknowledged, topic) =
                (producer.clone(), pool.clone(), acknowledged.clone(), task.topic.clone());
            let records = task.records;
            tasks.push(tokio::spawn(async move {
                let mut value = Vec::with_capacity(512);
                for index in (first..records).step_by(TASKS) {
                    let envelope = &pool[index % POOL];
                    encode(envelope, &mut value);
                    let record = FutureRecord::to(&topic).key(&envelope.data.user_id).payload(&value);
                    producer
                        .send(record, Duration::from_secs(30))
                        .await
                        .map_err(|(error, _)| error)
                        .expect("an acknowledgement");
                    acknowledged.fetch_add(1, Relaxed);
                }
            }));
        }
        for task in tasks {
            task.await.expect("a task");
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    Measured { records: acknowledged.load(Relaxed), seconds, ..Measured::default() }
}

pub(super) fn latency(task: &Task) -> Measured {
    let epoch = Instant::now();
    let sent: Arc<Vec<AtomicU64>> = Arc::new((0..task.records).map(|_| AtomicU64::new(0)).collect());
    let ready = Arc::new(AtomicBool::new(false));
    let consumer = consumer(task);
    let records = task.records;
    let reader = std::thread::spawn({
        let (sent, ready) = (sent.clone(), ready.clone());
        move || {
            let (mut waits, mut seen) = (Vec::with_capacity(records), 0);
            while seen < records {
                let Some(record) = consumer.poll(Duration::from_millis(100)) else { continue };
                let record = record.expect("a record");
                let event = decode(record.payload().unwrap_or_default());
                let now = epoch.elapsed().as_nanos() as u64;
                consumer.store_offset_from_message(&record).expect("an offset is stored");
                // The first one, negative, shows that the partitions are assigned.
                let Ok(seq) = usize::try_from(event.data().seq) else {
                    ready.store(true, Release);
                    continue;
                };
                seen += 1;
                if seq >= WARM_UP {
                    waits.push((now - sent[seq].load(Relaxed)) as f64 / 1e3);
                }
            }
            waits
        }
    });
    let producer: ThreadedProducer<Acks> =
        producing(task, "0").create_with_context(Acks::default()).expect("a producer");
    let (mut pool, mut value) = (pool(), Vec::new());
    let mut publish = |index: usize, seq: i64| {
        let envelope = &mut pool[index % POOL];
        envelope.data.seq = seq;
        encode(envelope, &mut value);
        send(&producer, &task.topic, envelope, &value);
    };
    publish(0, -1);
    while !ready.load(Acquire) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let start = Instant::now();
    for (index, sent) in sent.iter().enumerate() {
        if let Some(wait) = (start + GAP * index as u32).checked_duration_since(Instant::now()) {
            std::thread::sleep(wait);
        }
        sent.store(epoch.elapsed().as_nanos() as u64, Relaxed);
        publish(index, index as i64);
    }
    percentiles(reader.join().expect("the reader"), start)
}
