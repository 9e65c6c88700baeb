//! The threads that run handlers: at least two, shared by all groups, inside the application's runtime.
//!
//! A worker takes a lane that has something to do, runs it for a while, and takes the next. A handler that blocks its thread holds up its own
//! lane; the others go on as long as one worker is free.

use std::sync::Arc;
use std::thread::JoinHandle;

use super::lane::Lane;
use super::ready::Ready;
use super::room::Room;

/// The lanes that have something to do.
pub(crate) type ReadyLanes = Ready<Arc<Lane>>;

/// The worker threads of an application; they end when this is dropped.
#[derive(Debug)]
pub(crate) struct Workers {
    ready: Arc<ReadyLanes>,
    room: Arc<Room>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    pub(crate) fn start(runtime: &tokio::runtime::Handle) -> std::io::Result<Self> {
        let ready = Arc::new(ReadyLanes::new());
        let count = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
        let threads = (0..count)
            .map(|number| {
                let (ready, runtime) = (ready.clone(), runtime.clone());
                std::thread::Builder::new().name(format!("narad worker {number}")).spawn(move || {
                    let _runtime = runtime.enter();
                    while let Some(lane) = ready.pop() {
                        lane.run();
                    }
                })
            })
            .collect::<std::io::Result<_>>()?;
        Ok(Self { ready, room: Arc::default(), threads })
    }

    pub(crate) fn ready(&self) -> &Arc<ReadyLanes> {
        &self.ready
    }

    /// What all their lanes may hold together.
    pub(crate) fn room(&self) -> &Arc<Room> {
        &self.room
    }
}

impl Drop for Workers {
    /// Does not wait: a worker may be inside a handler that blocks.
    fn drop(&mut self) {
        self.ready.close();
        self.threads.clear();
    }
}
