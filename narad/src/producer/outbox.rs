//! What cannot go out at once waits here, in a line for each topic: for a broker, for the topic to be known,
//! for room.
//!
//! Pure: it knows no clock, no thread and no librdkafka. It is told what happened (`submit`, `polled`,
//! `withdraw`, `checked`, `moved`), and [`step`](Outbox::step) says what is to be done at a time. Whatever a
//! topic waits for, the lines of the others go on.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::gate::Gate;
use super::room::{Load, Room};

/// So many calls of a line are handed over at once, so that no line holds up the others.
const HELPING: usize = 256;

/// Between two questions about a topic that cannot be sent to, doubled each time, up to the longest.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// librdkafka that takes no more has room again within moments.
const FULL: Duration = Duration::from_millis(1);

/// Whoever leaves room says so; this only bounds what a mistake there could cost.
const ROOM: Duration = Duration::from_millis(100);

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

/// Where the line of a topic stands.
///
/// ```text
/// Unchecked ─► Checking ─► Known ⇄ Moving ─► Full ─► Known
///      ▲           │ no answer, or nothing can be sent to it
///      └─ Pausing ◄┘
/// Known, Full ─► Unchecked: a broker does not know the topic any more
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nobody knows whether the topic is there.
    Unchecked,
    /// A broker is asked.
    Checking,
    /// It is asked again then.
    Pausing(Instant),
    /// It is there.
    Known,
    /// Its first calls are being handed over.
    Moving,
    /// librdkafka took no more; it is tried again then.
    Full(Instant),
}

#[derive(Debug)]
struct Line<C> {
    gate: Arc<Gate>,
    stage: Stage,
    /// Checks in a row after which nothing could be sent.
    failed: u32,
    /// Why the last of them was without an answer.
    cause: Option<String>,
    entries: VecDeque<Entry<C>>,
    /// Those among them that are withdrawn.
    withdrawn: usize,
    /// Calls that are being handed over.
    moving: usize,
    /// A broker stopped to know the topic while its calls were handed over.
    forgotten: bool,
}

/// What a broker says of a topic.
#[derive(Debug)]
pub(super) enum Checked {
    /// It is there.
    Known,
    /// Nobody could say, for this reason.
    Unanswered(String),
    /// Nothing can be sent to it.
    Refused,
}

/// What is so at the time of a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) at: Instant,
    pub(super) brokers: Brokers,
    /// There is a client that takes records.
    pub(super) client: bool,
    /// The producer ends: it takes nothing more.
    pub(super) closing: bool,
}

/// Whether a broker answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brokers {
    Answer,
    /// None answers, and calls wait for one.
    Awaited,
    /// The application's calls have waited long enough.
    GivenUp,
    /// Development: the application's calls succeed without one.
    Pretended,
}

/// Why a call ends without having been sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    NotConnected,
    Pretended,
    /// It found no room in its time.
    QueueFull,
    /// It has entered, and its topic took nothing in its time.
    NotSent(String),
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Action<C> {
    /// A broker has to be asked about the topic; `again`: not for the first time.
    Check {
        gate: Arc<Gate>,
        again: bool,
    },
    /// In this order; then [`Outbox::moved`].
    HandOver {
        gate: Arc<Gate>,
        entries: Vec<Entry<C>>,
    },
    End {
        gate: Arc<Gate>,
        call: C,
        why: Why,
    },
}

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
    pub(super) fn submit(
        &mut self,
        gate: &Arc<Gate>,
        call: C,
        load: Load,
        sender: Sender,
        now: Instant,
    ) -> Option<u64> {
        let id = self.next;
        self.next += 1;
        let line = self.lines.entry(gate.id).or_insert_with(|| Line::new(gate));
        let behind = line.entries.back().is_some_and(|last| last.place != Place::Inside);
        let place = if !behind && self.room.enter(gate, load) {
            Place::Inside
        } else {
            Place::Outside { polled: false }
        };
        gate.set_open(false);
        line.entries.push_back(Entry {
            id,
            sender,
            deadline: now + self.timeout,
            place,
            load,
            call: Some(call),
        });
        self.busy.insert(gate.id);
        (place != Place::Inside).then_some(id)
    }

    /// The future of a call was polled: it enters once there is room.
    pub(super) fn polled(&mut self, gate: &Gate, id: u64) {
        if let Some(entry) = self.lines.get_mut(&gate.id).and_then(|line| line.find(id))
            && entry.place != Place::Inside
        {
            entry.place = Place::Outside { polled: true };
        }
    }

    /// The future of a call was dropped. Gives the call back where it had not entered.
    pub(super) fn withdraw(&mut self, gate: &Gate, id: u64) -> Option<C> {
        let line = self.lines.get_mut(&gate.id)?;
        let call = line.find(id).filter(|entry| entry.place != Place::Inside)?.call.take();
        line.withdrawn += usize::from(call.is_some());
        line.tidy();
        call
    }

    /// A broker was asked about the topic. Gives the calls that end with that.
    #[must_use = "they have no outcome yet"]
    pub(super) fn checked(&mut self, gate: &Gate, answer: Checked, now: Instant) -> Vec<C> {
        let Some(line) = self.lines.get_mut(&gate.id).filter(|line| line.stage == Stage::Checking) else {
            return Vec::new();
        };
        let pause = PAUSE.saturating_mul(1 << line.failed.min(16)).min(LONGEST_PAUSE);
        match answer {
            Checked::Known => {
                (line.stage, line.failed, line.cause) = (Stage::Known, 0, None);
                line.settle();
                Vec::new()
            }
            Checked::Unanswered(cause) => {
                (line.stage, line.failed, line.cause) =
                    (Stage::Pausing(now + pause), line.failed.saturating_add(1), Some(cause));
                Vec::new()
            }
            Checked::Refused => {
                (line.stage, line.failed) = (Stage::Pausing(now + pause), line.failed.saturating_add(1));
                self.busy.remove(&gate.id);
                line.drain(&self.room)
            }
        }
    }

    /// A broker does not know the topic any more: it is asked about before the next call goes out.
    pub(super) fn forget(&mut self, gate: &Gate) {
        let Some(line) = self.lines.get_mut(&gate.id) else { return };
        match line.stage {
            Stage::Known | Stage::Full(_) => {
                line.stage = Stage::Unchecked;
                gate.set_open(false);
            }
            Stage::Moving => line.forgotten = true,
            Stage::Unchecked | Stage::Checking | Stage::Pausing(_) => {}
        }
    }

    /// The calls of a line were handed over, but for the rest. Gives the calls that have nowhere to go, since
    /// all has ended.
    #[must_use = "they have no outcome yet"]
    pub(super) fn moved(&mut self, gate: &Gate, rest: Vec<Entry<C>>, now: Instant) -> Vec<C> {
        let Some(line) = self.lines.get_mut(&gate.id) else { return Vec::new() };
        line.moving = 0;
        line.stage = match std::mem::take(&mut line.forgotten) {
            true => Stage::Unchecked,
            false if rest.is_empty() => Stage::Known,
            false => Stage::Full(now + FULL),
        };
        rest.into_iter().rev().for_each(|entry| line.entries.push_front(entry));
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
            line.tidy();
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
        self.lines.values().map(|line| line.entries.len() - line.withdrawn + line.moving).sum()
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

    /// Nothing is known of a topic that nothing waits for.
    pub(super) fn is_idle(&self, gate: &Gate) -> bool {
        self.lines.get(&gate.id).is_none_or(|line| line.entries.is_empty() && line.moving == 0)
    }

    /// Remembers nothing of a topic.
    pub(super) fn remove(&mut self, gate: &Gate) {
        self.lines.remove(&gate.id);
        self.busy.remove(&gate.id);
    }
}

impl<C> Line<C> {
    fn new(gate: &Arc<Gate>) -> Self {
        Self {
            gate: Arc::clone(gate),
            stage: Stage::Unchecked,
            failed: 0,
            cause: None,
            entries: VecDeque::new(),
            withdrawn: 0,
            moving: 0,
            forgotten: false,
        }
    }

    fn find(&mut self, id: u64) -> Option<&mut Entry<C>> {
        let at = self.entries.binary_search_by_key(&id, |entry| entry.id).ok()?;
        self.entries.get_mut(at)
    }

    /// Opens the gate where nothing waits any more. True then, and where nothing is left to be done.
    fn settle(&mut self) -> bool {
        let empty = self.entries.is_empty();
        if empty && self.stage == Stage::Known {
            self.gate.set_open(true);
        }
        empty
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

    /// Takes out an entry's call, and gives its room back.
    fn take(entry: &mut Entry<C>, gate: &Gate, room: &Room) -> Option<C> {
        let call = entry.call.take()?;
        if entry.place == Place::Inside {
            // Who waits for it looks at this line, or at another one, in the same step or by the time of its
            // next.
            room.leave(gate, entry.load);
        }
        Some(call)
    }

    fn drain(&mut self, room: &Room) -> Vec<C> {
        self.withdrawn = 0;
        let entries = std::mem::take(&mut self.entries);
        entries.into_iter().filter_map(|mut entry| Self::take(&mut entry, &self.gate, room)).collect()
    }

    /// Ends the calls that have waited long enough.
    fn expire(&mut self, now: &Now, room: &Room, actions: &mut Vec<Action<C>>) {
        let silent = now.brokers != Brokers::Answer;
        let all = now.closing || matches!(now.brokers, Brokers::GivenUp | Brokers::Pretended);
        for entry in &mut self.entries {
            if entry.call.is_none() {
                continue;
            }
            let application = entry.sender == Sender::Application;
            let why = match now.brokers {
                Brokers::Pretended if application => Why::Pretended,
                Brokers::GivenUp if application => Why::NotConnected,
                // What Narad's belong to is not committed; whoever is outside and has not asked was never
                // taken.
                _ if now.closing && silent && !application => Why::NotConnected,
                _ if now.closing && entry.place == (Place::Outside { polled: false }) => Why::NotConnected,
                _ if entry.deadline <= now.at && (application || now.closing) => match entry.place {
                    Place::Inside => {
                        Why::NotSent(self.cause.clone().unwrap_or_else(|| "no broker took it".to_owned()))
                    }
                    Place::Outside { .. } => Why::QueueFull,
                },
                // The later ones have more time.
                _ if application && !all => break,
                _ => continue,
            };
            if let Some(call) = Self::take(entry, &self.gate, room) {
                self.withdrawn += 1;
                actions.push(Action::End { gate: Arc::clone(&self.gate), call, why });
            }
        }
        self.tidy();
    }

    /// When the first call has waited long enough.
    fn expires(&self, now: &Now) -> Option<Instant> {
        let counts =
            |entry: &&Entry<C>| entry.call.is_some() && (entry.sender == Sender::Application || now.closing);
        self.entries.iter().find(counts).map(|entry| entry.deadline)
    }

    /// Does what this line waits for, or says when to look again.
    fn advance(&mut self, now: &Now, room: &Room, actions: &mut Vec<Action<C>>) -> Option<Instant> {
        if self.entries.is_empty() || now.brokers != Brokers::Answer || !now.client {
            return None;
        }
        match self.stage {
            Stage::Checking | Stage::Moving => None,
            Stage::Pausing(until) if now.at < until => Some(until),
            Stage::Unchecked | Stage::Pausing(_) => {
                self.stage = Stage::Checking;
                actions.push(Action::Check { gate: Arc::clone(&self.gate), again: self.failed > 0 });
                None
            }
            Stage::Full(until) if now.at < until => Some(until),
            Stage::Known | Stage::Full(_) => {
                let (entries, at) = self.first_ones(now, room);
                if entries.is_empty() {
                    self.stage = Stage::Known;
                    return at;
                }
                (self.stage, self.moving) = (Stage::Moving, entries.len());
                actions.push(Action::HandOver { gate: Arc::clone(&self.gate), entries });
                None
            }
        }
    }

    /// Takes the first calls out of the line that may go.
    fn first_ones(&mut self, now: &Now, room: &Room) -> (Vec<Entry<C>>, Option<Instant>) {
        let mut entries = Vec::new();
        while entries.len() < HELPING
            && let Some(front) = self.entries.front_mut()
        {
            match front.place {
                Place::Inside => {}
                _ if front.call.is_none() => {}
                Place::Outside { polled: false } => return (entries, None),
                Place::Outside { polled: true } if room.enter_or_want(&self.gate, front.load) => {
                    front.place = Place::Inside
                }
                Place::Outside { polled: true } => return (entries, Some(now.at + ROOM)),
            }
            let Some(front) = self.entries.pop_front() else { break };
            if front.call.is_some() {
                entries.push(front);
            } else {
                self.withdrawn -= 1;
            }
        }
        (entries, None)
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
