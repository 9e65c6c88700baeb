//! The way of records through a lane, on the transport in memory: no librdkafka, and one thread that does
//! each step.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use narad_syntax::options::Options;
use tokio::runtime::Runtime;

use super::{Lane, LaneParts};
use crate::clock::Clock;
use crate::consumer::commit::Committer;
use crate::consumer::handler::Handler;
use crate::consumer::plan::TopicPlan;
use crate::consumer::stats::GroupStats;
use crate::dead_letter::DeadLetter;
use crate::engine::{Bound, Routes, Taking};
use crate::handler::{Call, Input, Ordering, Reply, Slot};
use crate::outcome::Outcome;
use crate::producer::{Producer, Settings};
use crate::record::{Assignment, Source, TypeHeaders};
use crate::transport::{
    Class, CommitError, Fault, Member, Memory, MemoryMember, NoEvents, Outgoing, OwnedMessage, Unread,
};

const TOPIC: &str = "orders";
const DEAD: &str = "orders.dlq";

/// What a test has before its lane.
struct World {
    memory: Memory,
    producer: Producer,
    runtime: Runtime,
}

impl World {
    fn new() -> Self {
        let memory = Memory::default();
        memory.topic(TOPIC, 1).topic(DEAD, 1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let settings = Settings { transport: Arc::new(memory.clone()), ..Settings::of_tests() };
        let producer = Producer::new(Settings { connection_timeout: Duration::from_secs(30), ..settings });
        // From here on a send is acknowledged on the spot: the topic is known, and nothing waits.
        let first = Outgoing { topic: DEAD.to_owned(), ..Outgoing::default() };
        runtime.block_on(producer.deliver(first)).unwrap();
        Self { memory, producer, runtime }
    }

    fn write(&self, key: &str, payload: &str) {
        let message =
            OwnedMessage { key: Some(key.into()), payload: Some(payload.into()), ..OwnedMessage::default() };
        self.memory.append(TOPIC, 0, message);
    }

    /// What the dead-letter topic has, but for the first.
    fn dead(&self) -> Vec<String> {
        let text = |message: &OwnedMessage| String::from_utf8(message.payload.clone().unwrap()).unwrap();
        self.memory.records(DEAD)[1..].iter().map(text).collect()
    }

    /// Does this with a lane that has its queue, on one thread: a lane has locks of loom's, and this is one
    /// course of them.
    fn with_lane(self, call: Call, attempts: u32, test: impl Fn(&Self, &Bench) + Send + Sync + 'static) {
        let world = Arc::new(self);
        let test = Arc::new(test);
        let mut model = loom::model::Builder::new();
        model.max_branches = 1_000_000;
        model.check(move || {
            let (world, test) = (world.clone(), test.clone());
            // The model's own stack is small.
            let steps = move || {
                let _runtime = world.runtime.enter();
                let bench = Bench::new(&world, call, attempts);
                test(&world, &bench);
                bench.lane.end();
                bench.works();
            };
            loom::thread::Builder::new().stack_size(1 << 18).spawn(steps).unwrap().join().unwrap();
        });
    }
}

/// A lane and what stands around it.
struct Bench {
    lane: Arc<Lane>,
    committer: Committer,
    member: Arc<dyn Member>,
    of_memory: Arc<MemoryMember>,
    unread: Arc<Mutex<Vec<Unread>>>,
}

impl Bench {
    fn new(world: &World, call: Call, attempts: u32) -> Self {
        let memory_member = world.memory.join(Arc::new(NoEvents));
        memory_member.subscribe(&[TOPIC]).unwrap();
        memory_member.serve();
        let member: Arc<dyn Member> = memory_member.clone();
        let stats = GroupStats::new("group", Arc::default(), Clock::real());
        let unread = Arc::<Mutex<Vec<Unread>>>::default();
        let errors = unread.clone();
        let assignment = Assignment::new(member.membership().unwrap());
        let source = Source::new(TOPIC.into(), 0, assignment, TypeHeaders::default(), member.clone());
        let lane = Lane::new(LaneParts {
            stats: stats.clone(),
            bound: Bound::new("group", TOPIC, 0, Some("memory"), Ordering::Key),
            read_error: Box::new(move |error| errors.lock().unwrap().push(error)),
            ..LaneParts::of_tests(source, plan(world, call, attempts), &world.producer)
        });
        let committer = Committer::new(&stats);
        committer.add(TOPIC, 0, lane.clone(), None);
        lane.attach(member.clone().queue(TOPIC, 0, Box::new(|| {})).unwrap());
        Self { lane, committer, member, of_memory: memory_member, unread }
    }

    /// A few turns: what is there is read, and what can go on goes on.
    fn works(&self) {
        for _ in 0..4 {
            self.lane.filled();
            self.lane.clone().run();
        }
    }

    /// The same again and again, and the time goes on meanwhile.
    fn works_until(&self, world: &World, what: &str, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !condition() {
            assert!(Instant::now() < deadline, "{what}");
            self.works();
            world.runtime.block_on(tokio::time::sleep(Duration::from_millis(2)));
        }
    }

    fn commits(&self) -> Result<(), CommitError> {
        self.lane.ask_position();
        self.works();
        self.committer.commit(&self.member)
    }
}

fn plan(world: &World, call: Call, attempts: u32) -> TopicPlan {
    let takes = Taking::any_bytes();
    let options = || {
        let mut options = Options::NONE.in_force(true);
        (options.retry_attempts, options.retry_backoff) = (attempts, (1, 1));
        options
    };
    let handler = Handler {
        options: options(),
        dead_letter: DeadLetter::Topic(DEAD.to_owned()),
        ..Handler::of_tests(call, takes, &world.producer, world.runtime.handle().clone())
    };
    TopicPlan {
        handlers: vec![Arc::new(handler)],
        routes: Routes::new(vec![takes]),
        dead_letter: DEAD.into(),
        options: options(),
        type_headers: TypeHeaders::default(),
        batch: None,
    }
}

/// What handlers saw: the payload and the attempt of each call; for each test its own.
type Seen = Mutex<Vec<(String, u32)>>;

fn see(seen: &Seen, input: &Input) -> String {
    let context = input.first();
    let payload = String::from_utf8(context.record().payload().unwrap().to_vec()).unwrap();
    seen.lock().unwrap_or_else(PoisonError::into_inner).push((payload.clone(), context.attempt()));
    payload
}

fn seen(seen: &Seen) -> Vec<(String, u32)> {
    seen.lock().unwrap().clone()
}

fn done(slot: &mut Slot) {
    slot.set(async { Reply::new(Outcome::done()) });
}

#[test]
fn what_a_handler_has_finished_is_committed_as_one_past_the_last() {
    static SEEN: Seen = Mutex::new(Vec::new());
    let call = Call::Async(|slot, input| {
        see(&SEEN, &input);
        done(slot);
    });
    World::new().with_lane(call, 1, |world, bench| {
        world.write("a", "1");
        world.write("b", "2");
        bench.works();
        assert_eq!(seen(&SEEN), [("1".to_owned(), 1), ("2".to_owned(), 1)]);
        assert_eq!(world.memory.committed(TOPIC, 0), None, "nobody has committed yet");
        assert_eq!(bench.commits(), Ok(()));
        assert_eq!(world.memory.committed(TOPIC, 0).map(|position| position.next), Some(2));
        // Nothing has changed.
        assert_eq!((bench.commits(), world.memory.commits()), (Ok(()), 1));
    });
}

#[test]
fn what_fails_is_tried_again_then_written_as_a_dead_letter_and_only_then_committed() {
    static SEEN: Seen = Mutex::new(Vec::new());
    let call = Call::Async(|slot, input| {
        let fails = see(&SEEN, &input) == "bad";
        slot.set(
            async move { Reply::new(if fails { Outcome::retry("it is broken") } else { Outcome::done() }) },
        );
    });
    World::new().with_lane(call, 3, |world, bench| {
        world.write("a", "bad");
        world.write("b", "good");
        bench.works();
        assert_eq!(bench.commits(), Ok(()));
        let position = world.memory.committed(TOPIC, 0).expect("the good one is noted beyond");
        assert!(position.next == 0 && !position.metadata.is_empty(), "{position:?}");
        bench.works_until(world, "a dead letter", || !world.dead().is_empty());
        bench.works();
        let of_bad: Vec<_> = seen(&SEEN).into_iter().filter(|(payload, _)| payload == "bad").collect();
        assert_eq!(of_bad.iter().map(|(_, attempt)| *attempt).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(world.dead(), ["bad"]);
        assert_eq!(bench.commits(), Ok(()));
        assert_eq!(world.memory.committed(TOPIC, 0).map(|position| position.next), Some(2));
    });
}

#[test]
fn a_record_whose_dead_letter_is_not_taken_stays_uncommitted() {
    let call = Call::Async(|slot, _| slot.set(async { Reply::new(Outcome::dead_letter("never")) }));
    let world = World::new();
    world.memory.deny(DEAD, Fault::of(Class::Other));
    world.with_lane(call, 1, |world, bench| {
        world.write("a", "1");
        bench.works_until(world, "tried again", || world.memory.denials() > 2);
        assert!(world.dead().is_empty());
        bench.commits().unwrap();
        assert!(world.memory.committed(TOPIC, 0).is_none_or(|position| position.next == 0));
    });
}

#[test]
fn a_commit_that_a_rebalance_refuses_is_sent_again_with_what_was_finished_since() {
    let call = Call::Async(|slot, _| done(slot));
    World::new().with_lane(call, 1, |world, bench| {
        let refusal = Fault::of(Class::Rebalancing);
        world.memory.answer_commits([Some(refusal)]);
        world.write("a", "1");
        bench.works();
        assert_eq!(bench.commits(), Err(CommitError::Refused(refusal)));
        assert_eq!(world.memory.committed(TOPIC, 0), None);
        world.write("a", "2");
        bench.works();
        assert_eq!(bench.commits(), Ok(()));
        assert_eq!(world.memory.committed(TOPIC, 0).map(|position| position.next), Some(2));
    });
}

#[test]
fn nothing_of_a_lane_is_committed_after_it_was_let_go() {
    let call = Call::Async(|slot, _| done(slot));
    World::new().with_lane(call, 1, |world, bench| {
        world.write("a", "1");
        bench.works();
        bench.lane.ask_position();
        bench.works();
        bench.committer.forget(&[(TOPIC.to_owned(), 0)]);
        assert_eq!(bench.commits(), Ok(()));
        assert_eq!((world.memory.committed(TOPIC, 0), world.memory.commits()), (None, 0));
    });
}

#[test]
fn what_others_have_by_now_is_not_committed() {
    let call = Call::Async(|slot, _| done(slot));
    World::new().with_lane(call, 1, |world, bench| {
        world.write("a", "1");
        bench.works();
        bench.of_memory.loses();
        assert_eq!(bench.commits(), Err(CommitError::Lost));
        assert_eq!((world.memory.committed(TOPIC, 0), world.memory.commits()), (None, 0));
    });
}

#[test]
fn behind_a_batch_that_cannot_be_read_nothing_is_handled() {
    static SEEN: Seen = Mutex::new(Vec::new());
    let call = Call::Async(|slot, input| {
        see(&SEEN, &input);
        done(slot);
    });
    let world = World::new();
    world.memory.breaks(TOPIC, 0, 1, Fault::of(Class::BrokenBatch));
    world.with_lane(call, 1, |world, bench| {
        ["1", "2", "3"].iter().for_each(|payload| world.write("a", payload));
        bench.works();
        assert_eq!(seen(&SEEN), [("1".to_owned(), 1)]);
        assert_eq!(bench.unread.lock().unwrap().iter().map(|unread| unread.offset).collect::<Vec<_>>(), [1]);
        assert_eq!(bench.lane.broken(), Some(1));
        bench.commits().unwrap();
        assert_eq!(world.memory.committed(TOPIC, 0).map(|position| position.next), Some(1));
        // As the control thread does: read anew from there.
        bench.member.seek(TOPIC, 0, bench.lane.reading().at);
        bench.lane.goes_on();
        bench.works();
        assert_eq!(seen(&SEEN).len(), 3);
    });
}
