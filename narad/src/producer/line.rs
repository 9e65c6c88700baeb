//! What waits for one topic: where it stands, and which of its calls go next.

use std::ops::ControlFlow::{Break, Continue};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::gate::Gate;
use super::queue::{Entry, Place, Queue, Sender};
use super::room::Room;
use super::step::{Action, Brokers, Now, Why};

/// So many calls of a line are handed over at once, so that no line holds up the others.
const HELPING: usize = 256;

/// Between two questions about a topic that cannot be sent to, doubled each time, up to the longest.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// librdkafka that takes no more has room again within moments.
const FULL: Duration = Duration::from_millis(1);

/// Whoever leaves room says so; this only bounds what a mistake there could cost.
const ROOM: Duration = Duration::from_millis(100);

/// Where the line of a topic stands.
///
/// ```text
/// Unchecked ─► Checking ─► Known ⇄ Moving ─► Full ─► Known
///      ▲           │ no answer, or nothing can be sent to it
///      └─ Pausing ◄┘
/// Known, Full ─► Unchecked: a broker does not know the topic any more
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TopicState {
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
pub(super) struct Line<C> {
    gate: Arc<Gate>,
    state: TopicState,
    /// Checks in a row after which nothing could be sent.
    failed: u32,
    /// Why the last of them was without an answer.
    cause: Option<String>,
    /// Of each sender, by its place in the enum: a call of Narad's own never waits for a future that the
    /// application does not poll.
    queues: [Queue<C>; 2],
    /// Calls that are being handed over.
    moving: usize,
    /// A broker stopped to know the topic while its calls were handed over.
    forgotten: bool,
}

impl<C> Line<C> {
    pub(super) fn new(gate: &Arc<Gate>) -> Self {
        Self {
            gate: Arc::clone(gate),
            state: TopicState::Unchecked,
            failed: 0,
            cause: None,
            queues: [Queue::new(), Queue::new()],
            moving: 0,
            forgotten: false,
        }
    }

    pub(super) fn is_checking(&self) -> bool {
        self.state == TopicState::Checking
    }

    /// Nothing waits, and nothing is being handed over.
    pub(super) fn is_idle(&self) -> bool {
        self.is_empty() && self.moving == 0
    }

    fn is_empty(&self) -> bool {
        self.queues.iter().all(Queue::is_empty)
    }

    /// How many calls wait or are being handed over.
    pub(super) fn waiting(&self) -> usize {
        self.queues.iter().map(Queue::waiting).sum::<usize>() + self.moving
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.queues.iter().map(Queue::len).sum()
    }

    /// A call of this sender has to wait for room behind another one.
    pub(super) fn is_full_for(&self, sender: Sender) -> bool {
        let [application, narad] = &self.queues;
        match sender {
            Sender::Application => application.ends_outside() || narad.ends_outside(),
            // Who is not polled waits for nothing, and nobody of Narad's waits for him.
            Sender::Narad => {
                let before = application.front().map(|front| front.place);
                narad.ends_outside() || before == Some(Place::Outside { polled: true })
            }
        }
    }

    /// Lines a call up.
    pub(super) fn push(&mut self, entry: Entry<C>) {
        self.gate.set_open(false);
        self.queues[entry.sender as usize].push(entry);
    }

    pub(super) fn polled(&mut self, id: u64) {
        self.queues.iter_mut().for_each(|queue| queue.polled(id));
    }

    pub(super) fn withdraw(&mut self, id: u64) -> Option<C> {
        self.queues.iter_mut().find_map(|queue| queue.withdraw(id))
    }

    /// A broker knows the topic.
    pub(super) fn known(&mut self) {
        (self.state, self.failed, self.cause) = (TopicState::Known, 0, None);
        self.settle();
    }

    /// Nothing can be sent to the topic for now; of an answer that did not come there is a cause.
    pub(super) fn failed(&mut self, cause: Option<String>, now: Instant) {
        let pause = PAUSE.saturating_mul(1 << self.failed.min(16)).min(LONGEST_PAUSE);
        (self.state, self.failed) = (TopicState::Pausing(now + pause), self.failed.saturating_add(1));
        if cause.is_some() {
            self.cause = cause;
        }
    }

    /// A broker does not know the topic any more.
    pub(super) fn forget(&mut self) {
        match self.state {
            TopicState::Known | TopicState::Full(_) => {
                self.state = TopicState::Unchecked;
                self.gate.set_open(false);
            }
            TopicState::Moving => self.forgotten = true,
            TopicState::Unchecked | TopicState::Checking | TopicState::Pausing(_) => {}
        }
    }

    /// Its calls were handed over, but for the rest.
    pub(super) fn moved(&mut self, rest: Vec<Entry<C>>, now: Instant) {
        self.moving = 0;
        self.state = match std::mem::take(&mut self.forgotten) {
            true => TopicState::Unchecked,
            false if rest.is_empty() => TopicState::Known,
            false => TopicState::Full(now + FULL),
        };
        rest.into_iter().rev().for_each(|entry| self.queues[entry.sender as usize].put_back(entry));
    }

    /// Opens the gate where nothing waits any more. True then, and where nothing is left to be done.
    pub(super) fn settle(&mut self) -> bool {
        let empty = self.is_empty();
        if empty && self.state == TopicState::Known {
            self.gate.set_open(true);
        }
        empty
    }

    pub(super) fn drain(&mut self, room: &Room) -> Vec<C> {
        self.queues.iter_mut().flat_map(|queue| queue.drain(&self.gate, room)).collect()
    }

    /// Ends the calls that have waited long enough.
    pub(super) fn expire(&mut self, now: &Now, room: &Room, actions: &mut Vec<Action<C>>) {
        let silent = now.brokers != Brokers::Answer;
        let all = now.closing || matches!(now.brokers, Brokers::GivenUp | Brokers::Pretended);
        let Self { gate, cause, queues, .. } = self;
        let why = |entry: &Entry<C>| {
            let application = entry.sender == Sender::Application;
            Continue(Some(match now.brokers {
                Brokers::Pretended if application => Why::Pretended,
                Brokers::GivenUp if application => Why::NotConnected,
                // What Narad's belong to is not committed; whoever is outside and has not asked was never
                // taken.
                _ if now.closing && silent && !application => Why::NotConnected,
                _ if now.closing && entry.place == (Place::Outside { polled: false }) => Why::NotConnected,
                _ if entry.deadline <= now.at && (application || now.closing) => match entry.place {
                    Place::Inside => {
                        Why::NotSent(cause.clone().unwrap_or_else(|| "no broker took it".to_owned()))
                    }
                    Place::Outside { .. } => Why::QueueFull,
                },
                // The later ones have more time.
                _ if !all => return Break(()),
                _ => return Continue(None),
            }))
        };
        for queue in queues {
            actions.extend(queue.end(|entry| {
                let why = why(entry);
                match why {
                    Continue(Some(why)) => Continue(entry.take(gate, room).map(|call| Action::End {
                        gate: Arc::clone(gate),
                        call,
                        why,
                    })),
                    Continue(None) => Continue(None),
                    Break(()) => Break(()),
                }
            }));
        }
    }

    /// When the first call has waited long enough.
    pub(super) fn expires(&self, now: &Now) -> Option<Instant> {
        let [application, narad] = &self.queues;
        let narad = now.closing.then_some(narad);
        [Some(application), narad]
            .into_iter()
            .flatten()
            .filter_map(Queue::front)
            .map(|front| front.deadline)
            .min()
    }

    /// Does what this line waits for, or says when to look again.
    pub(super) fn advance(
        &mut self,
        now: &Now,
        room: &Room,
        actions: &mut Vec<Action<C>>,
    ) -> Option<Instant> {
        if self.is_empty() || now.brokers != Brokers::Answer || !now.client {
            return None;
        }
        match self.state {
            TopicState::Checking | TopicState::Moving => None,
            TopicState::Pausing(until) if now.at < until => Some(until),
            TopicState::Unchecked | TopicState::Pausing(_) => {
                self.state = TopicState::Checking;
                actions.push(Action::Check { gate: Arc::clone(&self.gate), again: self.failed > 0 });
                None
            }
            TopicState::Full(until) if now.at < until => Some(until),
            TopicState::Known | TopicState::Full(_) => {
                let (entries, at) = self.first_ones(now, room);
                if entries.is_empty() {
                    self.state = TopicState::Known;
                    return at;
                }
                (self.state, self.moving) = (TopicState::Moving, entries.len());
                actions.push(Action::HandOver { gate: Arc::clone(&self.gate), entries });
                None
            }
        }
    }

    /// Takes the first calls out of the line that may go.
    fn first_ones(&mut self, now: &Now, room: &Room) -> (Vec<Entry<C>>, Option<Instant>) {
        let mut entries = Vec::new();
        while entries.len() < HELPING
            && let Some(sender) = self.next()
        {
            let queue = &mut self.queues[sender as usize];
            if let Some(front) = queue.front_mut().filter(|front| front.place != Place::Inside) {
                if !room.enter_or_want(&self.gate, front.load) {
                    return (entries, Some(now.at + ROOM));
                }
                front.place = Place::Inside;
            }
            entries.extend(queue.pop());
        }
        (entries, None)
    }

    /// Whose call is next: one that has entered, since others wait for the room that it holds; else one that
    /// is polled; of two such the earlier one.
    fn next(&self) -> Option<Sender> {
        let fronts = self.queues.iter().filter_map(Queue::front);
        fronts
            .filter(|front| front.place != Place::Outside { polled: false })
            .min_by_key(|front| (front.place != Place::Inside, front.id))
            .map(|front| front.sender)
    }
}
