//! What cannot be read or written yet is waited for, and is no attempt.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::task::{Context as Task, Poll, Waker};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use super::{Fate, RetryTask};
use crate::batch::Batch;
use crate::clock::Clock;
use crate::codec::{Body, Encoding, Parcel, came};
use crate::consumer::handler::Handler;
use crate::consumer::life::Phase;
use crate::consumer::progress::Progress;
use crate::consumer::stats::GroupStats;
use crate::context::Context;
use crate::engine::{BatchPolicy, Settled, Taking, Tally};
use crate::event::Event;
use crate::handler::{Call, Extracted, Input, IntoReply, Param, Reply, Slot};
use crate::outcome::{Outcome, OutcomeKind};
use crate::producer::{Producer, Settings};
use crate::record::{Assignment, Record, Source};
use crate::supervision::Supervision;
use crate::transport::{Message, OwnedMessage};

/// Handles a parcel, or a batch of them; counts up what it saw of attempts.
fn handle<P, const SCHEMA: u8, const KIND: u8>(slot: &mut Slot, input: Input, seen: &'static AtomicU32)
where
    P: for<'r> Param<'r, KIND>,
{
    slot.set(async move {
        match <P as Param<'_, KIND>>::extract(&input) {
            Extracted::Made(_) => {
                seen.fetch_add(input.first().attempt(), Relaxed);
                Reply::new(Outcome::done())
            }
            Extracted::Refused(reply) => reply,
            Extracted::Late(_) => unreachable!("an event is made at once"),
        }
    });
}

struct Bench {
    handler: Arc<Handler>,
    phase: watch::Sender<Phase>,
    permits: Arc<Semaphore>,
    task: RetryTask,
}

impl Bench {
    fn new<const SCHEMA: u8>(records: usize, call: fn(&mut Slot, Input)) -> Self {
        let runtime = tokio::runtime::Handle::current();
        let producer = Producer::new(Settings::of_tests());
        let takes = Taking::event(&Parcel::<SCHEMA>::SHAPE);
        let batch = BatchPolicy { max: records, wait: Duration::ZERO };
        let handler = Handler {
            batch: (records > 1).then_some(batch),
            ..Handler::of_tests(Call::Async(call), takes, &producer, runtime)
        };
        let source = Source::bare("t".into(), 0, Assignment::new(Default::default()));
        let record = || {
            let payload = Some(Parcel::<SCHEMA>::new("Ada", "1 kg").payload());
            let record =
                Record::new(source.clone(), Message::Owned(OwnedMessage { payload, ..Default::default() }));
            let outline = Body::of(&record, Encoding::Frames).outline;
            (record, outline)
        };
        let permits = Arc::new(Semaphore::new(1));
        let phase = watch::Sender::new(Phase::Running);
        let task = RetryTask {
            group: GroupStats::new("g", Arc::new(Supervision::default()), Clock::real()),
            producer,
            dead_letter: "g.dlq".into(),
            records: (0..records).map(|_| record()).collect(),
            phase: phase.subscribe(),
            permits: permits.clone(),
            permit: permits.clone().try_acquire_owned().ok().map(Arc::new),
            shared: Weak::new(),
            awaited: Arc::default(),
            counts: None,
            progress: Progress::new(&Clock::real()),
        };
        Self { handler: Arc::new(handler), phase, permits, task }
    }

    /// The first attempt, as the lane runs it.
    fn first(&self) -> Reply {
        let mut slot = Slot::new();
        self.handler.start(&mut slot, self.handler.input(&self.task.records, 1));
        match slot.poll(&mut Task::from_waker(Waker::noop())) {
            Poll::Ready(reply) => reply,
            Poll::Pending => panic!("it waits inside"),
        }
    }
}

/// Handled, and nothing else.
fn assert_settled(fate: Fate, records: usize) {
    match fate {
        Fate::Settled(tally) => assert_eq!(tally, Tally::of(Settled::Handled, records)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_record_whose_schema_is_not_there_yet_waits_and_has_its_first_attempt_once_it_is() {
    static SEEN: AtomicU32 = AtomicU32::new(0);
    let bench = Bench::new::<111>(1, |slot, input| handle::<Parcel<111>, 111, 1>(slot, input, &SEEN));
    let reply = bench.first();
    assert_eq!(reply.seen().kind(), OutcomeKind::Retry, "layers see no dead letter");
    let Bench { handler, permits, task, phase: _phase } = bench;
    let fate = tokio::spawn(task.run(handler, 1, reply));
    while permits.available_permits() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(!fate.is_finished(), "it has given its place to others, and waits");
    assert_eq!(SEEN.load(Relaxed), 0);
    came(111);
    assert_settled(fate.await.unwrap(), 1);
    assert_eq!(SEEN.load(Relaxed), 1, "one attempt, which was the first");
}

#[tokio::test]
async fn a_batch_waits_as_a_whole() {
    static SEEN: AtomicU32 = AtomicU32::new(0);
    let bench = Bench::new::<112>(3, |slot, input| {
        handle::<Batch<Parcel<112>>, 112, 4>(slot, input, &SEEN);
    });
    let reply = bench.first();
    let Bench { handler, permits, task, phase: _phase } = bench;
    let fate = tokio::spawn(task.run(handler, 1, reply));
    while permits.available_permits() == 0 {
        tokio::task::yield_now().await;
    }
    came(112);
    assert_settled(fate.await.unwrap(), 3);
    assert_eq!(SEEN.load(Relaxed), 1);
}

#[tokio::test]
async fn what_waits_holds_up_no_drain() {
    static SEEN: AtomicU32 = AtomicU32::new(0);
    let bench = Bench::new::<113>(1, |slot, input| handle::<Parcel<113>, 113, 1>(slot, input, &SEEN));
    let reply = bench.first();
    let Bench { handler, task, phase, permits: _permits } = bench;
    let fate = tokio::spawn(task.run(handler, 1, reply));
    phase.send_replace(Phase::Draining);
    assert!(matches!(fate.await.unwrap(), Fate::Abandoned), "left to the next owner");
    assert_eq!(SEEN.load(Relaxed), 0);
}

#[tokio::test]
async fn a_returned_event_waits_for_its_schema_and_its_handler_does_not_run_again() {
    static SEEN: AtomicU32 = AtomicU32::new(0);
    let bench = Bench::new::<1>(1, |slot, input| handle::<Parcel<1>, 1, 1>(slot, input, &SEEN));
    let ctx: Context = bench.handler.input(&bench.task.records, 1).first().clone();
    let reply = Parcel::<114>::new("Ada", "1 kg").into_reply(&ctx);
    assert!(!reply.is_plain_success());
    assert!(matches!(reply.events[..], [(_, Some(_))]));
    let Bench { handler, permits, task, phase: _phase } = bench;
    let fate = tokio::spawn(task.run(handler, 1, reply));
    tokio::task::yield_now().await;
    assert_eq!(permits.available_permits(), 0, "its place bounds how many wait");
    came(114);
    // Now it is written, for which there is no broker here.
    while permits.available_permits() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(SEEN.load(Relaxed), 0);
    fate.abort();
}
