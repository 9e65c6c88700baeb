//! What became of records, counted: for each handler of a group on each of its topics, and for the group on
//! each topic.
//!
//! A record's way takes no lock for it, and shares nothing with other lanes: a lane counts for itself, and
//! adds up at the end of a turn.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::Tally;
use crate::outcome::Ending;
use crate::view::{Attempts, HandlerView, Settled, TopicView, Unhandled};

/// The counters of one handler on one topic.
#[derive(Debug, Default)]
pub(super) struct Counters {
    done: AtomicU64,
    skipped: AtomicU64,
    dead_lettered: AtomicU64,
    ok: AtomicU64,
    err: AtomicU64,
    panic: AtomicU64,
    timeout: AtomicU64,
    /// Dead letters by the class of their error. A write has been waited for: the lock is nothing beside
    /// that.
    classes: Mutex<BTreeMap<String, u64>>,
}

/// How many classes of errors are counted of a handler on a topic; further ones are counted as [`OTHER`].
const CLASSES: usize = 50;
const OTHER: &str = "other";

impl Counters {
    /// A record is in the dead letter, for an error of this class.
    pub(super) fn dead_lettered(&self, class: &str) {
        let name = class_name(class);
        let mut classes = self.classes.lock().unwrap_or_else(PoisonError::into_inner);
        let name = if classes.len() < CLASSES || classes.contains_key(name) { name } else { OTHER };
        *classes.entry(name.to_owned()).or_default() += 1;
    }

    /// The handler is through with records, which came to this.
    pub(super) fn settled(&self, tally: &Tally) {
        add(&self.done, tally.handled);
        add(&self.skipped, tally.skipped);
        add(&self.dead_lettered, tally.dead_lettered);
    }

    /// Attempts have ended like this.
    pub(super) fn attempted(&self, attempts: Attempts) {
        add(&self.ok, attempts.ok);
        add(&self.err, attempts.err);
        add(&self.panic, attempts.panic);
        add(&self.timeout, attempts.timeout);
    }

    fn read(&self) -> (Settled, Attempts, BTreeMap<String, u64>) {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        let settled = Settled {
            done: read(&self.done),
            skipped: read(&self.skipped),
            dead_lettered: read(&self.dead_lettered),
        };
        let attempts = Attempts {
            ok: read(&self.ok),
            err: read(&self.err),
            panic: read(&self.panic),
            timeout: read(&self.timeout),
        };
        (settled, attempts, self.classes.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// The class of an error as it is counted and shown: of a path in Rust the last part.
pub(super) fn class_name(class: &str) -> &str {
    let path = class.split('<').next().unwrap_or_default();
    path.rsplit("::").next().unwrap_or_default()
}

/// One more attempt has ended.
pub(super) fn count(attempts: &mut Attempts, ending: Ending) {
    *match ending {
        Ending::Ok => &mut attempts.ok,
        Ending::Err => &mut attempts.err,
        Ending::Panic => &mut attempts.panic,
        Ending::Timeout => &mut attempts.timeout,
    } += 1;
}

/// Lanes that have nothing to add do not take the counter from those that have.
fn add(counter: &AtomicU64, more: u64) {
    if more > 0 {
        counter.fetch_add(more, Relaxed);
    }
}

/// The counters of what no handler of a group took of one topic.
#[derive(Debug, Default)]
pub(super) struct Untaken {
    unknown_type: AtomicU64,
    tombstone: AtomicU64,
    malformed: AtomicU64,
}

impl Untaken {
    pub(super) fn settled(&self, tally: &Tally) {
        add(&self.unknown_type, tally.unknown_type);
        add(&self.tombstone, tally.tombstone);
        add(&self.malformed, tally.malformed);
    }

    fn read(&self) -> Unhandled {
        Unhandled {
            unknown_type: self.unknown_type.load(Relaxed),
            tombstone: self.tombstone.load(Relaxed),
            malformed: self.malformed.load(Relaxed),
        }
    }
}

/// The counters of a group. They outlive its lanes.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// By handler and topic.
    handlers: BTreeMap<String, BTreeMap<String, Arc<Counters>>>,
    topics: BTreeMap<String, Arc<Untaken>>,
}

impl Counts {
    /// A handler of the group, with the topics that it names.
    pub(super) fn knows(&self, handler: &str, topics: &[String]) {
        self.lock().handlers.entry(handler.to_owned()).or_default();
        topics.iter().for_each(|topic| drop(self.of(handler, topic)));
    }

    /// The counters of a handler on a topic.
    pub(super) fn of(&self, handler: &str, topic: &str) -> Arc<Counters> {
        let mut known = self.lock();
        let topics = known.handlers.entry(handler.to_owned()).or_default();
        topics.entry(topic.to_owned()).or_default().clone()
    }

    /// The counters of what no handler takes of a topic.
    pub(super) fn untaken(&self, topic: &str) -> Arc<Untaken> {
        self.lock().topics.entry(topic.to_owned()).or_default().clone()
    }

    /// `in_flight` says how many records are with a handler now.
    pub(super) fn view(&self, group: &str, in_flight: impl Fn(&str) -> usize) -> Vec<HandlerView> {
        let known = self.lock();
        let view = |(name, of_topics): (&String, &BTreeMap<String, Arc<Counters>>)| {
            let mut attempts = Attempts::default();
            let topics = of_topics.iter().map(|(topic, counters)| {
                let (settled, more, dead_letters) = counters.read();
                attempts = sum(attempts, more);
                let unhandled = known.topics.get(topic).map(|untaken| untaken.read()).unwrap_or_default();
                TopicView { topic: topic.clone(), settled, dead_letters, unhandled }
            });
            let topics = topics.collect();
            HandlerView {
                group: group.to_owned(),
                name: name.clone(),
                topics,
                attempts,
                in_flight: in_flight(name),
            }
        };
        known.handlers.iter().map(view).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sum(one: Attempts, other: Attempts) -> Attempts {
    Attempts {
        ok: one.ok + other.ok,
        err: one.err + other.err,
        panic: one.panic + other.panic,
        timeout: one.timeout + other.timeout,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lanes_add_up_is_told_by_handler_and_topic() {
        let counts = Counts::default();
        counts.knows("charge", &["orders".to_owned(), "refunds".to_owned()]);
        counts.knows("of a pattern", &[]);
        let mut attempts = Attempts::default();
        for ending in [Ending::Ok, Ending::Err, Ending::Ok, Ending::Panic, Ending::Timeout] {
            count(&mut attempts, ending);
        }
        counts.of("charge", "orders").settled(&Tally { handled: 3, ..Tally::default() });
        counts.of("charge", "orders").attempted(attempts);
        counts.of("charge", "refunds").settled(&Tally { dead_lettered: 1, skipped: 2, ..Tally::default() });
        counts.of("charge", "refunds").attempted(attempts);
        for class in 0..60 {
            counts.of("charge", "refunds").dead_lettered(&format!("bank::Error{class}<bank::Why>"));
        }
        counts.untaken("orders").settled(&Tally { tombstone: 4, ..Tally::default() });
        let view = counts.view("billing", |handler| handler.len());
        let names: Vec<_> = view.iter().map(|handler| (&*handler.name, handler.topics.len())).collect();
        assert_eq!(names, [("charge", 2), ("of a pattern", 0)]);
        let charge = &view[0];
        let Attempts { ok, err, panic, timeout } = charge.attempts;
        assert_eq!((charge.in_flight, ok, err, panic, timeout), (6, 4, 2, 2, 2));
        let settled = charge.settled();
        assert_eq!((settled.done, settled.skipped, settled.dead_lettered), (3, 2, 1));
        assert_eq!(charge.topic("orders").expect("its topic").unhandled.tombstone, 4);
        let classes = &charge.topic("refunds").expect("its topic").dead_letters;
        assert_eq!((classes["Error7"], classes["other"], classes.len()), (1, 10, 51));
    }
}
