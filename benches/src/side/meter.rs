//! What both sides count in their handlers, in the same way, so that counting costs both the same.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::{Measured, since_start};

/// Counts handled records until there are as many as wanted.
#[derive(Debug)]
pub(crate) struct Meter {
    wanted: usize,
    first: OnceLock<(Instant, Duration)>,
    last: OnceLock<Instant>,
    done: AtomicUsize,
    sum: AtomicI64,
    order: Mutex<Order>,
    finished: Notify,
}

/// Per key, what came last.
#[derive(Debug, Default)]
struct Order {
    last: HashMap<String, i64>,
    violations: usize,
}

impl Meter {
    pub(crate) fn new(wanted: usize) -> Self {
        Self {
            wanted,
            first: OnceLock::new(),
            last: OnceLock::new(),
            done: AtomicUsize::new(0),
            sum: AtomicI64::new(0),
            order: Mutex::default(),
            finished: Notify::new(),
        }
    }

    /// A record was handled; `true` with the last one.
    pub(crate) fn count(&self, seq: i64, id: usize) -> bool {
        self.first.get_or_init(|| (Instant::now(), since_start()));
        self.sum.fetch_add(seq + id as i64, Relaxed);
        let last = self.done.fetch_add(1, Relaxed) + 1 == self.wanted;
        if last {
            let _ = self.last.set(Instant::now());
            self.finished.notify_one();
        }
        last
    }

    /// A record of this key begins; those of a key count up.
    pub(crate) fn see(&self, key: &str, seq: i64) {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        match order.last.get_mut(key) {
            Some(last) => {
                let follows = seq == *last + 1;
                *last = seq;
                order.violations += usize::from(!follows);
            }
            None => drop(order.last.insert(key.to_owned(), seq)),
        }
    }

    /// Waits for the last record.
    pub(crate) async fn finished(&self) {
        self.finished.notified().await;
    }

    pub(crate) fn measured(&self) -> Measured {
        let (first, startup) = self.first.get().copied().expect("a first record");
        let last = self.last.get().copied().expect("a last record");
        Measured {
            records: self.done.load(Relaxed),
            seconds: (last - first).as_secs_f64(),
            startup_ms: startup.as_secs_f64() * 1e3,
            sum: self.sum.load(Relaxed),
            violations: self.order.lock().unwrap_or_else(PoisonError::into_inner).violations,
            ..Measured::default()
        }
    }
}
