//! A group on the transport in memory, with the clock by hand: all of it on the test's own thread, step by
//! step. While somebody waits, the others go on.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use narad_syntax::options::Options;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::deeds::{Deed, Deeds};
use crate::clock::{Clock, Step, Steps};
use crate::consumer::control::Control;
use crate::consumer::group::{Group, GroupParts, Made};
use crate::consumer::handler::Handler;
use crate::consumer::letting_go::LetGo;
use crate::consumer::plan::TopicPlan;
use crate::consumer::polling::Polling;
use crate::consumer::shared::Shared;
use crate::consumer::stats::GroupStats;
use crate::consumer::timer::Timer;
use crate::consumer::views::Shown;
use crate::consumer::workers::Needed;
use crate::dead_letter::DeadLetter;
use crate::engine::{Routes, Taking};
use crate::handler::{Call, Input, Reply, Slot};
use crate::outcome::Outcome;
use crate::producer::{Producer, Settings};
use crate::record::TypeHeaders;
use crate::transport::{ClientProperties, Member, Memory, MemoryMember, OwnedMessage};

pub(super) const TOPIC: &str = "orders";
pub(super) const COMMITS: Duration = Duration::from_secs(5);
pub(super) const REVOKES: Duration = Duration::from_secs(20);
/// So deep others go on inside of others' waits.
const DEEP: usize = 3;

thread_local! {
    static WORLD: Cell<Option<&'static World>> = const { Cell::new(None) };
}

/// What goes on while somebody waits.
pub(super) fn others() {
    world().others();
}

fn world() -> &'static World {
    WORLD.get().expect("there is a world")
}

pub(super) struct World {
    pub(super) memory: Memory,
    pub(super) clock: Clock,
    pub(super) rng: RefCell<fastrand::Rng>,
    pub(super) deeds: RefCell<Deeds>,
    pub(super) processes: RefCell<Vec<Rc<Process>>>,
    /// Handlers that have not finished, and what lets them.
    pub(super) pending: RefCell<BTreeMap<Deed, oneshot::Sender<()>>>,
    /// Whether handlers wait until the test lets them finish.
    pub(super) holds: Cell<bool>,
    /// Whether handlers finish by themselves while somebody waits.
    pub(super) finishes: Cell<bool>,
    /// Whether the coordinator answers while somebody waits.
    pub(super) answers: Cell<bool>,
    /// Whether members are thrown out while somebody waits.
    pub(super) is_wild: Cell<bool>,
    deep: Cell<usize>,
    runtime: Runtime,
    producer: Producer,
}

/// A process of the group.
pub(super) struct Process {
    pub(super) group: Arc<Shared>,
    pub(super) member: Arc<MemoryMember>,
    pub(super) client: Arc<dyn Member>,
    needed: Arc<Needed>,
    control: &'static Control,
    polling: RefCell<Option<Polling<'static>>>,
    pub(super) timer: RefCell<Option<Timer>>,
    handle: RefCell<Group>,
    pub(super) let_go: Cell<Option<LetGo>>,
}

impl World {
    /// Does this in a world of its own: a lane has locks of loom's, and this is one course of them.
    pub(super) fn with(seed: u64, partitions: usize, test: impl Fn(&World) + Send + Sync + 'static) {
        let test = Arc::new(test);
        let mut model = loom::model::Builder::new();
        model.max_branches = 10_000_000;
        model.check(move || {
            let test = test.clone();
            // The model's own stack is small.
            let steps = move || {
                // Nothing of it is dropped: what is left of it at the end may be in the middle of anything.
                let made: &'static World = Box::leak(Box::new(World::new(seed, partitions)));
                WORLD.set(Some(made));
                let _runtime = made.runtime.enter();
                test(made);
                WORLD.set(None);
            };
            loom::thread::Builder::new().stack_size(1 << 20).spawn(steps).unwrap().join().unwrap();
        });
    }

    fn new(seed: u64, partitions: usize) -> Self {
        let memory = Memory::default();
        memory.topic(TOPIC, partitions);
        let clock = Clock::by_hand();
        clock.meanwhile(|_| others());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let producer = Producer::new(Settings {
            transport: Arc::new(memory.clone()),
            clock: clock.clone(),
            ..Settings::of_tests()
        });
        Self {
            memory,
            clock,
            rng: RefCell::new(fastrand::Rng::with_seed(seed)),
            deeds: RefCell::default(),
            processes: RefCell::default(),
            pending: RefCell::default(),
            holds: Cell::new(false),
            finishes: Cell::new(true),
            answers: Cell::new(true),
            is_wild: Cell::new(false),
            deep: Cell::new(0),
            runtime,
            producer,
        }
    }

    pub(super) fn write(&self, partition: i32, key: &str) -> i64 {
        let message =
            OwnedMessage { key: Some(key.into()), payload: Some(b"x".to_vec()), ..OwnedMessage::default() };
        let offset = self.memory.append(TOPIC, partition, message);
        self.deeds.borrow_mut().written(partition, key, offset);
        offset
    }

    /// One more process, which subscribes.
    pub(super) fn join(&self) -> Rc<Process> {
        let stats = GroupStats::new("group", Arc::default(), self.clock.clone());
        let needed = Needed::of_tests();
        let Made { control, patterns, stop } = Made::of(GroupParts {
            name: "group".to_owned(),
            client: ClientProperties::default(),
            transport: Arc::new(self.memory.clone()),
            sized_for: None,
            topics: HashMap::from([(TOPIC.to_owned(), Arc::new(self.plan()))]),
            patterns: None,
            producer: self.producer.clone(),
            workers: needed.clone(),
            budget: Arc::default(),
            shown: Shown::new(stats, Arc::default()),
            commit_interval: COMMITS,
            revoke_deadline: REVOKES,
            patience: Duration::from_secs(300),
        });
        let control: &'static Control = Box::leak(Box::new(control));
        let group = control.shared.clone();
        let member = self.memory.join(control.events());
        let as_member: Arc<dyn Member> = member.clone();
        let client: &'static Arc<dyn Member> = Box::leak(Box::new(as_member));
        let handle = RefCell::new(Group::of_tests(&group, client.signal(), stop));
        let polling = Polling::new(&control.shared, &control.told, client, patterns);
        let timer = Timer::new(group.clone(), client.clone(), COMMITS);
        let process = Rc::new(Process {
            group,
            member,
            client: client.clone(),
            needed,
            control,
            polling: RefCell::new(Some(polling)),
            timer: RefCell::new(Some(timer)),
            handle,
            let_go: Cell::new(None),
        });
        self.processes.borrow_mut().push(process.clone());
        process
    }

    fn plan(&self) -> TopicPlan {
        let takes = Taking::any_bytes();
        let options = || Options::NONE.in_force(true);
        let handler = Handler {
            options: options(),
            dead_letter: DeadLetter::Off,
            ..Handler::of_tests(Call::Async(handle), takes, &self.producer, self.runtime.handle().clone())
        };
        TopicPlan {
            handlers: vec![Arc::new(handler)],
            routes: Routes::new(vec![takes]),
            dead_letter: "orders.dlq".into(),
            options: options(),
            type_headers: TypeHeaders::default(),
            batch: None,
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    pub(super) fn below(&self, most: usize) -> usize {
        self.rng.borrow_mut().usize(..most)
    }

    pub(super) fn any(&self) -> Option<Rc<Process>> {
        let processes = self.processes.borrow();
        (!processes.is_empty()).then(|| processes[self.below(processes.len())].clone())
    }

    /// The lanes of all processes do what there is to do.
    pub(super) fn works(&self) {
        let processes = self.processes.borrow().clone();
        processes.iter().for_each(|process| process.works());
    }

    /// One of the handlers that wait finishes.
    pub(super) fn finishes_one(&self) {
        let pending = self.pending.borrow().len();
        if pending > 0 {
            let at = self.below(pending);
            let deed = self.pending.borrow().keys().nth(at).cloned();
            let sender = deed.and_then(|deed| self.pending.borrow_mut().remove(&deed));
            let _ = sender.map(|sender| sender.send(()));
        }
    }

    /// A member is thrown out, and does not know it yet.
    pub(super) fn loses_one(&self) {
        self.any().iter().for_each(|process| process.member.loses());
    }

    pub(super) fn finishes_all(&self) {
        let pending = std::mem::take(&mut *self.pending.borrow_mut());
        for sender in pending.into_values() {
            // Its handler may be gone.
            let _ = sender.send(());
        }
    }

    /// What goes on while somebody waits.
    fn others(&self) {
        if self.deep.get() >= DEEP {
            // Nobody waits for ever.
            self.finishes_all();
            self.memory.delivers();
            return self.works();
        }
        self.deep.set(self.deep.get() + 1);
        if self.finishes.get() {
            self.finishes_one();
        }
        if self.answers.get() {
            self.memory.delivers();
        }
        if self.is_wild.get() {
            // Nobody is interested in each millisecond of a wait.
            self.clock.moves(Duration::from_millis(self.below(1_000) as u64));
            if self.below(100) == 0 {
                self.loses_one();
            }
        }
        self.works();
        let process = self.any();
        if let Some(process) = process {
            match self.below(3) {
                0 => drop(process.polls(self)),
                1 => drop(process.commits(self)),
                _ => {}
            }
        }
        self.deep.set(self.deep.get() - 1);
        self.checks();
    }

    /// What holds at any time.
    pub(super) fn checks(&self) {
        self.deeds.borrow_mut().checks(&self.memory.history());
    }

    /// Everybody goes on, and the time, until this is so.
    pub(super) fn goes_on_until(&self, what: &str, is_so: impl Fn() -> bool) {
        for _ in 0..5_000 {
            if is_so() {
                return;
            }
            self.clock.moves(Duration::from_millis(200));
            let processes = self.processes.borrow().clone();
            for process in processes {
                self.works();
                let _ = process.polls(self);
                let _ = process.commits(self);
            }
            self.checks();
        }
        let processes = self.processes.borrow();
        let processes: Vec<_> = processes
            .iter()
            .map(|process| (process.client.membership(), process.group.partitions()))
            .collect();
        panic!("{what}, after {:?}: {:?}, {processes:#?}", self.clock.elapsed(), self.memory);
    }

    pub(super) fn is_all_committed(&self) -> bool {
        self.deeds.borrow().ends().into_iter().all(|(partition, end)| {
            self.memory.committed(TOPIC, partition).is_some_and(|position| position.next == end)
        })
    }
}

impl Process {
    /// As a worker does: lanes that are ready have a turn.
    pub(super) fn works(&self) {
        for _ in 0..16 {
            let Some(lane) = self.needed.ready().try_pop() else { return };
            lane.run();
        }
    }

    /// One round of the thread that polls; whether it did not wait just now. After a stop it lets go of
    /// everything and leaves.
    pub(super) fn polls(&self, world: &World) -> bool {
        let Ok(mut polling) = self.polling.try_borrow_mut() else { return false };
        let Some(running) = &mut *polling else { return false };
        self.client.serve();
        let Step::Done(deadline) = running.step(world.now()) else { return true };
        self.let_go.set(Some(self.control.ends(&self.client, deadline)));
        self.group.drain.end();
        *polling = None;
        drop(polling);
        while self.timer.borrow().is_some() {
            self.commits(world);
            world.clock.moves(Duration::from_millis(50));
        }
        self.client.clone().close(Duration::ZERO);
        let this = &raw const *self;
        world.processes.borrow_mut().retain(|process| !std::ptr::eq(Rc::as_ptr(process), this));
        true
    }

    /// Lets the time go on until one more commit is on its way.
    pub(super) fn sends_a_commit(&self, world: &World) {
        let commits = world.memory.commits();
        while world.memory.commits() == commits {
            world.clock.moves(Duration::from_secs(1));
            self.commits(world);
            world.works();
        }
    }

    /// One step of the thread that commits.
    pub(super) fn commits(&self, world: &World) -> Option<Instant> {
        let Ok(mut timer) = self.timer.try_borrow_mut() else { return None };
        match timer.as_mut()?.step(world.now()) {
            Step::By(time) => Some(time),
            Step::Done(()) => {
                *timer = None;
                None
            }
        }
    }

    /// The application stops it.
    pub(super) fn stops(&self, deadline: Instant) {
        if let Ok(mut handle) = self.handle.try_borrow_mut() {
            handle.stop(deadline);
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.group.is_stopping()
    }

    pub(super) fn partitions(&self) -> Vec<i32> {
        self.group.committer.lanes().iter().map(|lane| lane.source().partition).collect()
    }
}

fn handle(slot: &mut Slot, input: Input) {
    let context = input.first();
    let record = context.record();
    let membership = &record.assignment().membership;
    let world = world();
    let deed = world.deeds.borrow_mut().begins(
        (membership.member.clone(), membership.generation),
        record.partition(),
        record.offset(),
    );
    let (sender, receiver) = oneshot::channel();
    if world.holds.get() {
        world.pending.borrow_mut().insert(deed.clone(), sender);
    }
    let waits = world.holds.get();
    let running = Running(deed);
    slot.set(async move {
        if waits {
            let _ = receiver.await;
        }
        running.done();
        Reply::new(Outcome::done())
    });
}

/// A handler that runs, or is dropped.
struct Running(Deed);

impl Running {
    fn done(&self) {
        world().deeds.borrow_mut().done(&self.0);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(world) = WORLD.get() {
            world.deeds.borrow_mut().ends_of(&self.0);
            world.pending.borrow_mut().remove(&self.0);
        }
    }
}
