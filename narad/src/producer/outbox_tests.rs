use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

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

/// The outbox with what is around it: senders with their futures, librdkafka, brokers that are asked.
struct World {
    now: Instant,
    room: Arc<Room>,
    outbox: Outbox<Call>,
    gates: Vec<Arc<Gate>>,
    brokers: Brokers,
    client: bool,
    closing: bool,
    /// Of each call: its topic, whose it is, when it was made, the id of a future that has not entered, and
    /// whether that was polled.
    calls: Vec<(usize, Sender, Instant, Option<u64>, bool)>,
    ends: HashMap<usize, End>,
    /// What librdkafka has of each topic and did not acknowledge yet.
    with_librdkafka: Vec<VecDeque<Call>>,
    checking: Vec<usize>,
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
            gates: (0..topics).map(|topic| Arc::new(Gate::new(&format!("topic-{topic}")))).collect(),
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

    fn hand_over(&mut self, topic: usize, call: Call) {
        if let Some(last) = self.sent[topic].last() {
            assert!(*last < call.0, "{} of topic {topic} overtakes {last}", call.0);
        }
        let (_, _, _, outside, polled) = self.calls[call.0];
        assert!(outside.is_none() || polled, "call {} had no room, and nobody waits for it", call.0);
        self.sent[topic].push(call.0);
        self.with_librdkafka[topic].push_back(call);
        self.end(call, End::Sent);
    }

    /// As `Core::submit`.
    fn submit(&mut self, topic: usize, bytes: usize, sender: Sender) {
        if self.closing {
            return;
        }
        let call = Call(self.calls.len(), bytes);
        let (gate, load) = (Arc::clone(&self.gates[topic]), Load::one(bytes));
        self.largest = self.largest.max(bytes);
        self.calls.push((topic, sender, self.now, None, false));
        if self.brokers == Brokers::Answer && gate.is_open() && self.client && self.room.enter(&gate, load) {
            return self.hand_over(topic, call);
        }
        self.calls[call.0].3 = self.outbox.submit(&gate, call, load, sender, self.now);
    }

    /// A future that had not entered: by its place among those.
    fn outside(&self, which: usize) -> Option<usize> {
        let outside: Vec<usize> =
            (0..self.calls.len()).filter(|call| self.calls[*call].3.is_some()).collect();
        (!outside.is_empty()).then(|| outside[which % outside.len()])
    }

    fn poll(&mut self, which: usize) {
        let Some(call) = self.outside(which) else { return };
        let (topic, _, _, Some(id), _) = self.calls[call] else { return };
        self.calls[call].4 = true;
        self.outbox.polled(&self.gates[topic], id);
    }

    fn withdraw(&mut self, which: usize) {
        let Some(call) = self.outside(which) else { return };
        let (topic, _, _, Some(id), _) = self.calls[call] else { return };
        if let Some(call) = self.outbox.withdraw(&self.gates[topic], id) {
            self.end(call, End::Withdrawn);
        }
    }

    fn answer(&mut self, which: usize, answer: Checked) {
        if self.checking.is_empty() {
            return;
        }
        let topic = self.checking.swap_remove(which % self.checking.len());
        for call in self.outbox.checked(&self.gates[topic], answer, self.now) {
            self.end(call, End::Refused);
        }
    }

    fn acknowledge(&mut self, topic: usize) {
        if let Some(call) = self.with_librdkafka[topic].pop_front() {
            self.room.leave(&self.gates[topic], Load::one(call.1));
        }
    }

    /// `takes`: how many calls librdkafka takes of a line before it is full.
    fn step(&mut self, takes: usize) -> Option<Instant> {
        let now = Now { at: self.now, brokers: self.brokers, client: self.client, closing: self.closing };
        let (actions, next) = self.outbox.step(&now);
        let topic_of = |world: &Self, gate: &Gate| {
            world.gates.iter().position(|known| known.id == gate.id).expect("a topic")
        };
        for action in actions {
            match action {
                Action::Check { gate, .. } => {
                    let topic = topic_of(self, &gate);
                    assert!(!self.checking.contains(&topic), "asked once at a time");
                    self.checking.push(topic);
                }
                Action::HandOver { gate, entries } => {
                    let topic = topic_of(self, &gate);
                    let mut entries = entries.into_iter();
                    for entry in entries.by_ref().take(takes) {
                        self.hand_over(topic, entry.call.expect("not withdrawn"));
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
        for (number, (_, sender, made, outside, _)) in self.calls.iter().enumerate() {
            let waits = !self.ends.contains_key(&number);
            assert!(
                !waits || *sender == Sender::Narad || self.now < *made + TIMEOUT,
                "call {number} is late"
            );
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
        let most = LIMIT + LIMIT / 4 + self.largest as u64 + self.gates.len() as u64;
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
                Event::Forget(topic) => world.outbox.forget(&world.gates[topic].clone()),
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
                if let (topic, _, _, Some(id), polled) = &mut world.calls[call] {
                    *polled = true;
                    world.outbox.polled(&world.gates[*topic], *id);
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
    assert_eq!(world.checking, [0, 1]);
    world.answer(1, Checked::Known);
    world.answer(0, Checked::Unanswered("silence".to_owned()));
    world.step(usize::MAX);
    assert_eq!(world.ends.get(&1), Some(&End::Sent));
    assert!(world.gates[1].is_open() && !world.gates[0].is_open());
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
fn dropped_futures_that_never_entered_take_no_memory() {
    let mut world = World::new(1);
    world.submit(0, 200, Sender::Application);
    world.submit(0, 1, Sender::Application);
    for _ in 0..10_000 {
        world.submit(0, 1, Sender::Application);
        let last = world.calls.len() - 1;
        let (_, _, _, id, _) = world.calls[last];
        let call = world.outbox.withdraw(&world.gates[0], id.expect("outside")).expect("not entered");
        world.end(call, End::Withdrawn);
    }
    assert!(world.outbox.lines.values().all(|line| line.entries.len() <= 4));
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
