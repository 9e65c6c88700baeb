use std::collections::{HashMap, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::producer::step::{Brokers, Why};

const TIMEOUT: Duration = Duration::from_secs(30);
const LIMIT: u64 = 100;

/// A call of the tests: its number, in the order of the calls, and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Call(usize, usize);

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    Sent,
    Failed(Why),
    Refused,
    Withdrawn,
    Drained,
}

/// How a call was made.
#[derive(Clone)]
struct Made {
    gate: Arc<Gate>,
    sender: Sender,
    at: Instant,
    /// The id of a future that had not entered.
    outside: Option<u64>,
    polled: bool,
}

/// The outbox with what is around it: senders with their futures, librdkafka, brokers that are asked.
struct World {
    now: Instant,
    room: Arc<Room>,
    outbox: Outbox<Call>,
    gates: Gates,
    topics: usize,
    /// What senders found of each topic that then were held up.
    found: Vec<Option<Arc<Gate>>>,
    brokers: Brokers,
    client: bool,
    closing: bool,
    calls: Vec<Made>,
    ends: HashMap<usize, End>,
    /// What librdkafka has of each topic and did not acknowledge yet.
    with_librdkafka: Vec<VecDeque<(Arc<Gate>, Call)>>,
    checking: Vec<Arc<Gate>>,
    /// Calls of each topic, in the order in which they were sent.
    sent: Vec<Vec<usize>>,
    largest: usize,
}

impl World {
    fn new(topics: usize) -> Self {
        let room = Arc::new(Room::new(LIMIT, 1_000));
        Self {
            now: Instant::now(),
            outbox: Outbox::new(Arc::clone(&room), TIMEOUT),
            room,
            // More topics than this are forgotten.
            gates: Gates::new(topics - 1),
            topics,
            found: vec![None; topics],
            brokers: Brokers::Answer,
            client: true,
            closing: false,
            calls: Vec::new(),
            ends: HashMap::new(),
            with_librdkafka: vec![VecDeque::new(); topics],
            checking: Vec::new(),
            sent: vec![Vec::new(); topics],
            largest: 0,
        }
    }

    fn end(&mut self, call: Call, end: End) {
        let before = self.ends.insert(call.0, end.clone());
        assert_eq!(before, None, "call {} has one outcome, and then {end:?}", call.0);
    }

    fn gate(&self, topic: usize) -> Arc<Gate> {
        self.gates.of(&format!("topic-{topic}"))
    }

    fn topic(gate: &Gate) -> usize {
        gate.topic()["topic-".len()..].parse().expect("a number")
    }

    fn hand_over(&mut self, gate: &Arc<Gate>, call: Call) {
        let topic = Self::topic(gate);
        let Made { sender, outside, polled, .. } = self.calls[call.0];
        for later in self.sent[topic].iter().filter(|sent| **sent > call.0) {
            // Who had no room may be passed by the other sender's, never by its own.
            let passed = self.calls[*later].sender != sender && outside.is_some();
            assert!(passed, "{later} of topic {topic} overtakes {}", call.0);
        }
        assert!(outside.is_none() || polled, "call {} had no room, and nobody waits for it", call.0);
        self.sent[topic].push(call.0);
        self.with_librdkafka[topic].push_back((Arc::clone(gate), call));
        self.end(call, End::Sent);
    }

    /// As `Producer::submit`, of a sender that may have found the topic's gate before.
    fn submit(&mut self, topic: usize, bytes: usize, sender: Sender) {
        if self.closing {
            return;
        }
        let mut gate = self.found[topic].take().unwrap_or_else(|| self.gate(topic));
        let call = Call(self.calls.len(), bytes);
        let load = Load::one(bytes);
        self.largest = self.largest.max(bytes);
        let at = self.now;
        self.calls.push(Made { gate: Arc::clone(&gate), sender, at, outside: None, polled: false });
        if self.brokers == Brokers::Answer && gate.is_open() && self.client && self.room.enter(&gate, load) {
            return self.hand_over(&gate, call);
        }
        loop {
            match self.outbox.submit(&gate, call, load, sender, self.now) {
                Ok(id) => {
                    (self.calls[call.0].gate, self.calls[call.0].outside) = (gate, id);
                    return;
                }
                Err(_) => gate = self.gate(topic),
            }
        }
    }

    /// A future that had not entered: by its place among those.
    fn outside(&self, which: usize) -> Option<usize> {
        let outside: Vec<usize> =
            (0..self.calls.len()).filter(|call| self.calls[*call].outside.is_some()).collect();
        (!outside.is_empty()).then(|| outside[which % outside.len()])
    }

    fn poll(&mut self, which: usize) {
        let Some(call) = self.outside(which) else { return };
        let Made { gate, outside: Some(id), polled, .. } = &mut self.calls[call] else { return };
        *polled = true;
        self.outbox.polled(gate, *id);
    }

    fn withdraw(&mut self, which: usize) {
        let Some(call) = self.outside(which) else { return };
        let Made { gate, outside: Some(id), .. } = &self.calls[call] else { return };
        if let Some(call) = self.outbox.withdraw(gate, *id) {
            self.end(call, End::Withdrawn);
        }
    }

    /// As `Core::answered_of`.
    fn answer(&mut self, which: usize, answer: Checked) {
        if self.checking.is_empty() {
            return;
        }
        let gate = self.checking.swap_remove(which % self.checking.len());
        let refused = matches!(answer, Checked::Refused);
        for call in self.outbox.checked(&gate, answer, self.now) {
            self.end(call, End::Refused);
        }
        if refused {
            self.outbox.let_go(&gate, &self.gates);
        }
    }

    fn acknowledge(&mut self, topic: usize) {
        if let Some((gate, call)) = self.with_librdkafka[topic].pop_front() {
            self.room.leave(&gate, Load::one(call.1));
        }
    }

    /// `takes`: how many calls librdkafka takes of a line before it is full.
    fn step(&mut self, takes: usize) -> Option<Instant> {
        let now = Now { at: self.now, brokers: self.brokers, client: self.client, closing: self.closing };
        let (actions, next) = self.outbox.step(&now);
        for action in actions {
            match action {
                Action::Check { gate, .. } => {
                    let asked = self.checking.iter().any(|known| known.topic() == gate.topic());
                    assert!(!asked, "asked once at a time");
                    self.checking.push(gate);
                }
                Action::HandOver { gate, entries } => {
                    let mut entries = entries.into_iter();
                    for entry in entries.by_ref().take(takes) {
                        self.hand_over(&gate, entry.call.expect("not withdrawn"));
                    }
                    let nowhere = self.outbox.moved(&gate, entries.collect(), self.now);
                    assert!(nowhere.is_empty());
                }
                Action::End { call, why, .. } => self.end(call, End::Failed(why)),
            }
        }
        next
    }

    /// What holds after each step.
    fn check(&self) {
        for (number, Made { sender, at, outside, .. }) in self.calls.iter().enumerate() {
            let waits = !self.ends.contains_key(&number);
            assert!(!waits || *sender == Sender::Narad || self.now < *at + TIMEOUT, "call {number} is late");
            assert!(
                *sender == Sender::Application
                    || self.closing
                    || !matches!(self.ends.get(&number), Some(End::Failed(_)))
            );
            if let Some(End::Failed(why)) = self.ends.get(&number) {
                assert!(*why != Why::QueueFull || outside.is_some(), "call {number} had entered");
            }
        }
        let held = self.room.held();
        let most = LIMIT + LIMIT / 4 + self.largest as u64 + self.topics as u64;
        assert!(held.bytes() <= most && held.records() <= 1_250, "{held:?}");
    }
}

#[derive(Clone, Debug)]
enum Event {
    Submit(usize, usize, Sender),
    Poll(usize),
    Withdraw(usize),
    Known(usize),
    Unanswered(usize),
    Refused(usize),
    Forget(usize),
    Find(usize),
    Acknowledge(usize),
    Wait(u64),
    Brokers(Brokers),
    Client(bool),
    Step(usize),
}

fn event(topics: usize) -> impl Strategy<Value = Event> {
    let sender = prop_oneof![4 => Just(Sender::Application), 1 => Just(Sender::Narad)];
    prop_oneof![
        8 => (0..topics, 0usize..40, sender).prop_map(|(topic, bytes, sender)| Event::Submit(topic, bytes, sender)),
        3 => (0usize..50).prop_map(Event::Poll),
        2 => (0usize..50).prop_map(Event::Withdraw),
        4 => (0usize..5).prop_map(Event::Known),
        1 => (0usize..5).prop_map(Event::Unanswered),
        1 => (0usize..5).prop_map(Event::Refused),
        1 => (0..topics).prop_map(Event::Forget),
        1 => (0..topics).prop_map(Event::Find),
        6 => (0..topics).prop_map(Event::Acknowledge),
        2 => (0u64..12_000).prop_map(Event::Wait),
        1 => prop_oneof![6 => Just(Brokers::Answer), 1 => Just(Brokers::Awaited), 1 => Just(Brokers::GivenUp)].prop_map(Event::Brokers),
        1 => any::<bool>().prop_map(Event::Client),
        8 => (0usize..4).prop_map(Event::Step),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Order per topic, one outcome per call, bounded bytes, nothing later than its deadline; and in the end
    /// nothing is left.
    #[test]
    fn whatever_happens_each_call_has_one_outcome_in_time_and_topics_keep_their_order(
        events in proptest::collection::vec(event(3), 1..300)
    ) {
        let mut world = World::new(3);
        for event in events {
            match event {
                Event::Submit(topic, bytes, sender) => world.submit(topic, bytes, sender),
                Event::Poll(which) => world.poll(which),
                Event::Withdraw(which) => world.withdraw(which),
                Event::Known(which) => world.answer(which, Checked::Known),
                Event::Unanswered(which) => world.answer(which, Checked::Unanswered("silence".to_owned())),
                Event::Refused(which) => world.answer(which, Checked::Refused),
                Event::Forget(topic) => world.outbox.forget(&world.gate(topic)),
                Event::Find(topic) => world.found[topic] = Some(world.gate(topic)),
                Event::Acknowledge(topic) => world.acknowledge(topic),
                Event::Wait(milliseconds) => world.now += Duration::from_millis(milliseconds),
                Event::Brokers(brokers) => world.brokers = brokers,
                Event::Client(client) => world.client = client,
                Event::Step(takes) => {
                    world.step(takes);
                }
            }
            // Deadlines are kept by steps; one that is due is taken at once.
            world.step(0);
            world.check();
        }
        // The end: brokers answer, all is acknowledged, everybody waits for their futures.
        (world.brokers, world.client) = (Brokers::Answer, true);
        for _ in 0..10_000 {
            for call in 0..world.calls.len() {
                if let Made { gate, outside: Some(id), polled, .. } = &mut world.calls[call] {
                    *polled = true;
                    world.outbox.polled(gate, *id);
                }
            }
            while !world.checking.is_empty() {
                world.answer(0, Checked::Known);
            }
            world.step(usize::MAX);
            (0..3).for_each(|topic| world.acknowledge(topic));
            world.now += Duration::from_millis(100);
            if world.ends.len() == world.calls.len() && world.with_librdkafka.iter().all(VecDeque::is_empty) {
                break;
            }
        }
        prop_assert_eq!(world.ends.len(), world.calls.len(), "each call has an outcome");
        prop_assert_eq!(world.outbox.waiting(), 0);
        prop_assert_eq!(world.room.held(), Load::default(), "all room is given back");
    }
}

#[test]
fn a_topic_of_which_nothing_is_known_holds_back_its_own_calls_only() {
    let mut world = World::new(2);
    world.submit(0, 10, Sender::Application);
    world.submit(1, 10, Sender::Application);
    world.step(usize::MAX);
    assert_eq!(world.checking.len(), 2);
    world.answer(1, Checked::Known);
    world.answer(0, Checked::Unanswered("silence".to_owned()));
    world.step(usize::MAX);
    assert_eq!(world.ends.get(&1), Some(&End::Sent));
    assert!(world.gate(1).is_open() && !world.gate(0).is_open());
    world.now += TIMEOUT;
    world.step(usize::MAX);
    assert_eq!(world.ends.get(&0), Some(&End::Failed(Why::NotSent("silence".to_owned()))));
}

#[test]
fn what_finds_no_room_in_its_time_is_told_so_though_it_was_never_polled() {
    let mut world = World::new(1);
    world.submit(0, 100, Sender::Application);
    world.submit(0, 1, Sender::Application);
    world.step(usize::MAX);
    world.answer(0, Checked::Known);
    world.step(usize::MAX);
    world.submit(0, 1, Sender::Narad);
    world.now += TIMEOUT;
    world.step(usize::MAX);
    assert_eq!(world.ends.get(&1), Some(&End::Failed(Why::QueueFull)));
    assert_eq!(world.ends.get(&2), None, "Narad's own wait");
}

#[test]
fn narads_own_calls_go_past_one_of_the_application_that_nobody_polls() {
    let mut world = World::new(1);
    world.submit(0, 100, Sender::Application);
    world.submit(0, 30, Sender::Application);
    world.submit(0, 30, Sender::Narad);
    world.submit(0, 30, Sender::Narad);
    world.step(usize::MAX);
    world.answer(0, Checked::Known);
    world.step(usize::MAX);
    world.poll(1);
    world.poll(2);
    world.acknowledge(0);
    world.step(usize::MAX);
    assert_eq!(world.sent, [[0, 2, 3]], "the first has room again, and nobody waits for the second");
    world.poll(0);
    world.step(usize::MAX);
    assert_eq!(world.sent, [[0, 2, 3, 1]]);
}

#[test]
fn a_topic_that_is_forgotten_while_somebody_sends_to_it_keeps_one_line() {
    let mut world = World::new(2);
    world.gate(1);
    world.submit(0, 10, Sender::Application);
    world.step(usize::MAX);
    // The next sender is held up between the two, and another one of its thread is not.
    world.found[0] = Some(world.gate(0));
    world.answer(0, Checked::Refused);
    world.submit(0, 10, Sender::Application);
    world.submit(0, 10, Sender::Application);
    world.step(usize::MAX);
    assert_eq!(world.checking.len(), 1, "one line asks");
    world.answer(0, Checked::Known);
    world.step(usize::MAX);
    assert_eq!(world.sent[0], [1, 2]);
}

#[test]
fn dropped_futures_that_never_entered_take_no_memory() {
    let mut world = World::new(1);
    world.submit(0, 200, Sender::Application);
    world.submit(0, 1, Sender::Application);
    for _ in 0..10_000 {
        world.submit(0, 1, Sender::Application);
        let last = world.calls.len() - 1;
        let Made { gate, outside, .. } = &world.calls[last];
        let call = world.outbox.withdraw(gate, outside.expect("outside")).expect("not entered");
        world.end(call, End::Withdrawn);
    }
    assert!(world.outbox.lines.values().all(|line| line.len() <= 4));
}

#[test]
fn what_has_no_way_out_at_the_end_ends_with_it() {
    let mut world = World::new(2);
    world.submit(0, 10, Sender::Narad);
    world.submit(1, 10, Sender::Application);
    (world.closing, world.brokers) = (true, Brokers::Awaited);
    world.step(usize::MAX);
    assert_eq!(world.ends.get(&0), Some(&End::Failed(Why::NotConnected)));
    let drained = world.outbox.end();
    drained.into_iter().for_each(|call| world.end(call, End::Drained));
    assert_eq!((world.ends.get(&1), world.outbox.waiting()), (Some(&End::Drained), 0));
    assert_eq!(world.room.held(), Load::default());
}
