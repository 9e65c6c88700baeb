//! Narad's own threads, watched: a panic in one is an error line with the thread's name and the cause, health
//! is told, and there is a defined end.
//!
//! | thread | after a panic |
//! |---|---|
//! | `narad {group}` (polls) | the application halts; the group drains and commits what it can, and leaves |
//! | `narad {group} commit` | the application halts; the last commit is the control thread's, as always |
//! | `narad-producer`, `narad-mover`, `narad-courier`, `narad-check` | what waits fails, later sends fail, the application halts |
//! | `narad worker N` | the lane that it ran is given up, and its partition read again into another one; the worker goes on (see `workers.rs`) |
//! | `narad {handler}` (plain functions) | a failed attempt; the thread takes the next call (see `blocking.rs`) |
//! | `narad-topics` | none at the start: the first dead letter makes its topic; later it begins anew |
//! | `narad-login` (tokens) | a failure of the source: it begins anew, and asks again |
//! | `narad-http` (what `NARAD_HTTP` serves), `narad-lag` (ends of partitions) | none: probes get no answer, so that the process is restarted; lag is not shown any more |
//! | `narad-end` (a client that records outlived) | none: the process ends it |
//!
//! Halting is `Err(Error::Start)`, exit status 1 with [`run`](crate::run()): the parts of an application
//! depend on each other, and one that goes on without its producer or without a group handles nothing while
//! it looks alive. A process manager starts it anew.
//!
//! Code of the application that Narad calls on these threads (wakers, destructors) is caught at the call, and
//! ends nothing.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::discard::{discard, panic_text, quietly};

/// What ended of an application, and the sign to halt it. One for each application; shared by all its
/// threads.
#[derive(Debug, Default)]
pub(crate) struct Supervision {
    failures: Mutex<Vec<String>>,
    halt: Notify,
}

impl Supervision {
    /// Runs the work of a thread to its end. `None` where it panicked: the application halts.
    pub(crate) fn watch<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        caught(work).map_err(|cause| self.fail(cause)).ok()
    }

    /// A part of the application ended that it cannot do without: it halts.
    pub(crate) fn fail(&self, cause: String) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(cause);
        self.halt();
    }

    /// Ends the run of the application.
    pub(crate) fn halt(&self) {
        self.halt.notify_one();
    }

    /// Waits for [`halt`](Self::halt); one that came before counts.
    pub(crate) async fn halted(&self) {
        self.halt.notified().await;
    }

    /// What ended, the first first.
    pub(crate) fn failures(&self) -> Vec<String> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Runs a part of a thread's work. A panic is an error line, and the cause is given back; whoever calls
/// decides what ends.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let cause = format!(
            "the thread {:?} panicked: {}",
            std::thread::current().name().unwrap_or("without a name"),
            text(&*panic)
        );
        discard(panic);
        // What panicked may have been the application's log.
        let said =
            || tracing::error!(target: "narad", "{cause}; a bug of Narad's, or of code that it called");
        quietly(said);
        cause
    })
}

/// Calls a piece of the application's code, such as a waker or a destructor, from a thread of Narad's: what
/// it panics with is said, and ends nothing.
pub(crate) fn foreign(what: &str, call: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(call)) {
        let said =
            || tracing::error!(target: "narad", "{what} of the application panicked: {}", text(&*panic));
        quietly(said);
        discard(panic);
    }
}

/// A name for a thread, and its work watched.
pub(crate) fn spawn(
    name: String,
    supervision: Arc<Supervision>,
    work: impl FnOnce() + Send + 'static,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name(name).spawn(move || {
        supervision.watch(work);
    })
}

/// What was panicked with, as a line.
fn text(panic: &(dyn Any + Send)) -> String {
    crate::outcome::bounded(&panic_text(panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Panics again where its payload is dropped.
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("again");
            }
        }
    }

    #[test]
    fn a_panic_names_the_thread_and_the_cause_and_halts() {
        let supervision = Arc::new(Supervision::default());
        let thread = spawn("narad billing".to_owned(), supervision.clone(), || panic!("out of ink"));
        thread.unwrap().join().expect("the thread itself does not panic");
        assert_eq!(supervision.failures(), [r#"the thread "narad billing" panicked: out of ink"#]);
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(supervision.halted());
    }

    #[test]
    fn work_that_ends_halts_nothing() {
        let supervision = Supervision::default();
        assert_eq!(supervision.watch(|| 7), Some(7));
        assert!(supervision.failures().is_empty());
    }

    #[test]
    fn a_panic_whose_payload_panics_is_caught_as_well() {
        let supervision = Supervision::default();
        assert_eq!(supervision.watch(|| std::panic::panic_any(Bomb)), None::<()>);
        assert_eq!(supervision.failures().len(), 1);
        foreign("a waker", || std::panic::panic_any(Bomb));
    }
}
