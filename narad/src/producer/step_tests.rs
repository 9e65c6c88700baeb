//! A producer's threads step by step, on the transport in memory and with the clock by hand.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::core::{Client, Core};
use super::courier::Asking;
use super::events::Events;
use super::life::ProducerEvent;
use super::mover::Carrying;
use super::restarts::Restarts;
use super::serve::Serving;
use super::{Producer, Settings};
use crate::clock::{Clock, Step, Steps};
use crate::connection::Phase;
use crate::error::{Error, SendErrorKind};
use crate::transport::{ClientProperties, Memory, Outgoing, Producers};

const TOPIC: &str = "orders";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A producer whose threads the test is.
struct Bench {
    clock: Clock,
    memory: Memory,
    producer: Producer,
    core: Arc<Core>,
    client: Arc<Client>,
    gone: AtomicBool,
}

impl Bench {
    fn new() -> Self {
        let (memory, clock) = (Memory::default(), Clock::by_hand());
        memory.topic(TOPIC, 1);
        let mut properties = ClientProperties::default();
        properties.set("delivery.timeout.ms", "30000");
        let producer = Producer::new(Settings {
            client: properties,
            transport: Arc::new(memory.clone()),
            clock: clock.clone(),
            connection_timeout: seconds(10),
            ..Settings::of_tests()
        });
        let core = producer.core().clone();
        core.life.happens(ProducerEvent::Begins);
        core.connection.begin();
        let events = Events::new(&core.connection, &core.lines, &[]);
        let client: Arc<Client> = memory.producer(&ClientProperties::default(), events).unwrap();
        *core.client.write().unwrap() = Some(client.clone());
        Self { clock, memory, producer, core, client, gone: AtomicBool::new(false) }
    }

    /// The mover and the courier go on for so long, each when it is due.
    fn goes_on(&self, mover: &mut Carrying<'_>, time: Duration) {
        let mut courier = Asking::new(&self.core, &*self.client, &self.gone);
        let until = self.clock.now() + time;
        while self.clock.now() < until {
            let now = self.clock.now();
            let (Step::By(moves), Step::By(asks)) = (mover.step(now), courier.step(now)) else {
                panic!("the client is there")
            };
            // Those who ask about topics have threads of their own.
            while self.core.checks.lock().threads > 0 {
                std::thread::yield_now();
            }
            let next = moves.min(asks).clamp(now + Duration::from_millis(10), until);
            self.clock.moves(next - now);
        }
        let _ = mover.step(self.clock.now());
    }
}

fn record() -> Outgoing {
    Outgoing { topic: TOPIC.to_owned(), payload: Some(b"1".to_vec()), ..Outgoing::default() }
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_send_whose_topic_nobody_tells_of_ends_with_the_time_for_its_delivery() {
    let bench = Bench::new();
    bench.memory.silences(TOPIC, true);
    let mut mover = Carrying::new(&bench.core, &bench.gone);
    let mut sending = pin!(bench.producer.send(record()));
    bench.goes_on(&mut mover, Duration::from_millis(29_900));
    assert_eq!(bench.core.connection.phase(), Phase::Up);
    assert!(poll(sending.as_mut()).is_pending());
    bench.goes_on(&mut mover, Duration::from_millis(200));
    let Poll::Ready(Err(Error::Send(error))) = poll(sending) else { panic!("its time is over") };
    assert_eq!((error.kind(), error.topic()), (SendErrorKind::Other, Some(TOPIC)));
    assert!(error.to_string().contains("nothing was sent within delivery.timeout.ms (30 s)"), "{error}");
    assert!(bench.memory.records(TOPIC).is_empty());
}

#[test]
fn a_send_that_waited_long_and_is_not_acknowledged_is_unknown_when_its_time_is_over() {
    let bench = Bench::new();
    bench.memory.silences(TOPIC, true);
    bench.memory.keeps(TOPIC);
    let mut mover = Carrying::new(&bench.core, &bench.gone);
    let mut sending = pin!(bench.producer.send(record()));
    bench.goes_on(&mut mover, seconds(20));
    assert_eq!(bench.client.in_flight(), 0);
    bench.memory.silences(TOPIC, false);
    bench.goes_on(&mut mover, Duration::from_millis(9_900));
    assert_eq!(bench.client.in_flight(), 1, "it was handed over");
    assert!(poll(sending.as_mut()).is_pending());
    bench.goes_on(&mut mover, Duration::from_millis(200));
    assert!(matches!(poll(sending), Poll::Ready(Err(Error::DeliveryUnknown))), "whether it is there");
}

#[test]
fn an_end_waits_for_acknowledgements_as_long_as_it_may() {
    let bench = Bench::new();
    bench.memory.keeps(TOPIC);
    let mut mover = Carrying::new(&bench.core, &bench.gone);
    let mut sending = pin!(bench.producer.send(record()));
    bench.goes_on(&mut mover, seconds(1));
    assert_eq!(bench.client.in_flight(), 1);
    let mut restarts = Restarts::default();
    let mut serving = Serving::new(&bench.core, &*bench.client, &mut restarts);
    let _ended = bench.producer.disconnect_within(seconds(5));
    bench.clock.moves(Duration::from_millis(4_900));
    assert!(matches!(serving.step(bench.clock.now()), Step::By(_)));
    assert!(poll(sending.as_mut()).is_pending());
    bench.clock.moves(Duration::from_millis(200));
    assert_eq!(serving.step(bench.clock.now()), Step::Done(false), "it did not give up, it ended");
    assert!(matches!(poll(sending), Poll::Ready(Err(Error::DeliveryUnknown))));
    assert!(matches!(poll(pin!(bench.producer.send(record()))), Poll::Ready(Err(Error::NotConnected))));
}

#[test]
fn an_end_is_over_once_all_is_acknowledged() {
    let bench = Bench::new();
    let mut mover = Carrying::new(&bench.core, &bench.gone);
    let mut sending = pin!(bench.producer.send(record()));
    bench.goes_on(&mut mover, seconds(1));
    assert!(matches!(poll(sending.as_mut()), Poll::Ready(Ok(_))));
    let mut restarts = Restarts::default();
    let mut serving = Serving::new(&bench.core, &*bench.client, &mut restarts);
    assert!(matches!(serving.step(bench.clock.now()), Step::By(_)), "nobody ends it");
    let _ended = bench.producer.disconnect();
    assert_eq!(serving.step(bench.clock.now()), Step::Done(false));
}
