//! The races of lanes, workers and commits, in every interleaving that loom finds within a bound: a wake-up
//! against a run or a poll, the end of an assignment against a run, a commit against the end of an
//! assignment. What is run is the code that ships, with loom's locks and atomics in it (`sync.rs`).

use std::sync::Arc;
use std::task::Poll;

use loom::sync::Mutex;
use loom::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use loom::thread;

use super::commit_gate::{Commit, CommitGate, Coordinator, Place, Positioned, Settled, Told};
use super::lane::model::{Life, Mark, Phase, Positions, Schedule, Woken};
use super::ready::Ready;
use crate::clock::Clock;
use crate::transport::Position;

fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(model);
}

fn at(next: i64) -> Position {
    Position { next, metadata: String::new(), epoch: -1 }
}

fn told(next: i64) -> Told {
    Told { position: at(next), finished: next as u64 }
}

/// What workers run.
struct Item {
    schedule: Schedule,
    ready: Ready<Arc<Item>>,
    /// What others left for it, and what runs have seen of that. Relaxed: the schedule has to hand it over.
    left: AtomicUsize,
    seen: AtomicUsize,
    running: AtomicBool,
}

impl Item {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            schedule: Schedule::new(),
            ready: Ready::new(),
            left: AtomicUsize::new(0),
            seen: AtomicUsize::new(0),
            running: AtomicBool::new(false),
        })
    }

    fn leave(self: &Arc<Self>) {
        self.left.fetch_add(1, Relaxed);
        if self.schedule.ask() {
            self.ready.push(self.clone());
        }
    }

    fn work(self: &Arc<Self>) {
        while let Some(item) = self.ready.pop() {
            item.schedule.begin();
            assert!(!item.running.swap(true, Relaxed), "two workers run it at once");
            let seen = item.left.load(Relaxed);
            item.seen.store(seen, Relaxed);
            item.running.store(false, Relaxed);
            if item.schedule.end(false) {
                self.ready.push(item);
            }
            if seen == 2 {
                // Nobody else ends the workers: where a wake-up is lost they wait for ever, and loom says so.
                self.ready.close();
            }
        }
    }
}

fn workers(item: &Arc<Item>, count: usize) -> Vec<thread::JoinHandle<()>> {
    let work = |item: Arc<Item>| {
        item.ready.enlist();
        thread::spawn(move || item.work())
    };
    (0..count).map(|_| work(item.clone())).collect()
}

#[test]
fn no_two_workers_run_a_lane_at_once_and_the_second_wake_up_is_not_lost() {
    explore(|| {
        let item = Item::new();
        let workers = workers(&item, 2);
        item.leave();
        item.leave();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        assert_eq!(item.seen.load(Relaxed), 2, "a wake-up was lost");
    });
}

#[test]
fn of_two_wake_ups_at_once_none_is_lost() {
    explore(|| {
        let item = Item::new();
        let workers = workers(&item, 1);
        let other = {
            let item = item.clone();
            thread::spawn(move || item.leave())
        };
        item.leave();
        other.join().unwrap();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        assert_eq!(item.seen.load(Relaxed), 2, "a wake-up was lost");
    });
}

/// As `RunWaker` and `Lane::poll_woken`: a future that is pending until it has seen what others did before
/// they called its waker.
struct Waited {
    schedule: Schedule,
    woken: Woken,
    mark: Mark,
    done: AtomicUsize,
}

impl Waited {
    /// `true` where the caller has to put it into the queue.
    fn wake(&self) -> bool {
        self.done.fetch_add(1, Relaxed);
        self.woken.add(0, &self.mark);
        self.schedule.ask()
    }

    /// One run; how much was done by the last poll of it, if it was polled.
    fn run(&self) -> (Option<usize>, bool) {
        self.schedule.begin();
        let mut polled = None;
        let mut woken = Vec::new();
        if !self.woken.is_empty() {
            self.woken.take(&mut woken);
        }
        assert!(woken.len() <= 1, "it stands in the list twice");
        for _ in woken {
            self.mark.clear();
            polled = Some(self.done.load(Relaxed));
        }
        (polled, self.schedule.end(false))
    }
}

#[test]
fn a_future_that_is_woken_twice_is_polled_after_the_second_time() {
    explore(|| {
        let waited = Arc::new(Waited {
            schedule: Schedule::new(),
            woken: Woken::new(),
            mark: Mark::new(),
            done: AtomicUsize::new(0),
        });
        let seen = Arc::new(AtomicUsize::new(0));
        // Whoever is told to runs it, as the worker does that takes it out of the queue.
        let wake = |waited: Arc<Waited>, seen: Arc<AtomicUsize>| {
            let mut queued = waited.wake();
            while queued {
                let (polled, again) = waited.run();
                if let Some(done) = polled {
                    seen.fetch_max(done, Relaxed);
                }
                queued = again;
            }
        };
        let other = {
            let (waited, seen) = (waited.clone(), seen.clone());
            thread::spawn(move || wake(waited, seen))
        };
        wake(waited, seen.clone());
        other.join().unwrap();
        assert_eq!(seen.load(Relaxed), 2, "what was done before the second wake-up was not seen");
    });
}

/// A worker that is at work when the end comes does what is left, and what is left to nobody is dropped: it
/// holds the queue.
#[test]
fn after_the_end_what_comes_is_done_by_whoever_is_left_or_dropped() {
    explore(|| {
        let ready = Arc::new(Ready::new());
        let done = Arc::new(AtomicUsize::new(0));
        ready.enlist();
        ready.push(Arc::new(()));
        let worker = {
            let (ready, done) = (ready.clone(), done.clone());
            thread::spawn(move || {
                while let Some(item) = ready.pop() {
                    // As a lane that was let go while it was run.
                    if done.fetch_add(1, Relaxed) == 0 {
                        ready.push(item);
                    }
                }
            })
        };
        ready.close();
        worker.join().unwrap();
        assert_eq!(done.load(Relaxed), 2, "what the worker itself left was not done");
        let item = Arc::new(());
        ready.push(item.clone());
        assert_eq!(Arc::strong_count(&item), 1, "the queue keeps it, and nobody takes it out");
    });
}

/// What the turns of a lane do, with as much state as shows whether they may.
struct Assigned {
    schedule: Schedule,
    life: Life,
    positions: Positions,
    /// The offset up to which everything is finished, and whether all that was held is gone.
    state: Mutex<(i64, bool)>,
}

impl Assigned {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            schedule: Schedule::new(),
            life: Life::new(),
            positions: Positions::new(told(0)),
            state: Mutex::new((0, false)),
        })
    }

    /// As `Lane::turn`: two records, unless the partition is let go.
    fn turn(&self) {
        let mut state = self.state.lock().unwrap();
        for _ in 0..2 {
            if self.life.phase() == Phase::Closed {
                state.1 = true;
                return;
            }
            assert!(!state.1, "a record is handled after its partition was let go");
            state.0 += 1;
            self.positions.answer(|| told(state.0));
        }
    }

    /// As `Lane::end`: who lets go waits for nobody, and drops nothing.
    fn end(&self) -> bool {
        self.life.enter(Phase::Closed);
        self.schedule.ask()
    }
}

impl Positioned for Assigned {
    fn told(&self) -> Told {
        self.positions.last()
    }
}

#[test]
fn a_lane_that_is_let_go_is_cleared_by_a_worker_whether_or_not_one_is_inside() {
    explore(|| {
        let lane = Assigned::new();
        assert!(lane.schedule.ask());
        let worker = {
            let lane = lane.clone();
            thread::spawn(move || {
                loop {
                    lane.schedule.begin();
                    lane.turn();
                    if !lane.schedule.end(false) {
                        return;
                    }
                }
            })
        };
        let queued = lane.end();
        worker.join().unwrap();
        if queued {
            lane.schedule.begin();
            lane.turn();
        }
        assert!(lane.state.lock().unwrap().1, "what it held is still there");
    });
}

#[test]
fn an_answer_is_as_fresh_as_the_question() {
    explore(|| {
        let (lane, finished) = (Assigned::new(), Arc::new(AtomicI64::new(0)));
        let worker = {
            let (lane, finished) = (lane.clone(), finished.clone());
            thread::spawn(move || {
                for _ in 0..2 {
                    finished.fetch_add(1, SeqCst);
                    lane.positions.answer(|| told(finished.load(SeqCst)));
                }
            })
        };
        let before = finished.load(SeqCst);
        lane.positions.ask();
        if !lane.positions.is_asked() {
            assert!(lane.positions.last().position.next >= before, "the position is older than the question");
        }
        worker.join().unwrap();
    });
}

/// What the broker was told, and whether it may still be told anything.
#[derive(Default)]
struct Broker {
    told: std::sync::Mutex<Vec<i64>>,
}

/// One commit's way to it.
struct Way<'a> {
    broker: &'a Broker,
    lost: &'a dyn Fn() -> bool,
    changed: Vec<(Place, Position)>,
    is_on_way: bool,
}

/// Commits what has changed, as the timer does and the end of an assignment.
fn commit(gate: &CommitGate<Assigned>, broker: &Broker, lost: &dyn Fn() -> bool) {
    let (mut commit, mut way) =
        (Commit::default(), Way { broker, lost, changed: Vec::new(), is_on_way: false });
    while gate.step(&mut commit, |_, _| true, &mut way).is_pending() {
        if commit.waits_for_another() {
            gate.wait();
        } else {
            // Long enough for others to come between.
            thread::yield_now();
        }
    }
}

impl Coordinator for Way<'_> {
    type Error = ();

    fn settle(&mut self, _: &mut Settled) -> Poll<Result<(), ()>> {
        Poll::Ready(Ok(()))
    }

    fn may_commit(&self) -> Result<(), ()> {
        if (self.lost)() { Err(()) } else { Ok(()) }
    }

    fn begin(&mut self, changed: Vec<(Place, Position)>) {
        self.changed = changed;
    }

    fn sent(&mut self, settled: &mut Settled) -> Poll<Result<(), ()>> {
        if !std::mem::replace(&mut self.is_on_way, true) {
            return Poll::Pending;
        }
        let changed = std::mem::take(&mut self.changed);
        self.broker.told.lock().unwrap().extend(changed.iter().map(|(_, position)| position.next));
        settled.extend(changed);
        Poll::Ready(Ok(()))
    }
}

fn place() -> Place {
    ("topic".to_owned(), 0)
}

#[test]
fn nothing_is_committed_of_a_lane_that_was_let_go_and_no_commit_goes_backward() {
    explore(|| {
        let (gate, broker, lane) =
            (Arc::new(CommitGate::new(Clock::real())), Arc::new(Broker::default()), Assigned::new());
        gate.add(place(), lane.clone(), None);
        let timer = {
            let (gate, broker) = (gate.clone(), broker.clone());
            thread::spawn(move || commit(&gate, &broker, &|| false))
        };
        let worker = {
            let lane = lane.clone();
            thread::spawn(move || lane.turn())
        };
        // A revoke: the last commit, then out of the table.
        commit(&gate, &broker, &|| false);
        gate.remove(&[place()]);
        let told = broker.told.lock().unwrap().clone();
        assert!(told.is_sorted(), "committed backward: {told:?}");
        // The next owner's commit would be overwritten by anything that comes now.
        worker.join().unwrap();
        timer.join().unwrap();
        assert_eq!(*broker.told.lock().unwrap(), told, "committed after it was let go");
    });
}

#[test]
fn the_end_of_the_log_is_committed_and_owed_to_nobody() {
    explore(|| {
        let (gate, broker, lane) = (CommitGate::new(Clock::real()), Broker::default(), Assigned::new());
        gate.add(place(), lane.clone(), Some(at(0)));
        lane.positions.answer(|| Told { position: at(7), finished: 0 });
        assert!(gate.owing(|_, _| true).is_empty(), "nothing was finished");
        lane.positions.answer(|| Told { position: at(9), finished: 1 });
        assert_eq!(gate.owing(|_, _| true), [place()]);
        commit(&gate, &broker, &|| false);
        assert!(gate.owing(|_, _| true).is_empty(), "it is committed");
        lane.positions.answer(|| Told { position: at(11), finished: 1 });
        assert!(gate.owing(|_, _| true).is_empty(), "nothing more was finished");
        commit(&gate, &broker, &|| false);
        assert_eq!(*broker.told.lock().unwrap(), [9, 11]);
    });
}

/// A lane that broke off is followed by another one, which begins where the first one was.
#[test]
fn a_lane_in_the_place_of_another_owes_what_that_one_did() {
    explore(|| {
        let (gate, broker) = (CommitGate::new(Clock::real()), Broker::default());
        let (committed, broken) = (Assigned::new(), Assigned::new());
        let follow = || {
            let next = Assigned::new();
            next.positions.answer(|| Told { position: at(2), finished: 0 });
            gate.add(place(), next, None);
        };
        gate.add(place(), committed.clone(), Some(at(0)));
        committed.turn();
        commit(&gate, &broker, &|| false);
        follow();
        assert!(gate.owing(|_, _| true).is_empty(), "all of it was committed");
        commit(&gate, &broker, &|| false);
        assert_eq!(*broker.told.lock().unwrap(), [2], "and is not committed again");
        gate.remove(&[place()]);
        gate.add(place(), broken.clone(), Some(at(0)));
        broken.turn();
        follow();
        assert_eq!(gate.owing(|_, _| true), [place()]);
        commit(&gate, &broker, &|| false);
        assert!(gate.owing(|_, _| true).is_empty(), "it is committed");
    });
}

/// The control thread looks at the lanes once a second and at the end: a coordinator that is away must not
/// hold it up.
#[test]
fn who_looks_at_the_lanes_waits_for_no_commit() {
    explore(|| {
        let (gate, lane) = (CommitGate::new(Clock::real()), Assigned::new());
        gate.add(place(), lane.clone(), None);
        lane.turn();
        let (broker, seen) = (Broker::default(), AtomicUsize::new(0));
        // Asked under the lock of commits.
        let look = || {
            seen.store(gate.lanes().len(), Relaxed);
            false
        };
        commit(&gate, &broker, &look);
        assert_eq!(seen.load(Relaxed), 1, "while a commit is on its way");
    });
}

#[test]
fn a_lost_assignment_commits_nothing_and_the_next_one_begins_where_it_says() {
    explore(|| {
        let (gate, broker, old) =
            (Arc::new(CommitGate::new(Clock::real())), Arc::new(Broker::default()), Assigned::new());
        let lost = Arc::new(AtomicBool::new(false));
        gate.add(place(), old.clone(), Some(at(0)));
        old.turn();
        let timer = {
            let (gate, broker, lost) = (gate.clone(), broker.clone(), lost.clone());
            thread::spawn(move || commit(&gate, &broker, &|| lost.load(SeqCst)))
        };
        // librdkafka knows of the loss before its callback is served.
        lost.store(true, SeqCst);
        let late = Broker::default();
        commit(&gate, &late, &|| lost.load(SeqCst));
        assert!(late.told.lock().unwrap().is_empty(), "committed what is lost");
        let before = broker.told.lock().unwrap().len();
        gate.remove(&[place()]);
        // Assigned anew, with what the other owner has committed meanwhile.
        lost.store(false, SeqCst);
        let new = Assigned::new();
        new.positions.answer(|| told(7));
        gate.add(place(), new, Some(at(7)));
        old.turn();
        timer.join().unwrap();
        commit(&gate, &broker, &|| false);
        let told = broker.told.lock().unwrap();
        assert!(
            told.len() <= before + 1 && told.iter().all(|next| *next == 2),
            "committed of a former assignment: {told:?}"
        );
    });
}

/// What is lost starts nothing more, however long a commit is on its way.
#[test]
fn what_is_lost_is_fenced_without_waiting_for_a_commit() {
    explore(|| {
        let (gate, broker, lane) =
            (Arc::new(CommitGate::new(Clock::real())), Arc::new(Broker::default()), Assigned::new());
        gate.add(place(), lane.clone(), None);
        lane.turn();
        // The commit ends when the lane is fenced, and not before: a loss that waits for it would wait for
        // ever, and loom says so.
        let timer = {
            let (gate, broker, lane) = (gate.clone(), broker.clone(), lane.clone());
            let given_up = move || {
                while lane.life.phase() != Phase::Closed {
                    thread::yield_now();
                }
                true
            };
            thread::spawn(move || commit(&gate, &broker, &given_up))
        };
        lane.life.enter(Phase::Closed);
        gate.remove(&[place()]);
        timer.join().unwrap();
        assert!(broker.told.lock().unwrap().is_empty(), "committed what is lost");
    });
}
