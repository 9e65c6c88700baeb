//! The races of the engine, in every interleaving that loom finds within a bound: a wake-up against a run, the end of an assignment against a
//! run, a commit against the end of an assignment. What is run is the code that ships, with loom's locks and atomics in it (`sync.rs`).

use std::sync::{Arc, TryLockError};

use loom::sync::Mutex;
use loom::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use loom::thread;

use super::fence::{Fence, Place, Positioned};
use super::lane::model::{Life, Phase, Positions, Schedule};
use super::ready::Ready;
use crate::transport::Position;

fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(model);
}

fn at(next: i64) -> Position {
    Position { next, metadata: String::new(), epoch: -1 }
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
    let work = |item: Arc<Item>| thread::spawn(move || item.work());
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
        Arc::new(Self { schedule: Schedule::new(), life: Life::new(), positions: Positions::new(at(0)), state: Mutex::new((0, false)) })
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
            self.positions.answer(|| at(state.0));
        }
    }

    /// As `Lane::close`.
    fn close(&self) -> bool {
        self.life.enter(Phase::Closed);
        match self.state.try_lock() {
            Ok(mut state) => {
                state.1 = true;
                false
            }
            Err(TryLockError::WouldBlock) => self.schedule.ask(),
            Err(TryLockError::Poisoned(error)) => panic!("{error}"),
        }
    }
}

impl Positioned for Assigned {
    fn position(&self) -> Position {
        self.positions.last()
    }
}

#[test]
fn a_lane_that_is_let_go_while_a_worker_is_inside_is_cleared_by_that_worker() {
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
        let queued = lane.close();
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
                    lane.positions.answer(|| at(finished.load(SeqCst)));
                }
            })
        };
        let before = finished.load(SeqCst);
        lane.positions.ask();
        if !lane.positions.is_asked() {
            assert!(lane.positions.last().next >= before, "the position is older than the question");
        }
        worker.join().unwrap();
    });
}

/// What the broker was told, and whether it may still be told anything.
#[derive(Default)]
struct Broker {
    told: std::sync::Mutex<Vec<i64>>,
}

impl Broker {
    fn commit(&self, positions: &[(Place, Position)]) -> Result<(), ()> {
        // Long enough for others to come between.
        thread::yield_now();
        self.told.lock().unwrap().extend(positions.iter().map(|(_, position)| position.next));
        Ok(())
    }
}

fn place() -> Place {
    ("topic".to_owned(), 0)
}

#[test]
fn nothing_is_committed_of_a_lane_that_was_let_go_and_no_commit_goes_backward() {
    explore(|| {
        let (fence, broker, lane) = (Arc::new(Fence::new()), Arc::new(Broker::default()), Assigned::new());
        fence.add(place(), lane.clone(), None);
        let timer = {
            let (fence, broker) = (fence.clone(), broker.clone());
            thread::spawn(move || fence.commit(|_, _| true, || false, |positions| broker.commit(positions)).unwrap())
        };
        let worker = {
            let lane = lane.clone();
            thread::spawn(move || lane.turn())
        };
        // A revoke: the last commit, then out of the table.
        fence.commit(|_, _| true, || false, |positions| broker.commit(positions)).unwrap();
        fence.remove(&[place()]);
        let told = broker.told.lock().unwrap().clone();
        assert!(told.is_sorted(), "committed backward: {told:?}");
        // The next owner's commit would be overwritten by anything that comes now.
        worker.join().unwrap();
        timer.join().unwrap();
        assert_eq!(*broker.told.lock().unwrap(), told, "committed after it was let go");
    });
}

/// The control thread looks at the lanes once a second and at the end: a coordinator that is away must not hold it up.
#[test]
fn who_looks_at_the_lanes_waits_for_no_commit() {
    explore(|| {
        let (fence, lane) = (Fence::new(), Assigned::new());
        fence.add(place(), lane.clone(), None);
        lane.turn();
        let mut seen = 0;
        let look = |_: &[(Place, Position)]| {
            seen = fence.lanes().len();
            Ok::<(), ()>(())
        };
        fence.commit(|_, _| true, || false, look).unwrap();
        assert_eq!(seen, 1, "while a commit is on its way");
    });
}

#[test]
fn a_lost_assignment_commits_nothing_and_the_next_one_begins_where_it_says() {
    explore(|| {
        let (fence, broker, old) = (Arc::new(Fence::new()), Arc::new(Broker::default()), Assigned::new());
        let lost = Arc::new(AtomicBool::new(false));
        fence.add(place(), old.clone(), Some(at(0)));
        old.turn();
        let timer = {
            let (fence, broker, lost) = (fence.clone(), broker.clone(), lost.clone());
            thread::spawn(move || fence.commit(|_, _| true, || lost.load(SeqCst), |positions| broker.commit(positions)).unwrap())
        };
        // librdkafka knows of the loss before its callback is served.
        lost.store(true, SeqCst);
        let late = Broker::default();
        fence.commit(|_, _| true, || lost.load(SeqCst), |positions| late.commit(positions)).unwrap();
        assert!(late.told.lock().unwrap().is_empty(), "committed what is lost");
        let before = broker.told.lock().unwrap().len();
        fence.remove(&[place()]);
        // Assigned anew, with what the other owner has committed meanwhile.
        lost.store(false, SeqCst);
        let new = Assigned::new();
        new.positions.answer(|| at(7));
        fence.add(place(), new, Some(at(7)));
        old.turn();
        timer.join().unwrap();
        fence.commit(|_, _| true, || false, |positions| broker.commit(positions)).unwrap();
        let told = broker.told.lock().unwrap();
        assert!(told.len() <= before + 1 && told.iter().all(|next| *next == 2), "committed of a former assignment: {told:?}");
    });
}
