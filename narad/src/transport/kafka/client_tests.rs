use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Client, embedded};
use crate::producer::{Producer, Settings};
use crate::transport::{
    Begin, ClientProperties, Fault, GroupEvents, Member, Outgoing, OwnedMessage, Partition,
};

/// Detaches no queue, so that all records come as strays.
struct Strays(Mutex<Sender<OwnedMessage>>);

impl GroupEvents for Strays {
    fn assigned(&self, _: &Arc<dyn Member>, _: &mut [Partition]) {}
    fn revoked(&self, _: &Arc<dyn Member>, _: &[Partition]) {}
    fn lost(&self, _: &Arc<dyn Member>, _: &[Partition]) {}
    fn stray(&self, _: &str, _: i32, message: OwnedMessage) {
        self.0.lock().unwrap().send(message).unwrap();
    }
    fn error(&self, _: Option<Fault>, _: bool, _: &str) {}
}

#[test]
fn a_stray_whose_header_has_a_name_that_is_no_text_is_read_as_it_is() {
    let topic = "stray-headers";
    embedded::create_topic(topic).unwrap();
    let mut config = ClientProperties::of_member(topic);
    let headers = vec![(b"\xff\xfe".to_vec(), Some(b"\xfd".to_vec())), (b"null".to_vec(), None)];
    let producer = Producer::new(Settings::of_embedded());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let record = Outgoing {
        topic: topic.to_owned(),
        payload: Some(b"1".to_vec()),
        headers: headers.clone(),
        ..Outgoing::default()
    };
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

/// Takes what it is given, and remembers whether it has something.
#[derive(Default)]
struct Members(AtomicUsize);

impl GroupEvents for Members {
    fn assigned(&self, _: &Arc<dyn Member>, partitions: &mut [Partition]) {
        partitions.iter_mut().for_each(|partition| partition.begin = Begin::Beginning);
        self.0.fetch_add(partitions.len(), SeqCst);
    }
    fn revoked(&self, _: &Arc<dyn Member>, partitions: &[Partition]) {
        self.0.fetch_sub(partitions.len(), SeqCst);
    }
    fn lost(&self, _: &Arc<dyn Member>, partitions: &[Partition]) {
        self.0.fetch_sub(partitions.len(), SeqCst);
    }
    fn stray(&self, _: &str, _: i32, _: OwnedMessage) {}
    fn error(&self, _: Option<Fault>, _: bool, _: &str) {}
}

fn member(group: &str, instance: Option<&str>, events: &Arc<Members>) -> Arc<Client> {
    let mut config = ClientProperties::of_member(group);
    config
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", "3000")
        .set("heartbeat.interval.ms", "300");
    config.set("partition.assignment.strategy", "cooperative-sticky");
    if let Some(instance) = instance {
        config.set("group.instance.id", instance);
    }
    let client = Client::create(&config, events.clone()).unwrap();
    client.subscribe(&[group]).unwrap();
    client
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_client_that_a_record_outlives_goes_with_the_record() {
    let topic = "outlived";
    embedded::create_topic(topic).unwrap();
    let events = Arc::new(Members::default());
    let client = member(topic, None, &events);
    until("it has its partitions", || {
        client.poll(Duration::from_millis(10));
        events.0.load(SeqCst) > 0
    });
    let kept = client.clone();
    client.close(Duration::from_millis(50));
    assert!(Arc::strong_count(&events) > 1, "it is kept");
    drop(kept);
    until("the client is gone, with what it calls", || Arc::strong_count(&events) == 1);
}

#[test]
fn a_named_member_that_a_record_outlives_keeps_no_partitions_for_longer_than_its_session() {
    let topic = "outlived-by-name";
    embedded::create_topic(topic).unwrap();
    let (first, second) = (Arc::new(Members::default()), Arc::new(Members::default()));
    let client = member(topic, Some("a"), &first);
    until("it has its partitions", || {
        client.poll(Duration::from_millis(10));
        first.0.load(SeqCst) > 0
    });
    let kept = client.clone();
    client.close(Duration::from_millis(50));
    let other = member(topic, Some("b"), &second);
    until("another member has its partitions", || {
        other.poll(Duration::from_millis(10));
        second.0.load(SeqCst) == 4
    });
    other.close(Duration::from_secs(10));
    drop(kept);
    until("the clients are gone", || Arc::strong_count(&first) + Arc::strong_count(&second) == 2);
}
