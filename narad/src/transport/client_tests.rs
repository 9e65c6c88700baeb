use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;

use super::{Client, GroupEvents, OwnedMessage, Partition, QueueError, embedded};
use crate::producer::{Outgoing, Producer, Settings};

/// Detaches no queue, so that all records come as strays.
struct Strays(Mutex<Sender<OwnedMessage>>);

impl GroupEvents for Strays {
    fn assigned(&self, _: &Arc<Client>, _: &mut [Partition]) {}
    fn revoked(&self, _: &Arc<Client>, _: &[Partition]) {}
    fn lost(&self, _: &Arc<Client>, _: &[Partition]) {}
    fn stray(&self, _: &str, _: i32, message: OwnedMessage) {
        self.0.lock().unwrap().send(message).unwrap();
    }
    fn error(&self, _: Option<QueueError>, _: bool, _: &str) {}
}

#[test]
fn a_stray_whose_header_has_a_name_that_is_no_text_is_read_as_it_is() {
    let topic = "stray-headers";
    embedded::create_topic(topic).unwrap();
    let brokers = embedded::brokers().unwrap();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &brokers).set("group.id", topic).set("enable.auto.commit", "false");
    let headers = vec![(b"\xff\xfe".to_vec(), Some(b"\xfd".to_vec())), (b"null".to_vec(), None)];
    let mut producer = ClientConfig::new();
    producer.set("bootstrap.servers", &brokers);
    let producer = Producer::new(Settings {
        client: producer,
        client_id: "test".to_owned(),
        brokers: vec![brokers],
        connection_timeout: Duration::from_secs(30),
        development: false,
        create_topics: false,
        embedded: true,
        resolve: Arc::new(|topic| Ok(topic.to_owned())),
        supervision: Arc::default(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let record = Outgoing { topic: topic.to_owned(), payload: Some(b"1".to_vec()), headers: headers.clone(), ..Outgoing::default() };
    runtime.block_on(producer.send(record)).unwrap();
    config.set("auto.offset.reset", "earliest");
    let (strays, came) = channel();
    let client = Client::create(&config, Arc::new(Strays(Mutex::new(strays)))).unwrap();
    client.subscribe(&[topic]).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let stray = loop {
        client.poll(Duration::from_millis(10));
        if let Ok(stray) = came.try_recv() {
            break stray;
        }
        assert!(Instant::now() < deadline, "the record comes");
    };
    assert_eq!(stray.headers, headers);
    client.close(Duration::from_secs(10));
    runtime.block_on(producer.disconnect()).unwrap();
}
