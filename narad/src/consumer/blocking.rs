//! Threads for handlers that are plain functions.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use narad_syntax::options::MAX_THREADS;
use tokio::sync::oneshot;

use crate::discard::discard;
use crate::handler::Reply;
use crate::outcome::Outcome;
use crate::supervision::foreign;

/// A call that has no reply looks so often whether there may be one more thread.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// A thread without work ends after this long.
const IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// However much concurrency is asked for, there are no more threads of all handlers of the process than this,
/// beyond the first of each: so no handler waits for another one's threads to end.
static ALL: Bound = Bound::new(MAX_THREADS as usize);

/// How many threads there may be.
#[derive(Debug)]
struct Bound {
    most: usize,
    taken: AtomicUsize,
}

impl Bound {
    const fn new(most: usize) -> Self {
        Self { most, taken: AtomicUsize::new(0) }
    }

    fn take(&self) -> bool {
        self.taken.fetch_update(Relaxed, Relaxed, |taken| (taken < self.most).then_some(taken + 1)).is_ok()
    }

    fn give_back(&self) {
        self.taken.fetch_sub(1, Relaxed);
    }
}

/// Threads of Narad's own for one handler that is a plain function: made when they are needed, as many as may
/// run at once.
#[derive(Debug)]
pub(crate) struct Threads {
    name: String,
    runtime: tokio::runtime::Handle,
    bound: &'static Bound,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("jobs", &self.jobs.len())
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

impl Threads {
    pub(crate) fn new(handler: &str, runtime: tokio::runtime::Handle) -> Arc<Self> {
        Self::within(&ALL, handler, runtime)
    }

    fn within(bound: &'static Bound, handler: &str, runtime: tokio::runtime::Handle) -> Arc<Self> {
        Arc::new(Self {
            name: format!("narad {handler}"),
            runtime,
            bound,
            state: Mutex::default(),
            work: Condvar::new(),
        })
    }

    /// Runs a call of the handler on one of the threads. Dropping the future does not stop a call that has
    /// begun.
    pub(crate) async fn run(self: &Arc<Self>, call: impl FnOnce() -> Reply + Send + 'static) -> Reply {
        let (done, mut reply) = oneshot::channel();
        let job: Job = Box::new(move || {
            // It waited for a thread while the partition was let go: others handle the record now.
            if done.is_closed() {
                return;
            }
            let reply = std::panic::catch_unwind(AssertUnwindSafe(call))
                .unwrap_or_else(|panic| Reply::new(Outcome::panicked(panic)));
            // Nobody waits any more where the partition was let go.
            discard(done.send(reply));
        });
        let grow = {
            let mut state = self.lock();
            state.jobs.push_back(job);
            self.may_grow(&mut state)
        };
        if grow {
            self.grow();
        } else {
            self.work.notify_one();
        }
        loop {
            match tokio::time::timeout(LOOK_AGAIN, &mut reply).await {
                Ok(reply) => {
                    return reply.unwrap_or_else(|_| {
                        Reply::new(Outcome::panicked(Box::new("the handler's thread ended")))
                    });
                }
                // Nobody says that another handler's thread has ended, and the threads of this one may all be
                // inside of calls that never do.
                Err(_) => {
                    let grow = self.may_grow(&mut self.lock());
                    if grow {
                        self.grow();
                    }
                }
            }
        }
    }

    /// Whether one more thread is wanted, and there may be one; it is counted then.
    fn may_grow(&self, state: &mut State) -> bool {
        let grow = state.jobs.len() > state.idle && (state.threads == 0 || self.bound.take());
        state.threads += usize::from(grow);
        grow
    }

    /// A thread ends, or did not come to be.
    fn shrink(&self, state: &mut State) {
        state.threads -= 1;
        if state.threads > 0 {
            self.bound.give_back();
        }
    }

    fn grow(self: &Arc<Self>) {
        let threads = self.clone();
        let spawned = std::thread::Builder::new().name(self.name.clone()).spawn(move || {
            let _runtime = threads.runtime.enter();
            threads.work();
        });
        if let Err(error) = spawned {
            let mut state = self.lock();
            self.shrink(&mut state);
            if state.threads == 0 {
                // With no thread at all the jobs would wait for ever: drop them, which fails their attempts.
                state.jobs.clear();
            }
            tracing::error!(thread = self.name, %error, "no further thread for a handler");
        }
    }

    fn work(self: &Arc<Self>) {
        let mut state = self.lock();
        loop {
            while let Some(job) = state.jobs.pop_front() {
                // What had to wait for others' threads to end.
                let grow = self.may_grow(&mut state);
                drop(state);
                if grow {
                    self.grow();
                }
                // What is dropped with it may panic as well: without this the thread would end, and still be
                // counted.
                foreign("a value of a handler", job);
                state = self.lock();
            }
            state.idle += 1;
            let (guard, wait) = self.work.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = guard;
            state.idle -= 1;
            if wait.timed_out() && state.jobs.is_empty() {
                self.shrink(&mut state);
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_handlers_together_have_a_bounded_number_of_threads_and_each_has_one() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let bound: &'static Bound = Box::leak(Box::new(Bound::new(2)));
        let (running, all) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let handlers: Vec<_> = (0..3)
            .map(|number| Threads::within(bound, &format!("{number}"), runtime.handle().clone()))
            .collect();
        let mut calls = Vec::new();
        for threads in handlers.iter().flat_map(|handler| std::iter::repeat_n(handler, 4)) {
            let (threads, running, all, gate) = (threads.clone(), running.clone(), all.clone(), gate.clone());
            calls.push(runtime.spawn(async move {
                let call = move || {
                    running.fetch_add(1, Relaxed);
                    drop(gate.1.wait_while(gate.0.lock().unwrap(), |open| !*open).unwrap());
                    all.fetch_add(1, Relaxed);
                    Reply::new(crate::Outcome::done())
                };
                threads.run(call).await
            }));
        }
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while running.load(Relaxed) < 5
            || handlers.iter().map(|handler| handler.lock().jobs.len()).sum::<usize>() < 7
        {
            assert!(std::time::Instant::now() < deadline, "{} run", running.load(Relaxed));
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(handlers.iter().all(|handler| handler.lock().threads >= 1), "{handlers:?}");
        assert_eq!(handlers.iter().map(|handler| handler.lock().threads).sum::<usize>(), 3 + 2);
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
        calls.into_iter().for_each(|call| drop(runtime.block_on(call).unwrap()));
        assert_eq!(all.load(Relaxed), 12);
    }

    /// Opens a gate that calls wait at.
    fn gate() -> (Arc<(Mutex<bool>, Condvar)>, impl Fn() -> Reply + Clone + Send) {
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let at = gate.clone();
        let wait = move || {
            drop(at.1.wait_while(at.0.lock().unwrap(), |open| !*open).unwrap());
            Reply::new(crate::Outcome::done())
        };
        (gate, wait)
    }

    fn open(gate: &(Mutex<bool>, Condvar)) {
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
    }

    /// A handler whose only thread is inside of a call that waits at the gate.
    async fn occupied(
        bound: &'static Bound,
    ) -> (Arc<Threads>, Arc<(Mutex<bool>, Condvar)>, tokio::task::JoinHandle<Reply>) {
        let threads = Threads::within(bound, "h", tokio::runtime::Handle::current());
        let (gate, wait) = gate();
        let running = tokio::spawn({
            let threads = threads.clone();
            async move { threads.run(wait).await }
        });
        while threads.lock().threads == 0 || !threads.lock().jobs.is_empty() {
            tokio::task::yield_now().await;
        }
        (threads, gate, running)
    }

    async fn until_one_waits(threads: &Threads) {
        while threads.lock().jobs.is_empty() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_call_that_nobody_waits_for_any_more_does_not_begin() {
        let (threads, first, running) = occupied(Box::leak(Box::new(Bound::new(0)))).await;
        let begun = Arc::new(AtomicUsize::new(0));
        let queued = tokio::spawn({
            let (threads, begun) = (threads.clone(), begun.clone());
            async move {
                let call = move || {
                    begun.fetch_add(1, Relaxed);
                    Reply::new(crate::Outcome::done())
                };
                threads.run(call).await
            }
        });
        until_one_waits(&threads).await;
        queued.abort();
        assert!(queued.await.is_err());
        open(&first);
        running.await.unwrap();
        threads.run(|| Reply::new(crate::Outcome::done())).await;
        assert_eq!(begun.load(Relaxed), 0);
    }

    #[tokio::test]
    async fn a_place_that_another_handler_gave_back_is_taken_though_the_only_thread_never_returns() {
        let bound: &'static Bound = Box::leak(Box::new(Bound::new(1)));
        assert!(bound.take(), "another handler has it");
        let (threads, stuck, running) = occupied(bound).await;
        let queued = tokio::spawn({
            let threads = threads.clone();
            async move { threads.run(|| Reply::new(crate::Outcome::done())).await }
        });
        until_one_waits(&threads).await;
        bound.give_back();
        queued.await.unwrap();
        open(&stuck);
        running.await.unwrap();
    }
}
