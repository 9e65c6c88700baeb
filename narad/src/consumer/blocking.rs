//! Threads for handlers that are plain functions.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::retry::panicked;
use crate::discard::discard;
use crate::handler::Reply;
use crate::supervision::foreign;

/// However much concurrency is asked for, no more threads than this.
const MOST: usize = 512;
/// A thread without work ends after this long.
const IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// Threads of Narad's own for one handler that is a plain function: made when they are needed, as many as may run at once.
#[derive(Debug)]
pub(crate) struct Threads {
    name: String,
    runtime: tokio::runtime::Handle,
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
        f.debug_struct("State").field("jobs", &self.jobs.len()).field("threads", &self.threads).finish_non_exhaustive()
    }
}

impl Threads {
    pub(crate) fn new(handler: &str, runtime: tokio::runtime::Handle) -> Arc<Self> {
        Arc::new(Self { name: format!("narad {handler}"), runtime, state: Mutex::default(), work: Condvar::new() })
    }

    /// Runs a call of the handler on one of the threads. Dropping the future does not stop a call that has begun.
    pub(crate) async fn run(self: &Arc<Self>, call: impl FnOnce() -> Reply + Send + 'static) -> Reply {
        let (done, reply) = oneshot::channel();
        let job: Job = Box::new(move || {
            let reply = std::panic::catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Reply::new(panicked(panic)));
            // Nobody waits any more where the partition was let go.
            discard(done.send(reply));
        });
        let grow = {
            let mut state = self.lock();
            state.jobs.push_back(job);
            let grow = state.jobs.len() > state.idle && state.threads < MOST;
            state.threads += usize::from(grow);
            grow
        };
        if grow {
            self.grow();
        } else {
            self.work.notify_one();
        }
        reply.await.unwrap_or_else(|_| Reply::new(panicked(Box::new("the handler's thread ended"))))
    }

    fn grow(self: &Arc<Self>) {
        let threads = self.clone();
        let spawned = std::thread::Builder::new().name(self.name.clone()).spawn(move || {
            let _runtime = threads.runtime.enter();
            threads.work();
        });
        if let Err(error) = spawned {
            let mut state = self.lock();
            state.threads -= 1;
            if state.threads == 0 {
                // With no thread at all the jobs would wait for ever: drop them, which fails their attempts.
                state.jobs.clear();
            }
            tracing::error!(thread = self.name, %error, "no further thread for a handler");
        }
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            while let Some(job) = state.jobs.pop_front() {
                drop(state);
                // What is dropped with it may panic as well: without this the thread would end, and still be counted.
                foreign("a value of a handler", job);
                state = self.lock();
            }
            state.idle += 1;
            let (guard, wait) = self.work.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = guard;
            state.idle -= 1;
            if wait.timed_out() && state.jobs.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
