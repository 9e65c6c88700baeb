//! The threads that run handlers: at least two, shared by all groups, inside the application's runtime.
//!
//! A worker takes a lane that has something to do, runs it for a while, and takes the next. A handler that
//! blocks its thread holds up its own lane; the others go on as long as one worker is free.

use std::sync::Arc;

pub(crate) use super::lane::ReadyLanes;
use crate::discard::quietly;
use crate::engine::MemoryBudget;

/// The worker threads of an application. They end when the last [`Needed`] is dropped, and do not wait for
/// it: a worker may be inside a handler that blocks.
#[derive(Debug)]
pub(crate) struct Workers {
    needed: Arc<Needed>,
    budget: Arc<MemoryBudget>,
}

/// Held by whoever has lanes: what these hold is dropped by workers.
#[derive(Debug)]
pub(crate) struct Needed {
    ready: Arc<ReadyLanes>,
}

impl Workers {
    pub(crate) fn start(runtime: &tokio::runtime::Handle) -> std::io::Result<Self> {
        let ready = Arc::new(ReadyLanes::new());
        let needed = Arc::new(Needed { ready: ready.clone() });
        let count = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
        for number in 0..count {
            let (ready, runtime) = (ready.clone(), runtime.clone());
            ready.enlist();
            std::thread::Builder::new().name(format!("narad worker {number}")).spawn(move || {
                let _runtime = runtime.enter();
                while let Some(lane) = ready.pop() {
                    // With a lane's last reference go values of the user's.
                    quietly(|| lane.run());
                }
            })?;
        }
        Ok(Self { needed, budget: Arc::default() })
    }

    pub(crate) fn needed(&self) -> &Arc<Needed> {
        &self.needed
    }

    /// What all their lanes may hold together.
    pub(crate) fn budget(&self) -> &Arc<MemoryBudget> {
        &self.budget
    }
}

impl Needed {
    /// Without a thread: whoever wants lanes to run takes them out.
    #[cfg(test)]
    pub(super) fn of_tests() -> Arc<Self> {
        Arc::new(Self { ready: Arc::new(ReadyLanes::new()) })
    }

    pub(crate) fn ready(&self) -> &Arc<ReadyLanes> {
        &self.ready
    }
}

impl Drop for Needed {
    fn drop(&mut self) {
        self.ready.close();
    }
}
