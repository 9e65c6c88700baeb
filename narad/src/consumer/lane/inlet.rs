//! What comes into a lane: its partition's queue, and what the control thread leaves for it. Apart from the state, which a worker holds for as
//! long as a handler keeps its thread: the control thread waits for no handler.

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::consumer::offsets::NextOffset;
use crate::transport::{OwnedMessage, PartitionQueue, ReadPosition};

/// Held for moments: while a batch is read, or something left.
pub(super) struct Inlet {
    has_mail: AtomicBool,
    inside: Mutex<Inside>,
}

/// The queue, how far it was read, and what comes before all that is read of it from now on.
pub(crate) struct Inside {
    /// `None` before it is there, and after the partition was let go: what comes then is the next assignment's.
    pub(super) queue: Option<PartitionQueue>,
    /// Who moves it holds up the next read, and only that.
    pub(crate) at: ReadPosition,
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

impl Inlet {
    pub(super) fn new(at: ReadPosition) -> Self {
        let inside = Inside { queue: None, at, mail: VecDeque::new() };
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
