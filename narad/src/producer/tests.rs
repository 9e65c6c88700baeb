use std::time::Instant;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::*;
use crate::transport::ClientProperties;

fn settings(brokers: &str) -> Settings {
    let mut client = ClientProperties::default();
    client
        .set("bootstrap.servers", brokers)
        .set("linger.ms", "0")
        .set("message.timeout.ms", "3000")
        .set("partitioner", "murmur2_random");
    Settings {
        client,
        brokers: brokers.split(',').map(str::to_owned).collect(),
        connection_timeout: Duration::from_secs(5),
        ..Settings::of_tests()
    }
}

fn cluster() -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(1).expect("a mock cluster");
    for topic in ["orders", "orders-test"] {
        cluster.create_topic(topic, 4, 1).expect("a topic");
    }
    cluster
}

fn mocked(cluster: &MockCluster<'_, DefaultProducerContext>) -> Settings {
    settings(&cluster.bootstrap_servers())
}

/// Nothing listens there: the port was free a moment ago.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").to_string()
}

fn record(topic: &str, key: &str, payload: &str) -> Outgoing {
    Outgoing {
        topic: topic.to_owned(),
        key: Some(key.into()),
        payload: Some(payload.into()),
        ..Outgoing::default()
    }
}

fn is_static<F: Future + Send + 'static>(future: F) -> F {
    future
}

#[tokio::test]
async fn the_first_send_connects_and_resolves_with_where_the_record_is() {
    let cluster = cluster();
    let producer = Producer::new(mocked(&cluster));
    assert!(!producer.is_connected());
    let sent = is_static(producer.send(record("orders-test", "k", "1"))).await.expect("acknowledged");
    assert_eq!((sent.topic(), sent.offset()), ("orders-test", Some(0)));
    assert!(sent.partition().is_some());
    assert!(producer.is_connected());
}

#[tokio::test]
async fn records_of_one_key_keep_the_order_of_the_calls() {
    let cluster = cluster();
    let producer = Producer::new(mocked(&cluster));
    let calls: Vec<_> = (0..50).map(|n| producer.send(record("orders", "k", &n.to_string()))).collect();
    let all = producer.send_all("orders", (50..100).map(|n| record("orders", "k", &n.to_string())).collect());
    let mut offsets = Vec::new();
    for call in calls {
        offsets.push(call.await.expect("acknowledged").offset().expect("an offset"));
    }
    offsets.extend(all.await.expect("acknowledged").iter().map(|sent| sent.offset().expect("an offset")));
    assert_eq!(offsets, (0..100).collect::<Vec<i64>>());
}

#[tokio::test]
async fn a_full_queue_waits_and_keeps_the_order() {
    let cluster = cluster();
    let mut settings = mocked(&cluster);
    settings.client.set("queue.buffering.max.messages", "10");
    let producer = Producer::new(settings);
    producer.connect().await.expect("connected");
    let first =
        producer.send_all("orders", (0..500).map(|n| record("orders", "k", &n.to_string())).collect());
    let second = producer.send(record("orders", "k", "500"));
    let sent = first.await.expect("acknowledged");
    assert!(sent.windows(2).all(|pair| pair[0].offset() < pair[1].offset()));
    assert_eq!(second.await.expect("acknowledged").offset(), Some(500));
}

#[tokio::test]
async fn a_dropped_future_does_not_cancel_its_send() {
    let cluster = cluster();
    let producer = Producer::new(mocked(&cluster));
    drop(producer.send(record("orders", "k", "1")));
    assert_eq!(producer.send(record("orders", "k", "2")).await.expect("acknowledged").offset(), Some(1));
}

#[tokio::test]
async fn no_records_are_sent_at_once() {
    let producer = Producer::new(settings(&nowhere()));
    assert!(producer.send_all("orders", Vec::new()).await.expect("nothing to wait for").is_empty());
}

#[tokio::test]
async fn a_send_while_disconnected_waits_once_per_outage() {
    let producer =
        Producer::new(Settings { connection_timeout: Duration::from_millis(400), ..settings(&nowhere()) });
    let began = Instant::now();
    let (one, two) = (producer.send(record("orders", "k", "1")), producer.send(record("orders", "k", "2")));
    assert!(matches!(one.await, Err(Error::NotConnected)));
    assert!(matches!(two.await, Err(Error::NotConnected)));
    assert!(
        (Duration::from_millis(400)..Duration::from_millis(900)).contains(&began.elapsed()),
        "{:?}",
        began.elapsed()
    );
    let began = Instant::now();
    assert!(matches!(producer.send(record("orders", "k", "3")).await, Err(Error::NotConnected)));
    assert!(began.elapsed() < Duration::from_millis(50), "{:?}", began.elapsed());
}

#[tokio::test]
async fn development_mode_pretends_without_a_broker() {
    let producer = Producer::new(Settings { development: true, ..settings(&nowhere()) });
    producer.connect().await.expect("no connection is required");
    let began = Instant::now();
    let sent = producer.send(record("orders", "k", "1")).await.expect("pretended");
    assert_eq!((sent.topic(), sent.partition(), sent.offset()), ("orders", None, None));
    assert_eq!(
        producer.send_all("orders", vec![record("orders", "k", "2")]).await.expect("pretended").len(),
        1
    );
    assert!(began.elapsed() < Duration::from_millis(50), "{:?}", began.elapsed());
    assert!(!producer.is_connected());
}

#[tokio::test]
async fn development_mode_never_pretends_for_narads_own() {
    let producer = Producer::new(Settings { development: true, ..settings(&nowhere()) });
    producer.connect().await.expect("no connection is required");
    let delivery = producer.deliver(record("orders", "k", "1"));
    assert!(tokio::time::timeout(Duration::from_millis(500), delivery).await.is_err());
}

#[tokio::test]
async fn an_outage_is_seen_and_so_is_its_end() {
    let cluster = cluster();
    let producer =
        Producer::new(Settings { connection_timeout: Duration::from_millis(300), ..mocked(&cluster) });
    producer.send(record("orders", "k", "1")).await.expect("acknowledged");
    cluster.broker_down(1).expect("down");
    let began = Instant::now();
    while producer.is_connected() {
        assert!(began.elapsed() < Duration::from_secs(6));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let outcome = producer.send(record("orders", "k", "2")).await;
    assert!(matches!(outcome, Err(Error::NotConnected)), "{outcome:?}");
    let delivery = producer.deliver(record("orders", "k", "3"));
    cluster.broker_up(1).expect("up");
    assert_eq!(delivery.await.expect("acknowledged").offset(), Some(1));
    assert!(producer.is_connected());
}

#[tokio::test]
async fn too_large_is_permanent_and_says_so() {
    let cluster = cluster();
    let mut settings = mocked(&cluster);
    settings.client.set("message.max.bytes", "1000");
    let producer = Producer::new(settings);
    let failure = producer.deliver(record("orders", "k", &"x".repeat(2000))).await.expect_err("too large");
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.error.to_string().contains("topic orders: the record is too large"), "{}", failure.error);
}

#[tokio::test]
async fn each_record_of_a_call_has_its_outcome() {
    let cluster = cluster();
    let mut settings = mocked(&cluster);
    settings.client.set("message.max.bytes", "1000");
    let producer = Producer::new(settings);
    let records = vec![
        record("orders", "k", "1"),
        record("orders", "k", &"x".repeat(2000)),
        record("orders", "k", "3"),
    ];
    let Err(Error::SendAll(error)) = producer.send_all("orders", records).await else {
        panic!("one is too large")
    };
    assert_eq!(error.to_string().split(';').next(), Some("1 of 3 records were not acknowledged"));
    assert_eq!(error.outcomes().iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
}

#[tokio::test]
async fn no_acknowledgement_in_time_is_unknown() {
    let cluster = cluster();
    let producer = Producer::new(mocked(&cluster));
    producer.send(record("orders", "k", "1")).await.expect("acknowledged");
    cluster.broker_round_trip_time(1, Duration::from_secs(20)).expect("slow");
    assert!(matches!(producer.send(record("orders", "k", "2")).await, Err(Error::DeliveryUnknown)));
}

#[tokio::test]
async fn disconnect_sends_what_was_taken_and_takes_nothing_more() {
    let cluster = cluster();
    let producer = Producer::new(mocked(&cluster));
    let sending =
        producer.send_all("orders", (0..1000).map(|n| record("orders", "k", &n.to_string())).collect());
    producer.disconnect().await.expect("ended");
    assert_eq!(sending.await.expect("acknowledged").len(), 1000);
    assert!(matches!(producer.send(record("orders", "k", "1")).await, Err(Error::NotConnected)));
    assert!(producer.connect().await.is_err());
    assert!(!producer.is_connected());
    let began = Instant::now();
    producer.disconnect().await.expect("again");
    assert!(began.elapsed() < Duration::from_millis(20));
}

#[tokio::test]
async fn a_wrong_property_is_an_error_of_the_configuration() {
    let mut settings = settings(&nowhere());
    settings.client.set("no.such.property", "1");
    let producer = Producer::new(settings);
    let error = producer.connect().await.expect_err("no such property");
    assert!(matches!(&error, Error::Config(text) if text.contains("no.such.property")), "{error}");
    assert!(producer.send(record("orders", "k", "1")).await.is_err());
}

#[test]
fn failures_name_the_topic_and_what_to_do() {
    let orders = &Arc::from("orders");
    let text = |code: Code| Failure::of(code.into(), orders, || "the command".to_owned()).error.to_string();
    assert!(
        text(Code::UnknownTopicOrPartition)
            .contains("topic orders: unknown topic: create it with `the command`")
    );
    assert!(text(Code::TopicAuthorizationFailed).contains("topic orders: not authorised"));
    assert!(matches!(
        Failure::of(Code::MessageTimedOut.into(), orders, String::new).error,
        Error::DeliveryUnknown
    ));
    assert_eq!(
        Failure::of(Code::NotEnoughReplicas.into(), orders, String::new).class,
        FailureClass::Transient
    );
}

#[tokio::test]
async fn what_has_no_acknowledgement_at_the_deadline_is_given_up() {
    let cluster = cluster();
    let producer = Producer::new(mocked(&cluster));
    producer.send(record("orders", "k", "1")).await.expect("acknowledged");
    cluster.broker_round_trip_time(1, Duration::from_secs(20)).expect("slow");
    let sending = producer.send(record("orders", "k", "2"));
    let began = Instant::now();
    producer.disconnect_within(Duration::from_millis(300)).await.expect("ended");
    assert!(matches!(sending.await, Err(Error::DeliveryUnknown | Error::NotConnected)));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn at_the_end_narads_own_do_not_wait_for_a_broker() {
    let producer = Producer::new(settings(&nowhere()));
    let delivery = producer.deliver(record("orders", "k", "1"));
    producer.disconnect().await.expect("ended");
    assert!(matches!(delivery.await, Err(Failure { error: Error::NotConnected, .. })));
}

#[tokio::test]
async fn an_idle_connection_stays_known() {
    let cluster = cluster();
    let producer = Producer::new(mocked(&cluster));
    producer.connect().await.expect("connected");
    tokio::time::sleep(Duration::from_millis(5_500)).await;
    assert!(producer.is_connected());
}

#[tokio::test]
async fn headers_and_nulls_arrive_as_they_were_given() {
    use rdkafka::consumer::{BaseConsumer, Consumer};
    use rdkafka::message::Message;
    let cluster = cluster();
    let producer = Producer::new(mocked(&cluster));
    let headers =
        vec![(b"a".to_vec(), Some(b"1".to_vec())), (b"a".to_vec(), None), (b"b".to_vec(), Some(Vec::new()))];
    let outgoing = Outgoing {
        topic: "orders".to_owned(),
        partition: Some(2),
        key: Some(Vec::new()),
        headers,
        ..Outgoing::default()
    };
    assert_eq!(producer.send(outgoing).await.expect("acknowledged").partition(), Some(2));
    // A name that is no UTF-8 goes out as well; rdkafka's own reader would panic on it.
    let raw = Outgoing {
        topic: "orders".to_owned(),
        headers: vec![(vec![0xff, 0xfe], None)],
        ..Outgoing::default()
    };
    producer.send(raw).await.expect("acknowledged");
    let brokers = cluster.bootstrap_servers();
    let read = tokio::task::spawn_blocking(move || {
        let consumer: BaseConsumer = settings(&brokers)
            .client
            .set("group.id", "g")
            .native()
            .expect("properties")
            .create()
            .expect("a consumer");
        let mut assignment = rdkafka::TopicPartitionList::new();
        assignment.add_partition_offset("orders", 2, rdkafka::Offset::Beginning).expect("an offset");
        consumer.assign(&assignment).expect("assigned");
        let record = consumer.poll(Duration::from_secs(5)).expect("a record").expect("no error");
        record.detach()
    });
    let read = read.await.expect("read");
    assert_eq!((read.key(), read.payload()), (Some(&b""[..]), None));
    let names = rdkafka::message::Headers::iter(read.headers().expect("headers"));
    let headers: Vec<_> =
        names.map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect();
    assert_eq!(
        headers,
        [("a".to_owned(), Some(b"1".to_vec())), ("a".to_owned(), None), ("b".to_owned(), Some(Vec::new()))]
    );
}
