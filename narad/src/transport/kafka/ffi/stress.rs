//! What this module promises under load: queues that come and go while workers read them, messages that many
//! threads look at at once and the last of them drops, commits beside all that; questions to leaders whose
//! answers nobody waits for any more.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::producer::{BaseProducer, Producer as _};

use crate::producer::{Producer, Settings};
use crate::transport::{Begin, Client, GroupEvents, Member, Message, OwnedMessage, Partition, embedded};
use crate::transport::{ClientProperties, EMBEDDED, Fault, Outgoing, PartitionQueue, Position};

const TOPIC: &str = "ffi-stress";
const RECORDS: usize = 4_000;
const ROUNDS: usize = 8;

/// A header's name that is no UTF-8.
const NAME: &[u8] = b"h\xff";

/// A message and what it must not outlive.
type Held = (Arc<Message>, Arc<Client>);

/// The queues of the partitions that are assigned, each with a lock of its own, as lanes have one.
#[derive(Default)]
struct Queues {
    open: Mutex<HashMap<i32, Arc<Mutex<Option<PartitionQueue>>>>>,
    filled: Mutex<Option<Sender<i32>>>,
}

impl Queues {
    fn close(&self, partitions: &[Partition]) {
        for partition in partitions {
            if let Some(queue) = self.open.lock().unwrap().remove(&partition.partition) {
                queue.lock().unwrap().take();
            }
        }
    }
}

impl GroupEvents for Queues {
    fn assigned(&self, client: &Arc<dyn Member>, partitions: &mut [Partition]) {
        for partition in partitions {
            // Each round reads all of it again.
            partition.begin = Begin::Beginning;
            let (number, filled) = (partition.partition, self.filled.lock().unwrap().clone().unwrap());
            let signal = filled.clone();
            let queue = client
                .clone()
                .queue(TOPIC, number, Box::new(move || signal.send(number).unwrap_or_default()))
                .unwrap();
            self.open.lock().unwrap().insert(number, Arc::new(Mutex::new(Some(queue))));
            // What is in it already gives no sign.
            filled.send(number).unwrap_or_default();
        }
    }

    fn revoked(&self, _: &Arc<dyn Member>, partitions: &[Partition]) {
        self.close(partitions);
    }

    fn lost(&self, _: &Arc<dyn Member>, partitions: &[Partition]) {
        self.close(partitions);
    }

    fn stray(&self, _: &str, _: i32, _: OwnedMessage) {}

    fn error(&self, _: Option<Fault>, _: bool, _: &str) {}
}

/// Looks at everything of a message, as other threads do at the same time.
fn look(message: &Message) -> usize {
    let number: usize = std::str::from_utf8(message.key().unwrap()).unwrap().parse().unwrap();
    let payload = message.payload().unwrap();
    match number % 2 {
        0 => assert_eq!(message.text(), std::str::from_utf8(payload).ok()),
        _ => assert_eq!((message.text(), payload), (None, b"\xff\xfe".as_slice())),
    }
    assert!(matches!(message, Message::Kafka(_)), "in librdkafka's memory");
    let mut headers = message.headers();
    assert_eq!((headers.next(), headers.next()), (header(number), None));
    number
}

/// None, one that is null, one that is empty.
fn header(number: usize) -> Option<(&'static [u8], Option<&'static [u8]>)> {
    match number % 3 {
        0 => None,
        1 => Some((NAME, None)),
        _ => Some((NAME, Some(b""))),
    }
}

fn publish() {
    let producer = Producer::new(Settings::of_embedded());
    let records = (0..RECORDS).map(|number| Outgoing {
        key: Some(number.to_string().into_bytes()),
        payload: Some(if number % 2 == 0 {
            format!("{{\"number\":{number}}}").into_bytes()
        } else {
            b"\xff\xfe".to_vec()
        }),
        headers: header(number)
            .map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec)))
            .into_iter()
            .collect(),
        topic: TOPIC.to_owned(),
        ..Outgoing::default()
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(producer.send_all(TOPIC, records.collect())).unwrap();
    runtime.block_on(producer.disconnect()).unwrap();
}

/// Reads whichever queue is filled, and hands each message to all who look.
fn read(
    queues: &Queues,
    filled: &Mutex<Receiver<i32>>,
    client: &Arc<Client>,
    lookers: &[Sender<Held>],
    ended: &AtomicBool,
) {
    while !ended.load(Relaxed) {
        let Ok(number) = filled.lock().unwrap().recv_timeout(Duration::from_millis(5)) else { continue };
        let Some(queue) = queues.open.lock().unwrap().get(&number).cloned() else { continue };
        let mut queue = queue.lock().unwrap();
        while let Some(queue) = queue.as_mut() {
            let mut read = 0;
            queue.read(64, |message| {
                let Ok(message) = message else { return };
                let message = Arc::new(message);
                read += 1;
                lookers.iter().for_each(|looker| drop(looker.send((message.clone(), client.clone()))));
            });
            if read == 0 {
                break;
            }
        }
    }
}

#[test]
fn queues_come_and_go_and_messages_are_looked_at_by_many() {
    embedded::create_topic(TOPIC).unwrap();
    publish();
    let mut config = ClientProperties::of_member(TOPIC);
    config
        .set("enable.auto.offset.store", "false")
        .set("fetch.wait.max.ms", "5")
        .set("heartbeat.interval.ms", "50");
    // The mock cluster makes who comes back wait for a session, now and then.
    config.set("partition.assignment.strategy", "cooperative-sticky").set("session.timeout.ms", "2000");
    let (fill, filled) = channel();
    let queues = Arc::new(Queues::default());
    *queues.filled.lock().unwrap() = Some(fill);
    let client = Client::create(&config, queues.clone()).unwrap();
    let (ended, filled) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(filled)));
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let mut threads = Vec::new();
    let lookers: Vec<Sender<Held>> = (0..3)
        .map(|place| {
            let (sender, messages) = channel::<Held>();
            let seen = seen.clone();
            threads.push(std::thread::spawn(move || {
                let mut kept = Vec::new();
                for held in messages {
                    let number = look(&held.0);
                    // Each keeps others for a while, so that the last look and the drop fall to any of them.
                    if number % 3 == place {
                        seen.lock().unwrap().insert(number);
                        kept.push(held);
                    }
                    kept.truncate(100);
                }
            }));
            sender
        })
        .collect();
    for _ in 0..2 {
        let (queues, filled, client) = (queues.clone(), filled.clone(), client.clone());
        let (lookers, ended) = (lookers.clone(), ended.clone());
        threads.push(std::thread::spawn(move || read(&queues, &filled, &client, &lookers, &ended)));
    }
    drop(lookers);
    threads.push({
        let (queues, client, ended) = (queues.clone(), client.clone(), ended.clone());
        std::thread::spawn(move || {
            let mut next = 0;
            while !ended.load(Relaxed) {
                if !queues.open.lock().unwrap().contains_key(&0) {
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                }
                next += 1;
                let position = Position { next, metadata: "x".repeat(next as usize % 100), epoch: 0 };
                // Refused while the group is joined or left. The epoch is that of the cluster's only leader.
                let sent = client.clone().commit(vec![((TOPIC.to_owned(), 0), position.clone())]);
                let mut sent = sent.ok();
                let answer = loop {
                    let Some(waiting) = sent.take() else { break None };
                    match waiting.answer(Duration::from_millis(50)) {
                        Ok(verdicts) => break Some(verdicts),
                        Err(waiting) => sent = Some(waiting).filter(|_| !ended.load(Relaxed)),
                    }
                };
                if answer.is_some_and(|verdicts| verdicts.iter().all(|(_, _, verdict)| verdict.is_ok()))
                    && let Ok(known) = client.committed(&[(TOPIC, 0)], Duration::from_secs(5))
                {
                    assert_eq!(known, [Some(position)]);
                }
            }
        })
    });
    for _ in 0..ROUNDS {
        seen.lock().unwrap().clear();
        client.subscribe(&[TOPIC]).unwrap();
        let deadline = Instant::now() + Duration::from_secs(120);
        while seen.lock().unwrap().len() < RECORDS {
            client.poll(Duration::from_millis(5));
            assert!(Instant::now() < deadline, "{} of {RECORDS} were read", seen.lock().unwrap().len());
        }
        // In the middle of further reads: what is let go is let go from under the workers.
        client.unsubscribe();
        while !queues.open.lock().unwrap().is_empty() {
            client.poll(Duration::from_millis(5));
            assert!(Instant::now() < deadline, "the partitions are let go");
        }
    }
    ended.store(true, Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    drop(queues);
    client.close(Duration::from_secs(10));
}

#[test]
fn leaders_are_asked_by_many_whose_answers_come_late() {
    let topic = "ffi-leaders";
    embedded::create_topic(topic).unwrap();
    let asks = |place: u64| {
        for _ in 0..ROUNDS {
            let properties = ClientProperties::default().set("bootstrap.servers", EMBEDDED).clone();
            let producer: BaseProducer = properties.native().unwrap().create().unwrap();
            let client = producer.client();
            assert!(super::leaders::answer(client, topic, 0..4, Duration::from_secs(30)));
            assert!(
                !super::leaders::answer(client, topic, 4..5, Duration::from_millis(20)),
                "no such partition"
            );
            // So short that answers come to calls that have ended, and to clients that end.
            for _ in 0..50 {
                super::leaders::answer(client, topic, 0..4, Duration::from_millis(place % 3));
            }
        }
    };
    std::thread::scope(|scope| {
        for place in 0..4 {
            scope.spawn(move || asks(place));
        }
    });
}
