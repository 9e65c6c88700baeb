//! What cannot go out at once waits here, in a line for each topic: for a broker, for the topic to be known,
//! for room.
//!
//! Pure: it knows no clock, no thread and no librdkafka. It is told what happened (`submit`, `polled`,
//! `withdraw`, `checked`, `moved`), and [`step`](Outbox::step) says what is to be done at a time. Whatever a
//! topic waits for, the lines of the others go on.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::gate::{Gate, Gates};
use super::line::Line;
use super::load::Load;
use super::queue::{Entry, Place, Sender};
use super::room::Room;
use super::step::{Action, Checked, Now};

/// All that waits.
#[derive(Debug)]
pub(super) struct Outbox<C> {
    room: Arc<Room>,
    /// How long a call may wait here.
    timeout: Duration,
    lines: HashMap<u64, Line<C>>,
    /// The lines in which something waits.
    busy: BTreeSet<u64>,
    next: u64,
    ended: bool,
}

impl<C> Outbox<C> {
    pub(super) fn new(room: Arc<Room>, timeout: Duration) -> Self {
        Self { room, timeout, lines: HashMap::new(), busy: BTreeSet::new(), next: 0, ended: false }
    }

    /// Lines a call up. It enters at once where there is room and nothing before it waits for room; else the
    /// id says which one has to be polled.
    ///
    /// # Errors
    /// The call, where the topic has another gate by now: a topic has one line at a time.
    pub(super) fn submit(
        &mut self,
        gate: &Arc<Gate>,
        call: C,
        load: Load,
        sender: Sender,
        now: Instant,
    ) -> Result<Option<u64>, C> {
        if gate.is_forgotten() {
            return Err(call);
        }
        let id = self.next;
        self.next += 1;
        let line = self.lines.entry(gate.id).or_insert_with(|| Line::new(gate));
        let place = if !line.is_full_for(sender) && self.room.enter(gate, load) {
            Place::Inside
        } else {
            Place::Outside { polled: false }
        };
        line.push(Entry { id, sender, deadline: now + self.timeout, place, load, call: Some(call) });
        self.busy.insert(gate.id);
        Ok((place != Place::Inside).then_some(id))
    }

    /// The future of a call was polled: it enters once there is room.
    pub(super) fn polled(&mut self, gate: &Gate, id: u64) {
        if let Some(line) = self.lines.get_mut(&gate.id) {
            line.polled(id);
        }
    }

    /// The future of a call was dropped. Gives the call back where it had not entered.
    pub(super) fn withdraw(&mut self, gate: &Gate, id: u64) -> Option<C> {
        self.lines.get_mut(&gate.id)?.withdraw(id)
    }

    /// A broker was asked about the topic. Gives the calls that end with that.
    #[must_use = "they have no outcome yet"]
    pub(super) fn checked(&mut self, gate: &Gate, answer: Checked, now: Instant) -> Vec<C> {
        let Some(line) = self.lines.get_mut(&gate.id).filter(|line| line.is_checking()) else {
            return Vec::new();
        };
        match answer {
            Checked::Known => line.known(),
            Checked::Unanswered(cause) => line.failed(Some(cause), now),
            Checked::Refused => {
                line.failed(None, now);
                self.busy.remove(&gate.id);
                return line.drain(&self.room);
            }
        }
        Vec::new()
    }

    /// A broker does not know the topic any more: it is asked about before the next call goes out.
    pub(super) fn forget(&mut self, gate: &Gate) {
        if let Some(line) = self.lines.get_mut(&gate.id) {
            line.forget();
        }
    }

    /// The calls of a line were handed over, but for the rest. Gives the calls that have nowhere to go, since
    /// all has ended.
    #[must_use = "they have no outcome yet"]
    pub(super) fn moved(&mut self, gate: &Gate, rest: Vec<Entry<C>>, now: Instant) -> Vec<C> {
        let Some(line) = self.lines.get_mut(&gate.id) else { return Vec::new() };
        line.moved(rest, now);
        if self.ended {
            return line.drain(&self.room);
        }
        if !line.settle() {
            self.busy.insert(gate.id);
        }
        Vec::new()
    }

    /// What is to be done now, and when to look again, if nothing happens before.
    pub(super) fn step(&mut self, now: &Now) -> (Vec<Action<C>>, Option<Instant>) {
        let (mut actions, mut next) = (Vec::new(), None::<Instant>);
        let room = Arc::clone(&self.room);
        let lines = &mut self.lines;
        self.busy.retain(|id| {
            let Some(line) = lines.get_mut(id) else { return false };
            line.expire(now, &room, &mut actions);
            let at = line.advance(now, &room, &mut actions);
            next = next.into_iter().chain(at).chain(line.expires(now)).min();
            !line.settle()
        });
        (actions, next)
    }

    /// Something waits, so that a step may have something to do.
    pub(super) fn is_busy(&self) -> bool {
        !self.busy.is_empty()
    }

    /// How many calls have no outcome yet and are not with librdkafka.
    pub(super) fn waiting(&self) -> usize {
        self.lines.values().map(Line::waiting).sum()
    }

    /// Takes out everything.
    #[must_use = "they have no outcome yet"]
    pub(super) fn drain(&mut self) -> Vec<C> {
        self.busy.clear();
        self.lines.values_mut().flat_map(|line| line.drain(&self.room)).collect()
    }

    /// As [`drain`](Self::drain), and nothing waits here any more.
    #[must_use = "they have no outcome yet"]
    pub(super) fn end(&mut self) -> Vec<C> {
        self.ended = true;
        self.drain()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Nothing can be sent to a topic. Where nothing waits for it and there are many of those, nothing is
    /// remembered of it.
    pub(super) fn let_go(&mut self, gate: &Gate, gates: &Gates) {
        if self.lines.get(&gate.id).is_none_or(Line::is_idle) && gates.forget(gate) {
            self.lines.remove(&gate.id);
            self.busy.remove(&gate.id);
        }
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
