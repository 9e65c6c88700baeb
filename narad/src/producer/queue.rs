//! The calls of one sender that wait for one topic, in their order.

use std::collections::VecDeque;
use std::time::Instant;

use super::gate::Gate;
use super::load::Load;
use super::room::Room;

/// Whose call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// The application's: development mode, `NotConnected` and the time for a send apply.
    Application,
    /// Narad's (dead letters, returned events): waits for a real acknowledgement.
    Narad,
}

/// Whether a call has entered.
///
/// `Outside { polled: false } ─► Outside { polled: true } ─► Inside`, and out of the line from each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It takes room, and is sent whatever becomes of its future.
    Inside,
    /// There was no room for it, or for one before it. It enters once its future was polled; one that is
    /// dropped before has sent nothing.
    Outside { polled: bool },
}

/// A call that waits.
#[derive(Debug)]
pub(super) struct Entry<C> {
    pub(super) id: u64,
    pub(super) sender: Sender,
    /// When it has to have gone out.
    pub(super) deadline: Instant,
    pub(super) place: Place,
    /// What it takes of the room.
    pub(super) load: Load,
    /// `None`: withdrawn.
    pub(super) call: Option<C>,
}

impl<C> Entry<C> {
    /// Takes the call out, and gives its room back.
    pub(super) fn take(&mut self, gate: &Gate, room: &Room) -> Option<C> {
        let call = self.call.take()?;
        if self.place == Place::Inside {
            // Who waits for it looks at this line, or at another one, in the same step or by the time of its
            // next.
            room.leave(gate, self.load);
        }
        Some(call)
    }
}

/// In the order of the calls. What is withdrawn is neither the first nor the last.
#[derive(Debug)]
pub(super) struct Queue<C> {
    entries: VecDeque<Entry<C>>,
    /// Those among them that are withdrawn.
    withdrawn: usize,
}

impl<C> Queue<C> {
    pub(super) fn new() -> Self {
        Self { entries: VecDeque::new(), withdrawn: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many calls wait.
    pub(super) fn waiting(&self) -> usize {
        self.entries.len() - self.withdrawn
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn front(&self) -> Option<&Entry<C>> {
        self.entries.front()
    }

    pub(super) fn front_mut(&mut self) -> Option<&mut Entry<C>> {
        self.entries.front_mut()
    }

    /// The last one has not entered.
    pub(super) fn ends_outside(&self) -> bool {
        self.entries.back().is_some_and(|last| last.place != Place::Inside)
    }

    pub(super) fn push(&mut self, entry: Entry<C>) {
        self.entries.push_back(entry);
    }

    /// One that was [popped](Self::pop).
    pub(super) fn put_back(&mut self, entry: Entry<C>) {
        self.entries.push_front(entry);
    }

    pub(super) fn pop(&mut self) -> Option<Entry<C>> {
        let front = self.entries.pop_front();
        self.tidy();
        front
    }

    /// The future of a call was polled.
    pub(super) fn polled(&mut self, id: u64) {
        if let Some(entry) = self.find(id)
            && entry.place != Place::Inside
        {
            entry.place = Place::Outside { polled: true };
        }
    }

    /// Takes out a call that had not entered.
    pub(super) fn withdraw(&mut self, id: u64) -> Option<C> {
        let call = self.find(id).filter(|entry| entry.place != Place::Inside)?.call.take();
        self.withdrawn += usize::from(call.is_some());
        self.tidy();
        call
    }

    fn find(&mut self, id: u64) -> Option<&mut Entry<C>> {
        let at = self.entries.binary_search_by_key(&id, |entry| entry.id).ok()?;
        self.entries.get_mut(at)
    }

    /// Takes out, from the first on, those that `ends` gives something for, until it breaks off.
    pub(super) fn end<T>(
        &mut self,
        mut ends: impl FnMut(&mut Entry<C>) -> std::ops::ControlFlow<(), Option<T>>,
    ) -> Vec<T> {
        let mut ended = Vec::new();
        for entry in self.entries.iter_mut().filter(|entry| entry.call.is_some()) {
            match ends(entry) {
                std::ops::ControlFlow::Break(()) => break,
                std::ops::ControlFlow::Continue(end) => ended.extend(end),
            }
        }
        self.withdrawn += ended.len();
        self.tidy();
        ended
    }

    pub(super) fn drain(&mut self, gate: &Gate, room: &Room) -> impl Iterator<Item = C> {
        self.withdrawn = 0;
        let entries = std::mem::take(&mut self.entries);
        entries.into_iter().filter_map(move |mut entry| entry.take(gate, room))
    }

    /// Throws away what is withdrawn, at the ends at once, and all of it once it is the most.
    fn tidy(&mut self) {
        while self.entries.front().is_some_and(|entry| entry.call.is_none()) {
            self.entries.pop_front();
            self.withdrawn -= 1;
        }
        while self.entries.back().is_some_and(|entry| entry.call.is_none()) {
            self.entries.pop_back();
            self.withdrawn -= 1;
        }
        if self.withdrawn > self.entries.len() / 2 {
            self.entries.retain(|entry| entry.call.is_some());
            self.withdrawn = 0;
        }
    }
}
