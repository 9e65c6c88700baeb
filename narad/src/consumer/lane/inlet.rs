//! What comes into a lane: its partition's queue, and what the control thread leaves for it. Apart from the
//! state, which a worker holds for as long as a handler keeps its thread: the control thread waits for no
//! handler.

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::ahead::Ahead;
use crate::engine::NextOffset;
use crate::transport::{OwnedMessage, ReadPosition};

/// Held for moments: while a batch is read, or something left.
pub(super) struct Inlet {
    has_mail: AtomicBool,
    inside: Mutex<Inside>,
}

/// The queue, how far it was read, and what comes before all that is read of it from now on.
pub(crate) struct Inside {
    /// `None` before it is there, and after the partition was let go: what comes then is the next
    /// assignment's.
    pub(super) queue: Option<Ahead>,
    /// Who moves it holds up the next read, and only that.
    pub(crate) at: ReadPosition,
    /// The offset behind the last record that was read: what lies from there to the end of the log is none,
    /// as a transaction's marker, and may be of a later leader epoch.
    pub(super) behind: i64,
    mail: VecDeque<Mail>,
}

/// What the control thread leaves for the next turn.
pub(super) enum Mail {
    /// A record that did not come through the queue; it is older than what is in it.
    Stray(OwnedMessage),
    /// The log no longer has what was to come: it goes on at an offset above what was read,
    GoesOn(NextOffset),
    /// or below some of it.
    GoesBack(NextOffset),
}

impl Inside {
    /// Where the partition is read on: behind what was taken out of its queue.
    pub(crate) fn reads_on(&self) -> ReadPosition {
        let here = ReadPosition { epoch: self.epoch_of(self.at.next), ..self.at };
        self.queue.as_ref().and_then(Ahead::reads_on).unwrap_or(here)
    }

    /// Whether something was read of the queue, by the lane or ahead of it.
    pub(crate) fn is_begun(&self) -> bool {
        self.at.next >= 0 || self.queue.as_ref().is_some_and(Ahead::has_taken)
    }

    /// The partition is read on elsewhere.
    pub(super) fn restart(&mut self, start: NextOffset) {
        // What was read at and above another offset says nothing of the log that is there.
        self.at = ReadPosition { next: start.0, epoch: -1 };
        self.behind = start.0;
        if let Some(queue) = &mut self.queue {
            queue.clear();
        }
    }

    /// The partition is moved by the control thread; to where it is read on.
    pub(crate) fn is_moved(&mut self) -> ReadPosition {
        if let Some(queue) = &mut self.queue {
            queue.moved();
        }
        self.reads_on()
    }

    pub(super) fn is_heavy(&self) -> bool {
        self.queue.as_ref().is_some_and(Ahead::is_heavy)
    }

    /// See [`Ahead::why_heavy`].
    pub(super) fn why_heavy(&self) -> &'static str {
        self.queue.as_ref().map_or("", Ahead::why_heavy)
    }

    /// See [`Ahead::sample`].
    pub(super) fn sample(&mut self) {
        if let Some(queue) = &mut self.queue {
            queue.sample();
        }
    }

    /// See [`Ahead::take_in`].
    pub(super) fn take_in(&mut self) {
        if let Some(queue) = &mut self.queue {
            queue.take_in();
        }
    }

    /// Fetches on, where it is time to.
    pub(super) fn fetch_on(&mut self, now: Instant) {
        let at = self.reads_on();
        if let Some(queue) = &mut self.queue {
            queue.fetch_on(at, now);
        }
    }

    /// As of which leader epoch an offset is that was read up to. Behind the last record it is not known, and
    /// a wrong one would tell the leader of a log that was cut off.
    pub(super) fn epoch_of(&self, next: i64) -> i32 {
        if next > self.behind { -1 } else { self.at.epoch }
    }
}

impl Inlet {
    pub(super) fn new(at: ReadPosition) -> Self {
        let inside = Inside { queue: None, at, behind: at.next, mail: VecDeque::new() };
        Self { has_mail: AtomicBool::new(false), inside: Mutex::new(inside) }
    }

    pub(super) fn leave(&self, inside: &mut Inside, mail: Mail) {
        inside.mail.push_back(mail);
        self.has_mail.store(true, Release);
    }

    pub(super) fn has_mail(&self) -> bool {
        self.has_mail.load(Acquire)
    }

    pub(super) fn open(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was left, the first first.
    pub(super) fn mail(&self, inside: &mut Inside) -> VecDeque<Mail> {
        if !self.has_mail() {
            return VecDeque::new();
        }
        self.has_mail.store(false, Release);
        std::mem::take(&mut inside.mail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_the_last_record_the_leader_epoch_is_not_known() {
        let inlet = Inlet::new(ReadPosition { next: 5, epoch: 2 });
        let mut inside = inlet.open();
        assert_eq!(inside.reads_on(), ReadPosition { next: 5, epoch: 2 }, "as it was committed");
        // Records up to 9, then markers, one of them by the next leader.
        (inside.at, inside.behind) = (ReadPosition { next: 10, epoch: 3 }, 10);
        assert_eq!(inside.reads_on(), ReadPosition { next: 10, epoch: 3 });
        inside.at.next = 12;
        assert_eq!(inside.reads_on(), ReadPosition { next: 12, epoch: -1 });
        assert_eq!((inside.epoch_of(7), inside.epoch_of(10), inside.epoch_of(11)), (3, 3, -1));
        assert_eq!(inside.at.epoch, 3, "what comes next is still compared with what was read");
    }
}
